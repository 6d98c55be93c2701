/// The manual page, in the language of man(7).
package enum ManPage {
    package static func text(commands: [CommandSpec] = CommandTable.available, version: String) -> String {
        var page = ".TH STAGEHOST 1 \"\" \"stagehost \(escape(version))\" \"User Commands\"\n"
        page += ".SH NAME\nstagehost \\- \(escape(CommandTable.summary))\n"
        page += ".SH SYNOPSIS\n.B stagehost\n.I COMMAND\n[\\fIoptions\\fR] ...\n"
        page += ".SH DESCRIPTION\n"
        page += paragraph(
            """
            stagehost runs a pipeline: an ordered list of stages, each a shared library in worker processes of its own. \
            It writes down what each stage has finished, restarts a stage that dies, sets aside the record that kills it, \
            and goes on after a crash of everything where it was.
            """)
        page += ".SH COMMANDS\n"
        for command in commands { page += section(command) }
        page += ".SH EXIT STATUS\n"
        for code in ExitCode.allCases { page += ".TP\n.B \(code.rawValue)\n\(line(code.meaning))\n" }
        page += ".SH ENVIRONMENT\n"
        for (name, meaning) in variables { page += ".TP\n.B \(escape(name))\n\(line(meaning))\n" }
        return page
    }

    private static let variables = [
        ("STAGEHOST_PLUGIN_PATH", "Folders in which plugins are looked up, with colons between them."),
        ("STAGEHOST_STATE_DIR", "Where jobs are kept."),
        (
            "STAGEHOST_BATCH_RECORDS, STAGEHOST_STAGES_NAME_WORKERS, …",
            "Values of the pipeline: below flags, above the file."
        ),
        ("NO_COLOR", "No colours, whatever its value."),
    ]

    private static func section(_ command: CommandSpec) -> String {
        var text = ".SS \(escape(command.usage))\n" + paragraph(command.summary + ".")
        if !command.details.isEmpty { text += ".PP\n" + paragraph(command.details) }
        for option in command.options {
            let names = [option.short.map { "-\($0)" }, "--\(option.long)"].compactMap { $0 }
                .map { "\\fB\(escape($0))\\fR" }.joined(separator: ", ")
            let value = option.valueName.map { " \\fI\(escape($0))\\fR" } ?? ""
            text += ".TP\n\(names)\(value)\n\(line(Help.describe(option)))\n"
        }
        for example in command.examples {
            text += ".PP\nExample: \(escape(example.explanation)):\n.PP\n.RS\n.nf\n\(line(example.command))\n.fi\n.RE\n"
        }
        return text
    }

    private static func paragraph(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? ".PP\n" : line(String($0)) + "\n" }.joined()
    }

    /// A line of text: one that begins with a dot or a quote would be taken for a request.
    private static func line(_ text: String) -> String {
        let escaped = escape(text)
        return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped
    }

    static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "…": result += "..."
            case "`": result += "\\(ga"
            case "~": result += "\\(ti"
            case "^": result += "\\(ha"
            default: result.append(character)
            }
        }
        return result
    }
}
