import StageCommand
import StageControl

/// `stagehost pause JOB`: what is in hand is finished, and nothing more begun before `stagehost resume`.
enum PauseCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let line = HostLine(try StoredJob.named(arguments))
            if let reply = try line.tell(.pause(release: arguments.has("release")), isWish: true) {
                return reply.isOK ? .complete : .interrupted
            }
            let job = try StoredJob.named(arguments)
            switch job.rest {
            case .complete: Screen.show(["\(job.name): complete, nothing to pause"])
            case .stopped: throw .stopped(job.name)
            case .paused: Screen.show(["\(job.name): paused already; `stagehost resume \(job.name)` goes on"])
            case .unfinished:
                try line.note(.pause)
                Screen.show(["\(job.name): paused; no host runs it, and none begins before `stagehost resume \(job.name)`"])
            }
            return .complete
        }
    }
}
