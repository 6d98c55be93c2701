import StageCommand
import StageControl

/// `stagehost stop JOB`: what is in hand is finished, and the job is over for good.
enum StopCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let line = HostLine(try StoredJob.named(arguments))
            if let reply = try line.tell(.stop, isWish: true) { return reply.isOK ? .complete : .interrupted }
            let job = try StoredJob.named(arguments)
            switch job.rest {
            case .complete: Screen.show(["\(job.name): complete, nothing to stop"])
            case .stopped: Screen.show(["\(job.name): stopped already; `stagehost run PIPELINE --fresh` starts it over"])
            case .paused, .unfinished:
                try line.note(.stop)
                Screen.show(["\(job.name): stopped for good; `stagehost run PIPELINE --fresh` starts it over"])
            }
            return .complete
        }
    }
}
