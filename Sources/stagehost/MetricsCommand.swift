import StageCommand
import StageReport

/// `stagehost metrics JOB`: once, to the standard output.
enum MetricsCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            _ = try job.requirePipeline()
            Console.output(MetricsText.of(try job.status().json, job.history, isOpenMetrics: arguments.has("openmetrics")))
            return .complete
        }
    }
}
