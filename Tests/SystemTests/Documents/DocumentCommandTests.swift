import Foundation
import Testing

/// Every command that a document shows does what the page says, as it is written there.
@Suite struct DocumentCommandTests {
    @Test(arguments: try Document.all())
    func everyCommandRunsAsItIsShown(_ document: Document) throws {
        let commands = try ShownCommand.all(in: document)
        guard !commands.isEmpty else { return }
        let bench = try DocumentBench(document)
        for var command in commands {
            // To build and to go on: the second half is run.
            command.text = command.text.replacing(#/^swift build -c release && /#, with: "")
            if Circumstances.reasonNotToRun(command.text) != nil {
                try NotRun.check(command)
                continue
            }
            let missing = Circumstances.missingTools(for: command.text)
            if !missing.isEmpty {
                withKnownIssue("\(command.place): \(missing) not installed: not run") { Issue.record("\(command.text)") }
                continue
            }
            guard let ended = try bench.run(command) else { continue }
            if Circumstances.isService(command.text) {
                withKnownIssue("\(command.place): the port of the service is taken: not run") { Issue.record("\(ended.output)") }
                return
            }
            #expect(ended.code == Circumstances.exitCode(of: command.text), "\(command.place): \(command.text)\n\(ended.output)")
        }
        expectWords(of: document, in: bench.output)
    }

    /// What a page shows as output, its commands have printed, whatever the numbers: heads of tables, lines `name: …` (of a job, or
    /// of what is described), and what is told of stages. Not so the live table, which is that of a terminal, and what
    /// is one of several things that may come.
    private func expectWords(of document: Document, in output: String) {
        func shape(_ line: Substring) -> String {
            line.replacing(/[0-9]+/, with: "#").split(separator: " ").joined(separator: " ")
        }
        let printed = Set(output.split(separator: "\n").map(shape))
        for (block, before) in zip(document.blocks.dropFirst(), document.blocks) {
            guard block.language.isEmpty, before.language == "sh", document.isOneSection(before.line, block.line) else { continue }
            for line in block.text.split(separator: "\n") {
                let isSaidToDiffer = line.contains(#/ state .* memory| /data/|digest: |^now: /#)
                guard !isSaidToDiffer, line.contains(/^((stage|letter|letters|option|name) {2,}[a-z]|[a-z-]+: |stage "|read [0-9,]+, written .* in )/) else { continue }
                let words = shape(line)
                let isThere = printed.contains(words)
                #expect(isThere, "\(document.path):\(block.line): nothing has printed \"\(line)\"")
            }
        }
    }

    @Test(arguments: try Document.all())
    func everyBlockSaysWhatItIs(_ document: Document) {
        for block in document.blocks {
            #expect(["", "sh", "json5", "json", "c", "swift", "sql"].contains(block.language), "\(document.path):\(block.line)")
            guard block.language.isEmpty else { continue }
            for line in block.text.split(separator: "\n") {
                let isCommand = line.contains(
                    /^(\$ |\.build\/\S+ |stagehost(-bench)? [a-z]|swift (build|test|run)|gcc |mkdir |python3 |sqlite3 |kill |cat |[A-Z_]+=\S+ )/)
                #expect(!isCommand, "\(document.path):\(block.line): commands stand in a block of the language sh: \(line)")
            }
        }
    }
}

/// Commands that are not run are looked at as far as that goes.
enum NotRun {
    static func check(_ command: ShownCommand) throws {
        for match in command.text.matches(of: /--filter ('[^']+'|\S+)/) {
            let name = String(match.1).trimmingCharacters(in: ["'"])
            #expect(try isTest(name), "\(command.place): there is no test to match \"\(name)\"")
        }
        for match in command.text.matches(of: /--package-path (\S+)/) {
            let file = Programs.repository + "/" + match.1 + "/Package.swift"
            #expect(FileManager.default.fileExists(atPath: file), "\(command.place): no \(file)")
        }
    }

    /// Whether a module, a suite or a test begins with these words.
    private static func isTest(_ name: String) throws -> Bool {
        let top = Programs.repository + "/Tests"
        let declarations = ["struct ", "class ", "enum ", "func ", "func `"].map { $0 + name }
        return try FileManager.default.subpathsOfDirectory(atPath: top).contains { file in
            if file.hasPrefix(name) { return true }
            guard file.hasSuffix(".swift") else { return false }
            let text = try String(contentsOfFile: top + "/" + file, encoding: .utf8)
            return declarations.contains { text.contains($0) }
        }
    }
}
