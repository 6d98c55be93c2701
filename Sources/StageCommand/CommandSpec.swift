/// All there is to know of one command: parsing, help, completions and the manual are made from it.
package struct CommandSpec: Sendable {
    /// One word, or two for a command below another: "plugins show".
    package var name: String
    /// One line, without a full stop.
    package var summary: String
    /// Some sentences for the long help; paragraphs are separated by empty lines.
    package var details: String
    package var arguments: [ArgumentSpec]
    package var options: [OptionSpec]
    package var examples: [CommandExample]
    /// Whether the command can be used; others are neither shown nor parsed.
    package var isAvailable: Bool

    package init(
        _ name: String, _ summary: String, details: String = "", arguments: [ArgumentSpec] = [],
        options: [OptionSpec] = [], examples: [CommandExample], isAvailable: Bool
    ) {
        self.name = name
        self.summary = summary
        self.details = details
        self.arguments = arguments
        self.options = options
        self.examples = examples
        self.isAvailable = isAvailable
    }

    /// The options of the command and those that every command has.
    package var allOptions: [OptionSpec] { options + [.helpOption] }

    package func option(long: String) -> OptionSpec? { allOptions.first { $0.long == long } }
    package func option(short: Character) -> OptionSpec? { allOptions.first { $0.short == short } }

    /// "stagehost run [options] PIPELINE"
    package var usage: String {
        (["stagehost", name, "[options]"] + arguments.map(\.usage)).joined(separator: " ")
    }
}

package struct CommandExample: Sendable {
    package var command: String
    /// What it does, without a full stop.
    package var explanation: String

    package init(_ command: String, _ explanation: String) {
        self.command = command
        self.explanation = explanation
    }
}

/// Something that stands on the command line without a name.
package struct ArgumentSpec: Sendable {
    package enum Form: Sendable, Equatable {
        case file, job, stage, text
        case choice([String])
    }

    /// In capitals: "PIPELINE".
    package var name: String
    package var help: String
    package var form: Form
    package var isRequired: Bool

    package init(_ name: String, _ help: String, form: Form = .text, isRequired: Bool = true) {
        self.name = name
        self.help = help
        self.form = form
        self.isRequired = isRequired
    }

    var usage: String { isRequired ? name : "[\(name)]" }
}

/// One option: `--long VALUE` or `-s VALUE`.
package struct OptionSpec: Sendable {
    package enum Form: Sendable, Equatable {
        /// Given or not; takes no value.
        case flag
        case text
        case file
        case folder
        /// A whole number, 0 or more.
        case count
        /// "55m": checked when the command line is parsed.
        case duration
        case choice([String])
    }

    /// Without the dashes.
    package var long: String
    package var short: Character?
    /// In capitals; nil for a flag.
    package var valueName: String?
    package var form: Form
    package var help: String
    package var isRepeated: Bool
    package var fallback: String?

    package init(
        _ long: String, _ short: Character? = nil, _ valueName: String? = nil, form: Form = .flag,
        repeated: Bool = false,
        default fallback: String? = nil, help: String
    ) {
        self.long = long
        self.short = short
        self.valueName = valueName
        self.form = valueName != nil && form == .flag ? .text : form
        self.help = help
        isRepeated = repeated
        self.fallback = fallback
    }

    var takesValue: Bool { form != .flag }

    /// "-s, --long VALUE"
    package var usage: String {
        let name = (short.map { "-\($0), " } ?? "    ") + "--\(long)"
        return valueName.map { "\(name) \($0)" } ?? name
    }

    static let helpOption = OptionSpec("help", "h", help: "Print help: -h in short, --help in full")
}
