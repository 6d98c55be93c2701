import Foundation
import Testing

/// The repository's README and examples deliver what they promise, and links lead somewhere. What its commands do at all, and whether
/// its pipelines are valid, is looked at in `Documents`, as it is of every page.
@Suite struct ReadmeTests {
    @Test func theDemoDeliversTheMainJobWithoutThePoison() throws {
        let bench = try DocumentBench(Document(path: "README.md", text: ""))
        let plain = try bench.job.shell(".build/release/stagehost run examples/index-docs/index.json5").wait()
        try #require(plain.code == 0, "\(plain.output)")
        let demo = try bench.job.shell(".build/release/stagehost run examples/crash-demo/crash-demo.json5").wait()
        try #require(demo.code == 0, "\(demo.output)")

        let undisturbed = bench.job.lines("examples/index-docs/out/terms.jsonl")
        let poison = "\"key\":\"../../docs/wire.md#3\",\"value\""
        #expect(undisturbed.count(where: { $0.contains(poison) }) == 1)
        #expect(bench.job.lines("examples/crash-demo/out/terms.jsonl") == undisturbed.filter { !$0.contains(poison) })

        // Every document is in it, with its words.
        let keys = undisturbed.compactMap { line in
            line.components(separatedBy: "\"key\":\"../../").dropFirst().first?.components(separatedBy: "#").first
        }
        #expect(Set(keys) == Set(try Document.all().map(\.path).filter { $0.hasPrefix("docs/") }))
        #expect(undisturbed.allSatisfy { $0.contains("\"words\":") })

        // Its crashes are told, and counted.
        let crashes = bench.job.lines("examples/crash-demo/out-crashes.txt").count
        #expect(crashes > 0)
        let shaky = try #require(demo.output.split(separator: "\n").first { $0.hasPrefix("shaky ") })
        #expect(shaky.split(separator: " ").suffix(2) == ["\(crashes)", "\(crashes)"])
        #expect(demo.output.contains("kills its worker (killed by signal 6 (SIGABRT)): set aside"))
        #expect(demo.output.contains(", failed 1 in "))
    }

    @Test(arguments: try Document.all())
    func everyLinkLeadsToSomethingThatIsThere(_ document: Document) {
        let file = URL(filePath: Programs.repository + "/" + document.path)
        for match in document.text.matches(of: /\]\(([^)\s#:]+)(#[^)\s]*)?\)/) {
            let target = file.deletingLastPathComponent().appending(path: String(match.1))
            #expect(FileManager.default.fileExists(atPath: target.path), "\(document.path) links to \(match.1)")
        }
    }

    /// An anchor is a heading: in lower case, without punctuation, with dashes for spaces.
    @Test(arguments: try Document.all())
    func everyAnchorIsAHeading(_ document: Document) throws {
        let file = URL(filePath: Programs.repository + "/" + document.path)
        for match in document.text.matches(of: /\]\(([^)\s#:]*)#([^)\s]+)\)/) {
            let target = match.1.isEmpty ? file : file.deletingLastPathComponent().appending(path: String(match.1))
            let headings = try String(contentsOf: target, encoding: .utf8).matches(of: /\n#+ (.+)/).map { heading in
                heading.1.lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }.replacing(" ", with: "-")
            }
            #expect(headings.contains(String(match.2)), "\(document.path) links to the heading #\(match.2) of \(target.lastPathComponent)")
        }
    }
}
