import StageCommand

/// `stagehost completions SHELL`
enum CompletionsCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        guard let shell = Completions.Shell(rawValue: arguments.argument("SHELL")) else { return .usage }
        Console.output(Completions.script(for: shell))
        return .complete
    }
}
