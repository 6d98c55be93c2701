import StageConfig

/// Makes sense of a command line, by the table.
package struct CommandLineParser {
    package let commands: [CommandSpec]

    package init(commands: [CommandSpec] = CommandTable.available) { self.commands = commands }

    /// Understands the words after the name of the program.
    package func parse(_ words: [String]) -> ParseOutcome {
        do throws(UsageError) { return try outcome(words) } catch { return .failure(error) }
    }

    private func outcome(_ words: [String]) throws(UsageError) -> ParseOutcome {
        guard let first = words.first else {
            throw UsageError("no command was given", help: "`stagehost --help` lists the commands")
        }
        switch first {
        case "--help", "-h": return .help(Help.overview(commands: commands))
        case "help": return try help(Array(words.dropFirst()))
        case "--version", "-V", "version": return .version
        default: break
        }
        if first.hasPrefix("-") {
            throw UsageError(
                "there is no option \(first) before a command",
                help: "write stagehost COMMAND \(first), or see `stagehost --help`")
        }
        let command = try self.command(words)
        let rest = Array(words.dropFirst(command.name.split(separator: " ").count))
        return try parse(rest, of: command)
    }

    private func help(_ words: [String]) throws(UsageError) -> ParseOutcome {
        guard !words.isEmpty else { return .help(Help.overview(commands: commands)) }
        return .help(Help.long(try command(words)))
    }

    /// The command with the most words that the line begins with.
    private func command(_ words: [String]) throws(UsageError) -> CommandSpec {
        let two = words.prefix(2).joined(separator: " ")
        if let command = commands.first(where: { $0.name == two }) ?? commands.first(where: { $0.name == words[0] }) {
            return command
        }
        throw UsageError(
            "there is no command \"\(words[0])\"",
            help: Suggestion.question(for: words[0], among: commands.map(\.name))
                ?? "`stagehost --help` lists the commands")
    }

    private func parse(_ words: [String], of command: CommandSpec) throws(UsageError) -> ParseOutcome {
        var values: [String: [String]] = [:]
        var plain: [String] = []
        var index = 0
        var optionsEnd = false
        while index < words.count {
            let word = words[index]
            index += 1
            if optionsEnd || word == "-" || !word.hasPrefix("-") {
                plain.append(word)
            } else if word == "--" {
                optionsEnd = true
            } else if word == "-h" {
                return .help(Help.short(command))
            } else if word == "--help" {
                return .help(Help.long(command))
            } else if word.hasPrefix("--") {
                try long(word, of: command, words, &index, &values)
            } else {
                let wantsHelp = try short(word, of: command, words, &index, &values)
                if wantsHelp { return .help(Help.short(command)) }
            }
        }
        return .command(
            ParsedCommand(command: command, arguments: try assign(plain, of: command), values: values))
    }

    private func long(
        _ word: String, of command: CommandSpec, _ words: [String], _ index: inout Int,
        _ values: inout [String: [String]]
    ) throws(UsageError) {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        let name = parts[0]
        guard let option = command.option(long: name) else {
            let near = Suggestion.nearest(to: name, among: command.allOptions.map(\.long))
            throw UsageError(
                "`stagehost \(command.name)` has no option --\(name)",
                help: near.map { "did you mean --\($0)?" } ?? seeHelp(command))
        }
        if !option.takesValue {
            guard parts.count == 1 else {
                throw UsageError("--\(name) takes no value", help: "write --\(name) alone")
            }
            try store("", option, &values)
        } else if parts.count == 2 {
            try store(parts[1], option, &values)
        } else {
            try store(try following(option, "--\(name)", words, &index), option, &values)
        }
    }

    /// Several flags may share a dash; true if one of them asks for help.
    private func short(
        _ word: String, of command: CommandSpec, _ words: [String], _ index: inout Int,
        _ values: inout [String: [String]]
    ) throws(UsageError) -> Bool {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = command.option(short: letter) else {
                let isLong =
                    letters.count > 1
                    ? Suggestion.nearest(to: String(word.dropFirst()), among: command.allOptions.map(\.long)) : nil
                throw UsageError(
                    "`stagehost \(command.name)` has no option -\(letter)",
                    help: isLong.map { "did you mean --\($0)?" } ?? seeHelp(command))
            }
            if option.long == "help" { return true }
            guard option.takesValue else {
                try store("", option, &values)
                continue
            }
            if letters.isEmpty {
                try store(try following(option, "-\(letter)", words, &index), option, &values)
            } else {
                try store(String(letters.first == "=" ? letters.dropFirst() : letters), option, &values)
            }
            return false
        }
        return false
    }

    private func following(_ option: OptionSpec, _ shown: String, _ words: [String], _ index: inout Int)
        throws(UsageError) -> String
    {
        guard index < words.count, words[index] != "--" else {
            throw UsageError(
                "\(shown) needs a value", help: "write \(shown) \(option.valueName ?? "VALUE")")
        }
        index += 1
        return words[index - 1]
    }

    private func store(_ value: String, _ option: OptionSpec, _ values: inout [String: [String]]) throws(UsageError) {
        if values[option.long] != nil, !option.isRepeated, option.takesValue {
            throw UsageError("--\(option.long) was given twice", help: "give it once")
        }
        switch option.form {
        case .count:
            guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), Int(value) != nil else {
                throw UsageError(
                    "--\(option.long) needs a whole number, not \"\(value)\"",
                    help: "write --\(option.long) 100")
            }
        case .duration:
            guard let duration = DurationText.parse(value), duration > .zero else {
                throw UsageError(
                    "--\(option.long) needs a time with its unit, not \"\(value)\"",
                    help: "write --\(option.long) 55m, or 30s, or 1h30m")
            }
        case .choice(let words) where !words.contains(value):
            throw UsageError(
                "--\(option.long) cannot be \"\(value)\"",
                help: Suggestion.question(for: value, among: words) ?? "one of " + words.joined(separator: ", "))
        case .text, .file, .folder:
            guard !value.isEmpty else {
                throw UsageError(
                    "--\(option.long) has an empty value", help: "write --\(option.long) \(option.valueName ?? "VALUE")"
                )
            }
        default: break
        }
        values[option.long, default: []].append(value)
    }

    private func assign(_ words: [String], of command: CommandSpec) throws(UsageError) -> [String: String] {
        var arguments: [String: String] = [:]
        for (index, spec) in command.arguments.enumerated() {
            guard index < words.count else {
                if !spec.isRequired { break }
                throw UsageError("`stagehost \(command.name)` needs a \(spec.name)", help: "write \(command.usage)")
            }
            if case .choice(let choices) = spec.form, !choices.contains(words[index]) {
                throw UsageError(
                    "\(spec.name) cannot be \"\(words[index])\"",
                    help: Suggestion.question(for: words[index], among: choices)
                        ?? "one of " + choices.joined(separator: ", "))
            }
            guard !words[index].isEmpty else {
                throw UsageError("\(spec.name) is empty", help: "write \(command.usage)")
            }
            arguments[spec.name] = words[index]
        }
        guard words.count <= command.arguments.count else {
            throw UsageError(
                "`stagehost \(command.name)` has no use for \"\(words[command.arguments.count])\"",
                help: "write \(command.usage)")
        }
        return arguments
    }

    private func seeHelp(_ command: CommandSpec) -> String { "`stagehost \(command.name) -h` lists the options" }
}
