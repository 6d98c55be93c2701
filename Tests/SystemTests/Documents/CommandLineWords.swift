import Foundation
import Testing

/// What the programs themselves say of their commands and options.
final class CommandLineWords {
    /// The commands of `stagehost`, those of two words included.
    let commands: [String]
    private let program: String
    private var options: [String: Set<String>] = [:]

    init(_ program: String = "stagehost") throws {
        self.program = Programs.folder + "/" + program
        let help = try Programs.run(self.program, ["--help"])
        try #require(help.code == 0, "\(help.output)")
        commands = help.output.split(separator: "\n").compactMap { line in
            line.firstMatch(of: #/^  ([a-z]+( [a-z]+)?)  /#).map { String($0.1) }
        }
        try #require(!commands.isEmpty)
    }

    /// The command that words begin with: `plugins show` rather than `plugins`.
    func command(of words: [String]) -> String? {
        let two = words.prefix(2).joined(separator: " ")
        if commands.contains(two) { return two }
        return words.first.flatMap { commands.contains($0) ? $0 : nil }
    }

    func options(of command: String) throws -> Set<String> {
        if let known = options[command] { return known }
        let help = try Programs.run(program, (command.isEmpty ? [] : command.split(separator: " ").map(String.init)) + ["--help"])
        try #require(help.code == 0, "\(command): \(help.output)")
        let found = Set(
            help.output.split(separator: "\n").flatMap { line in
                line.firstMatch(of: /^ +(-[a-zA-Z])?,? *(--[a-z-]+)?/).map { match in
                    [match.1, match.2].compactMap { $0.map(String.init) }
                } ?? []
            })
        options[command] = found
        return found
    }
}
