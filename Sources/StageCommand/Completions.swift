/// Completion scripts, made from the table.
package enum Completions {
    package enum Shell: String, Sendable, CaseIterable { case bash, zsh, fish }

    package static func script(for shell: Shell, commands: [CommandSpec] = CommandTable.available) -> String {
        switch shell {
        case .bash: bash(commands)
        case .zsh: zsh(commands)
        case .fish: fish(commands)
        }
    }

    /// The first words of the commands, each once.
    private static func firstWords(_ commands: [CommandSpec]) -> [(word: String, summary: String)] {
        var seen: Set<String> = []
        return commands.compactMap { command in
            let word = command.name.split(separator: " ").first.map(String.init) ?? command.name
            return seen.insert(word).inserted ? (word, command.summary) : nil
        }
    }

    /// What can follow a first word: the second words of the commands below it.
    private static func secondWords(_ first: String, _ commands: [CommandSpec]) -> [String] {
        commands.filter { $0.name.hasPrefix(first + " ") }.map { String($0.name.dropFirst(first.count + 1)) }
    }

    /// A command with those below it: their options come together after the first word.
    private static func options(_ first: String, _ commands: [CommandSpec]) -> [OptionSpec] {
        var seen: Set<String> = []
        return commands.filter { $0.name == first || $0.name.hasPrefix(first + " ") }.flatMap(\.allOptions)
            .filter { seen.insert($0.long).inserted }
    }

    private static func arguments(_ first: String, _ commands: [CommandSpec]) -> [ArgumentSpec] {
        commands.filter { $0.name == first || $0.name.hasPrefix(first + " ") }.flatMap(\.arguments)
    }

    private static let stateFolder = "\"${STAGEHOST_STATE_DIR:-.stagehost}\""

    // MARK: bash

    private static func bash(_ commands: [CommandSpec]) -> String {
        let words = firstWords(commands)
        var cases = ""
        for (word, _) in words {
            let options = options(word, commands)
            let flags = options.flatMap { [$0.short.map { "-\($0)" }, "--\($0.long)"].compactMap { $0 } }
            cases += "    \(word))\n"
            let valued = options.filter(\.takesValue)
            if !valued.isEmpty {
                cases += "      case \"$previous\" in\n"
                for option in valued {
                    let names = [option.short.map { "-\($0)" }, "--\(option.long)"].compactMap { $0 }.joined(
                        separator: "|")
                    cases += "        \(names)) \(bashValue(option.form)); return ;;\n"
                }
                cases += "      esac\n"
            }
            cases += "      if [[ \"$current\" == -* ]]; then\n"
            cases +=
                "        COMPREPLY=($(compgen -W \"\(flags.joined(separator: " "))\" -- \"$current\")); return\n      fi\n"
            var candidates = secondWords(word, commands)
            for argument in arguments(word, commands) {
                switch argument.form {
                case .choice(let choices): candidates += choices
                default: break
                }
            }
            if !candidates.isEmpty {
                cases += "      COMPREPLY=($(compgen -W \"\(candidates.joined(separator: " "))\" -- \"$current\"))\n"
            }
            if arguments(word, commands).contains(where: { $0.form == .job }) {
                cases += "      COMPREPLY+=($(cd \(stateFolder) 2>/dev/null && compgen -d -- \"$current\"))\n"
            }
            if arguments(word, commands).contains(where: { $0.form == .file }) {
                cases += "      COMPREPLY+=($(compgen -f -- \"$current\"))\n"
            }
            cases += "      ;;\n"
        }
        return """
            # bash completion of stagehost
            _stagehost() {
              local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
              COMPREPLY=()
              if [[ $COMP_CWORD -eq 1 ]]; then
                COMPREPLY=($(compgen -W "\(words.map(\.word).joined(separator: " ")) --help --version" -- "$current"))
                return
              fi
              case "${COMP_WORDS[1]}" in
            \(cases)  esac
            }
            complete -o filenames -F _stagehost stagehost

            """
    }

    private static func bashValue(_ form: OptionSpec.Form) -> String {
        switch form {
        case .file: "COMPREPLY=($(compgen -f -- \"$current\"))"
        case .folder: "COMPREPLY=($(compgen -d -- \"$current\"))"
        case .choice(let words): "COMPREPLY=($(compgen -W \"\(words.joined(separator: " "))\" -- \"$current\"))"
        default: "COMPREPLY=()"
        }
    }

    // MARK: zsh

    private static func zsh(_ commands: [CommandSpec]) -> String {
        let words = firstWords(commands)
        var list = ""
        var cases = ""
        for (word, summary) in words {
            list += "    '\(word):\(zshText(summary))'\n"
            cases += "    \(word))\n      _arguments -s"
            for option in options(word, commands) {
                let help = "[\(zshText(option.help))]"
                let value = option.takesValue ? ":\(option.valueName ?? "value"):\(zshAction(option.form))" : ""
                let star = option.isRepeated ? "*" : ""
                cases += " \\\n        '\(star)--\(option.long)\(help)\(value)'"
                if let short = option.short { cases += " \\\n        '\(star)-\(short)\(help)\(value)'" }
            }
            let below = secondWords(word, commands)
            if !below.isEmpty { cases += " \\\n        '1:command:(\(below.joined(separator: " ")))'" }
            for (index, argument) in arguments(word, commands).enumerated() {
                let position = index + 1 + (below.isEmpty ? 0 : 1)
                cases += " \\\n        '\(position):\(argument.name):\(zshAction(argument.form))'"
            }
            cases += "\n      ;;\n"
        }
        return """
            #compdef stagehost
            # zsh completion of stagehost
            _stagehost() {
              local -a commands
              commands=(
            \(list)  )
              if (( CURRENT == 2 )); then
                _describe command commands
                return
              fi
              local command="${words[2]}"
              shift words
              (( CURRENT-- ))
              case "$command" in
            \(cases)  esac
            }
            if [ "$funcstack[1]" = "_stagehost" ]; then _stagehost "$@"; else compdef _stagehost stagehost; fi

            """
    }

    private static func zshAction(_ form: OptionSpec.Form) -> String {
        switch form {
        case .file: "_files"
        case .folder: "_files -/"
        case .choice(let words): "(\(words.joined(separator: " ")))"
        default: " "
        }
    }

    private static func zshAction(_ form: ArgumentSpec.Form) -> String {
        switch form {
        case .file: "_files"
        case .choice(let words): "(\(words.joined(separator: " ")))"
        case .job: "_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}"
        case .stage, .text: " "
        }
    }

    /// Inside single quotes, brackets and a list with colons.
    private static func zshText(_ text: String) -> String {
        text.map { character in
            switch character {
            case "'": "'\\''"
            case "[", "]", ":", "\\": "\\\(character)"
            default: String(character)
            }
        }.joined()
    }

    // MARK: fish

    private static func fish(_ commands: [CommandSpec]) -> String {
        let words = firstWords(commands)
        var text = "# fish completion of stagehost\ncomplete -c stagehost -f\n"
        let none = "not __fish_seen_subcommand_from \(words.map(\.word).joined(separator: " "))"
        for (word, summary) in words {
            text += "complete -c stagehost -n '\(none)' -a \(word) -d '\(fishText(summary))'\n"
        }
        text += "complete -c stagehost -n '\(none)' -s V -l version -d 'Print the version'\n"
        text += "complete -c stagehost -n '\(none)' -s h -l help -d 'Print help'\n"
        for (word, _) in words {
            let here = "complete -c stagehost -n '__fish_seen_subcommand_from \(word)'"
            for below in secondWords(word, commands) { text += "\(here) -a \(below)\n" }
            for argument in arguments(word, commands) {
                switch argument.form {
                case .file: text += "\(here) -F\n"
                case .choice(let choices): text += "\(here) -a '\(choices.joined(separator: " "))'\n"
                case .job: text += "\(here) -a '(ls (string length -q -- $STAGEHOST_STATE_DIR; and echo $STAGEHOST_STATE_DIR; or echo .stagehost) 2>/dev/null)'\n"
                case .stage, .text: break
                }
            }
            for option in options(word, commands) {
                text += here + (option.short.map { " -s \($0)" } ?? "") + " -l \(option.long)"
                switch option.form {
                case .flag: break
                case .file: text += " -r -F"
                case .folder: text += " -x -a '(__fish_complete_directories)'"
                case .choice(let choices): text += " -x -a '\(choices.joined(separator: " "))'"
                default: text += " -x"
                }
                text += " -d '\(fishText(option.help))'\n"
            }
        }
        return text
    }

    private static func fishText(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
    }
}
