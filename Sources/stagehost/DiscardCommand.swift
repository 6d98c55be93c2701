import LinuxIO
import StageCommand
import StageConfig
import StageControl
import StageLog
import StageModel
import StageReport
import StageRuntime
import StageScheduler

/// `stagehost discard JOB`: dead letters are given up for good; they stay countable, and are listed no more.
enum DiscardCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            let choice = try LetterChoice(arguments, job)
            let letters = try choice.letters()
            guard !letters.isEmpty else {
                Screen.show(["\(job.name): no dead letters to discard"])
                return .complete
            }
            if arguments.has("dry-run") {
                Screen.show(["\(job.name): would discard: \(choice.words(letters))"])
                return .complete
            }
            let stages = try job.requirePipeline().stages.map(\.name.value)
            if job.isRunning,
                let isWell = try HostLine(job).tell(letters, stages: stages, { .discard(stage: $0, letters: $1) })
            {
                return isWell ? .complete : .interrupted
            }
            Screen.show(["\(job.name): discarded: \(choice.words(try discard(choice, job)))"])
            return .complete
        }
    }

    /// Nobody else has the job: its logs are opened as a host would, and closed again.
    private static func discard(_ choice: LetterChoice, _ job: StoredJob) throws(CommandFailure) -> [Int: LetterNumbers] {
        guard let directory = try? JobDirectory.take(job.folder) else {
            throw CommandFailure(
                "job \"\(job.name)\" is taken, and nobody there listens", found: "a lock on \(job.folder)/\(JobLayout.lock)",
                help: "wait until that process is done with it, and give the command again", .interrupted)
        }
        let policies = RunSetup.policy(try job.requirePipeline(), limit: nil, skip: 0).stages
        do throws(LogError) {
            let logs = try JobLogs(folder: job.folder + "/" + JobLayout.logs, policies: policies)
            let log = try LetterLog(folder: job.folder + "/" + JobLayout.letters)
            let recovery = try logs.recovery()
            let desk = LetterDesk(logs: logs, letters: log)
            try desk.check()
            let letters = try choice.letters(LetterList(log, claimedBy: logs, recovery))
            for (stage, numbers) in letters { _ = try desk.discard(numbers, stage: stage) }
            _ = consume directory
            return letters
        } catch {
            throw CommandFailure(error, job: job.name)
        }
    }
}
