import LinuxIO
import StageCommand
import StageConfig
import StageControl
import StageReport
import StageRuntime

/// `stagehost retry JOB`: dead letters go through their stage again, and on to the sink.
enum RetryCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            guard try mayRun(job) else { throw .stopped(job.name) }
            let choice = try LetterChoice(arguments, job)
            let letters = try choice.letters()
            guard !letters.isEmpty else {
                Screen.show(["\(job.name): no dead letters to try again"])
                return .complete
            }
            if arguments.has("dry-run") {
                Screen.show(["\(job.name): would try again: \(choice.words(letters))"])
                return .complete
            }
            let stages = try job.requirePipeline().stages.map(\.name.value)
            let plugin = try otherPlugin(arguments, job)
            if job.isRunning {
                guard plugin == nil else { throw .swapFirst(job.name, arguments) }
                if let isWell = try HostLine(job).tell(letters, stages: stages, { .retry(stage: $0, letters: $1) }) {
                    return isWell ? .complete : .cannotCreate
                }
            }
            // No host, or it has just gone: the letters are looked for again, now that nobody else touches them.
            var runner = try ResumeCommand.runner(for: StoredJob(name: job.name, folder: job.folder), arguments)
            if let plugin { runner.use(plugin.path, for: plugin.stage) }
            runner.retried = choice
            return try runner.run()
        }
    }

    private static func mayRun(_ job: StoredJob) throws(CommandFailure) -> Bool {
        if case .stopped = job.rest { return false }
        return true
    }

    /// Another build of the plugin whose letters are tried again.
    private static func otherPlugin(_ arguments: ParsedCommand, _ job: StoredJob) throws(CommandFailure)
        -> (stage: Int, path: String)?
    {
        guard let file = arguments.string("plugin") else { return nil }
        guard let name = arguments.string("stage") else {
            throw CommandFailure(
                "--plugin does not say for which stage", help: "give --stage STAGE with it", .usage)
        }
        let stage = try job.stage(named: name)
        guard let path = absolutePath(file), Surroundings.fileExists(path) else { throw .noPlugin(file) }
        return (stage, path)
    }
}

extension CommandFailure {
    fileprivate static func swapFirst(_ job: String, _ arguments: ParsedCommand) -> CommandFailure {
        CommandFailure(
            "job \"\(job)\" is running: its plugin is not replaced by the way",
            help:
                "`stagehost restart \(job) \(arguments.string("stage") ?? "STAGE") --plugin \(arguments.string("plugin") ?? "FILE")`, then `stagehost retry \(job)`",
            .usage)
    }

    static func noPlugin(_ file: String) -> CommandFailure {
        CommandFailure(
            "there is no plugin \(file)", expected: "the file of a build: libstage-NAME.so", help: "give its path with --plugin",
            .pluginRefused)
    }
}
