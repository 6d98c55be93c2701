/// The texts of `-h` and `--help`.
package enum Help {
    static let width = 100

    /// `stagehost --help`
    package static func overview(commands: [CommandSpec] = CommandTable.available) -> String {
        var text = "stagehost: \(CommandTable.summary)\n\nUsage: stagehost COMMAND [options] …\n\nCommands:\n"
        text += table(commands.map { ($0.name, $0.summary) })
        text += "\nOptions:\n"
        text += table([
            ("-h, --help", "Print help; after a command, of that command"), ("-V, --version", "Print the version"),
        ])
        text += "\nExample:\n  stagehost run index.json5\n\n`stagehost COMMAND --help` says more, with examples.\n"
        return text
    }

    /// `-h`: usage and options.
    package static func short(_ command: CommandSpec) -> String {
        var text = "\(command.summary)\n\nUsage: \(command.usage)\n"
        if !command.arguments.isEmpty { text += "\nArguments:\n" + table(command.arguments.map { ($0.name, $0.help) }) }
        text += "\nOptions:\n" + table(command.allOptions.map { ($0.usage, describe($0)) })
        return text
    }

    /// `--help`: the same with details, examples and exit codes.
    package static func long(_ command: CommandSpec) -> String {
        var text = "\(command.summary)\n\nUsage: \(command.usage)\n"
        if !command.details.isEmpty { text += "\n" + wrap(command.details, indent: 0).joined(separator: "\n") + "\n" }
        if !command.arguments.isEmpty { text += "\nArguments:\n" + table(command.arguments.map { ($0.name, $0.help) }) }
        text += "\nOptions:\n" + table(command.allOptions.map { ($0.usage, describe($0)) })
        text += "\nExamples:\n"
        for example in command.examples { text += "  # \(example.explanation)\n  \(example.command)\n" }
        if command.name == "run" {
            text += "\nExit codes:\n" + table(ExitCode.allCases.map { (String($0.rawValue), $0.meaning) })
        }
        return text
    }

    static func describe(_ option: OptionSpec) -> String {
        var text = option.help
        if case .choice(let words) = option.form { text += " (\(words.joined(separator: ", ")))" }
        if let fallback = option.fallback { text += " [default: \(fallback)]" }
        if option.isRepeated { text += "; may be repeated" }
        return text
    }

    static func table(_ rows: [(String, String)]) -> String {
        let column = (rows.map(\.0.count).max() ?? 0) + 2
        return rows.map { left, right in
            let lines = wrap(right, indent: column + 2)
            let padding = String(repeating: " ", count: column - left.count)
            return "  \(left)\(padding)" + lines.joined(separator: "\n  " + String(repeating: " ", count: column))
                + "\n"
        }.joined()
    }

    /// Lines of at most `width` characters, the indent included.
    static func wrap(_ text: String, indent: Int) -> [String] {
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = ""
            for word in paragraph.split(separator: " ") {
                if !line.isEmpty, indent + line.count + 1 + word.count > width {
                    lines.append(line)
                    line = ""
                }
                line += line.isEmpty ? String(word) : " \(word)"
            }
            lines.append(line)
        }
        return lines
    }

    /// Words of a user must not steer the terminal.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(500).map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : $0 }))
    }
}
