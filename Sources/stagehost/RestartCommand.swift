import LinuxIO
import StageCommand
import StageControl

/// `stagehost restart JOB STAGE`: new workers for a stage of a running job, also with another build of its plugin.
enum RestartCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            let stage = arguments.argument("STAGE")
            _ = try job.stage(named: stage)
            let plugin = try pluginFile(arguments)
            if let reply = try HostLine(job).tell(.restart(stage: stage, plugin: plugin), isWish: false) {
                return reply.isOK ? .complete : .pluginRefused
            }
            throw CommandFailure(
                "stage \"\(stage)\" cannot be restarted: no host runs job \"\(job.name)\"",
                help: "`stagehost resume \(job.name)` starts it, with new workers", .interrupted)
        }
    }

    /// The host has a working directory of its own: it gets the path from the root.
    private static func pluginFile(_ arguments: ParsedCommand) throws(CommandFailure) -> String? {
        guard let file = arguments.string("plugin") else { return nil }
        guard let path = absolutePath(file), Surroundings.fileExists(path) else {
            throw CommandFailure.noPlugin(file)
        }
        return path
    }
}
