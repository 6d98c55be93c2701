import Foundation
import Testing

/// The repository's README, examples and links, held to what they say.
@Suite struct ReadmeTests {
    @Test func everyCommandOfTheReadmeDoesWhatItSays() throws {
        try Workbench.with { bench in
            let lines = try blocks(of: "sh", in: readme()).flatMap { $0.split(separator: "\n") }.map(String.init)
            let commands = lines.compactMap { line in
                line.range(of: ".build/release/stagehost").map { String(line[$0.lowerBound...]) }
            }
            try #require(commands.count >= 3)
            for command in commands {
                let result = try bench.run(command)
                #expect(result.code == 0, "\(command): \(result.output)")
            }

            let undisturbed = try bench.lines("examples/index-docs/out/terms.jsonl")
            let survivors = try bench.lines("examples/crash-demo/out/terms.jsonl")
            let poison = "\"key\":\"../../docs/wire.md#3\",\"value\""
            #expect(undisturbed.count(where: { $0.contains(poison) }) == 1)
            #expect(survivors == undisturbed.filter { !$0.contains(poison) })
        }
    }

    @Test func theMainJobReadsEveryDocument() throws {
        try Workbench.with { bench in
            let result = try bench.run(".build/release/stagehost run examples/index-docs/index.json5")
            #expect(result.code == 0, "\(result.output)")
            let keys = try bench.lines("examples/index-docs/out/terms.jsonl").compactMap { line in
                line.components(separatedBy: "\"key\":\"../../").dropFirst().first?.components(separatedBy: "#").first
            }
            #expect(Set(keys) == Set(try documents().filter { $0.hasPrefix("docs/") }))
            let words = try bench.lines("examples/index-docs/out/terms.jsonl").allSatisfy { $0.contains("\"words\":") }
            #expect(words)
        }
    }

    @Test func crashesOfTheDemoAreShownAndRestarted() throws {
        try Workbench.with { bench in
            let result = try bench.run(".build/release/stagehost run examples/crash-demo/crash-demo.json5")
            #expect(result.code == 0, "\(result.output)")
            let crashes = try bench.lines("examples/crash-demo/out-crashes.txt").count
            #expect(crashes > 0)
            let shaky = try #require(result.output.split(separator: "\n").first { $0.hasPrefix("shaky ") })
            #expect(shaky.split(separator: " ").suffix(2) == ["\(crashes)", "\(crashes)"])
            #expect(result.output.contains("kills its worker (killed by signal 6 (SIGABRT)): set aside"))
            #expect(result.output.contains(", failed 1 in "))
        }
    }

    @Test func thePipelineOfTheReadmeIsValid() throws {
        try Workbench.with { bench in
            let pipelines = try blocks(of: "json5", in: readme())
            try #require(!pipelines.isEmpty)
            for pipeline in pipelines {
                try pipeline.write(
                    to: bench.folder.appending(path: "examples/index-docs/readme.json5"), atomically: true, encoding: .utf8)
                let result = try bench.run(".build/release/stagehost validate examples/index-docs/readme.json5")
                #expect(result.code == 0, "\(result.output)")
            }
        }
    }

    @Test(arguments: try documents())
    func everyLinkLeadsToSomethingThatIsThere(document: String) throws {
        let file = repository.appending(path: document)
        let text = try String(contentsOf: file, encoding: .utf8)
        for match in text.matches(of: /\]\(([^)\s#:]+)(#[^)\s]*)?\)/) {
            let target = file.deletingLastPathComponent().appending(path: String(match.1))
            #expect(FileManager.default.fileExists(atPath: target.path), "\(document) links to \(match.1)")
        }
    }
}

private let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

private func readme() throws -> String {
    try String(contentsOf: repository.appending(path: "README.md"), encoding: .utf8)
}

/// The Markdown files of the project, as paths from its top.
private func documents() throws -> [String] {
    let top = try FileManager.default.contentsOfDirectory(atPath: repository.path).filter { $0.hasSuffix(".md") }
    let below = try ["docs", "examples"].flatMap { folder in
        try FileManager.default.subpathsOfDirectory(atPath: repository.appending(path: folder).path)
            .filter { $0.hasSuffix(".md") && !$0.contains(".build/") }.map { "\(folder)/\($0)" }
    }
    return (top + below).sorted()
}

/// The fenced blocks of one language.
private func blocks(of language: String, in text: String) -> [String] {
    text.components(separatedBy: "```\(language)\n").dropFirst().compactMap { $0.components(separatedBy: "\n```").first }
}

/// A copy of the examples and documents in a folder of its own, with the programs where README has them.
private struct Workbench {
    let folder: URL

    static func with(_ body: (Workbench) throws -> Void) throws {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appending(path: "stagehost-readme-\(UUID().uuidString)")
        try files.createDirectory(at: folder.appending(path: ".build"), withIntermediateDirectories: true)
        defer { try? files.removeItem(at: folder) }
        try files.copyItem(at: repository.appending(path: "docs"), to: folder.appending(path: "docs"))
        for example in ["index-docs/index.json5", "crash-demo/crash-demo.json5"] {
            let copy = folder.appending(path: "examples/\(example)")
            try files.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
            try files.copyItem(at: repository.appending(path: "examples/\(example)"), to: copy)
        }
        let programs = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        try files.createSymbolicLink(at: folder.appending(path: ".build/release"), withDestinationURL: programs)
        try body(Workbench(folder: folder))
    }

    /// Runs a line of shell, which is ended (code 124) if it takes too long; its output is stdout and stderr together.
    func run(_ command: String) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/timeout")
        process.arguments = ["--kill-after=10", "120", "/bin/sh", "-c", command]
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("STAGEHOST_") }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    func lines(_ path: String) throws -> [String] {
        try String(contentsOf: folder.appending(path: path), encoding: .utf8).split(separator: "\n").map(String.init)
    }
}
