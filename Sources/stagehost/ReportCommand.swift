import LinuxIO
import StageCommand
import StageReport

/// `stagehost report JOB`: what became of a job, for people, as JSON or as a page.
enum ReportCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            _ = try job.requirePipeline()
            let report = ReportFiles.report(try job.status().json, job.history, of: job)
            if let path = arguments.string("html") {
                try orFail(path) { () throws(SystemError) in
                    try writeFileAtomically(path, Array(report.html.utf8), durable: false)
                }
                if !arguments.has("json") { return .complete }
            }
            if arguments.has("json") { Screen.show(report.json) } else { Screen.show(report.lines(width: Screen.width)) }
            return .complete
        }
    }
}
