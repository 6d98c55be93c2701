import StageCommand

/// `stagehost man`
enum ManCommand {
    static func run(_ arguments: ParsedCommand, version: String) -> ExitCode {
        Console.output(ManPage.text(version: version))
        return .complete
    }
}
