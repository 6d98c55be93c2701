import StageCommand
import StageConfig
import StageReport

/// `stagehost metrics JOB`: once, to the standard output.
enum MetricsCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            _ = try job.requirePipeline()
            var status = job.hostStatus(timeoutSeconds: 2)
            if status == nil { status = try job.status().json }
            Console.output(MetricsText.of(status ?? .null, job.history, isOpenMetrics: arguments.has("openmetrics")))
            return .complete
        }
    }
}
