/// A command line that was understood.
package struct ParsedCommand: Sendable {
    package let command: CommandSpec
    /// By name: "PIPELINE".
    package var arguments: [String: String]
    private(set) var values: [String: [String]]

    package init(command: CommandSpec, arguments: [String: String] = [:], values: [String: [String]] = [:]) {
        self.command = command
        self.arguments = arguments
        self.values = values
    }

    /// An argument that the command requires; the parser has seen to it that it is there.
    package func argument(_ name: String) -> String { arguments[name] ?? "" }

    package func optionalArgument(_ name: String) -> String? { arguments[name] }

    /// Whether an option was given.
    package func has(_ long: String) -> Bool { values[long] != nil }

    /// The value of an option, or the default that the table gives it.
    package func string(_ long: String) -> String? { values[long]?.last ?? command.option(long: long)?.fallback }

    /// All values of an option that may be repeated, in order.
    package func strings(_ long: String) -> [String] { values[long] ?? [] }

    /// The value of an option whose form is `count`.
    package func count(_ long: String) -> Int? { values[long]?.last.flatMap { Int($0) } }
}

/// What a command line turned out to be.
package enum ParseOutcome: Sendable {
    case command(ParsedCommand)
    /// Text for the standard output; then exit 0.
    case help(String)
    case version
    /// Exit 64.
    case failure(UsageError)
}

/// A command line that makes no sense.
package struct UsageError: Error, Sendable, Equatable {
    package var message: String
    /// One thing to do.
    package var help: String

    package init(_ message: String, help: String) {
        self.message = message
        self.help = help
    }

    /// Two lines without a newline at the end.
    package func rendered() -> String { "error: \(Help.printable(message))\n  = help: \(Help.printable(help))" }
}
