import StageCommand
import StageReport

/// `stagehost status JOB`
enum StatusCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let status = try StoredJob.named(arguments).status()
            if arguments.has("json") { Screen.show(status.json) } else { Screen.show(status.lines(width: Screen.width)) }
            return .complete
        }
    }
}
