import Foundation
import Testing

/// Every command, option and variable that a document names is there.
@Suite struct DocumentWordTests {
    @Test func everyCommandAndOptionIsKnownToTheProgram() throws {
        let tools = try [Tool("stagehost"), Tool("stagehost-bench")]
        var seen = 0
        for document in try Document.all() {
            let shown = document.blocks(in: "sh").map { ($0.text, $0.line) } + document.spans.map { ($0.text, $0.line) }
            for (text, line) in shown {
                for tool in tools { seen += try tool.check(text, "\(document.path):\(line)") }
            }
            // Without the name of the program, as in `run --fresh`.
            for span in document.spans where span.text.contains(" -") {
                let parts = span.text.split(separator: " ").map(String.init)
                let meant = tools.filter { $0.words.command(of: parts) != nil }
                guard !meant.isEmpty else { continue }
                seen += 1
                let isKnown = try meant.contains { try $0.unknownOption(in: parts) == nil }
                #expect(isKnown, "\(document.path):\(span.line): no such option: `\(span.text)`")
            }
        }
        // It would be strange if there were few.
        #expect(seen > 100)
    }

    /// Options that are named alone belong to some command.
    @Test func everyOptionNamedAloneBelongsToACommand() throws {
        let stagehost = try CommandLineWords()
        let bench = try CommandLineWords("stagehost-bench")
        let known = try Set(stagehost.commands.flatMap { try stagehost.options(of: $0) } + bench.commands.flatMap { try bench.options(of: $0) })
            .union(try stagehost.options(of: ""))
        for document in try Document.all() {
            for span in document.spans where span.text.hasPrefix("--") && !Self.ofOthers.contains(span.text) {
                guard let option = span.text.firstMatch(of: /^--[a-z-]+/) else { continue }
                #expect(known.contains(String(option.0)), "\(document.path):\(span.line): no command has the option of `\(span.text)`")
            }
        }
    }

    /// Options of other programs.
    private static let ofOthers: Set<String> = ["--describe"]

    @Test func everyVariableIsRead() throws {
        let sources = try ["Sources", "Tests", "Plugins"].map { try Self.text(below: $0) }.joined()
        for document in try Document.all() {
            for name in Set(document.text.matches(of: /STAGEHOST_[A-Z0-9_]*[A-Z0-9]/).map { String($0.0) }) where !sources.contains("\"\(name)\"") {
                // One that stands for a key of the pipeline.
                let process = try Job("{}")
                process.environment[name] = "7"
                let config = try process.command("config", Programs.repository + "/examples/index-docs/index.json5")
                #expect(config.output.contains("environment \(name)"), "\(document.path): nobody reads \(name)")
            }
        }
    }

    private static func text(below folder: String) throws -> String {
        let top = Programs.repository + "/" + folder
        return try FileManager.default.subpathsOfDirectory(atPath: top)
            .filter { $0.hasSuffix(".swift") || $0.hasSuffix(".c") || $0.hasSuffix(".h") }
            .map { try String(contentsOfFile: top + "/" + $0, encoding: .utf8) }.joined()
    }
}

/// A program whose commands the documents name.
private struct Tool {
    let name: String
    let words: CommandLineWords

    init(_ name: String) throws {
        self.name = name
        words = try CommandLineWords(name)
    }

    /// Looks at each `PROGRAM COMMAND …` in a text.
    ///
    /// - Returns: How many commands it has looked at.
    func check(_ text: String, _ place: String) throws -> Int {
        var count = 0
        for line in text.replacing("\\\n", with: " ").split(separator: "\n") {
            let parts = line.replacing(##/ #.*/##, with: "").split(separator: " ").map { $0.trimmingCharacters(in: ["<", "(", ")"]) }
            for (index, part) in parts.enumerated() where part == name || part.hasSuffix("/" + name) {
                let rest = Array(parts[(index + 1)...])
                guard let first = rest.first, first.contains(/^[a-z]+$/) else { continue }
                count += 1
                if words.command(of: rest) == nil {
                    Issue.record("\(place): \(name) has no command \"\(first)\"")
                } else if let option = try unknownOption(in: rest) {
                    Issue.record("\(place): \(name) \(first) has no option \(option)")
                }
            }
        }
        return count
    }

    /// The first option behind a command that the command does not have.
    func unknownOption(in parts: [String]) throws -> String? {
        guard let command = words.command(of: parts) else { return nil }
        let known = try words.options(of: command)
        return parts.prefix { !["|", "&&", ";", ">", "||", "do"].contains($0) }.lazy
            .compactMap { $0.firstMatch(of: /^\[?(--[a-z-]+|-[a-zA-Z]$)/).map { String($0.1) } }
            .first { !known.contains($0) }
    }
}
