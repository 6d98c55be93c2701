import LinuxIO
import StageCommand
import StageRuntime

/// `stagehost remove JOB`: deletes a job's directory, and nothing that is none.
enum RemoveCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let name = arguments.argument("JOB")
            let folder = try JobFolder.existing(name, arguments)
            do throws(SystemError) {
                guard let directory = try JobDirectory.take(folder) else {
                    throw SystemError("flock", folder, code: 0)
                }
                // The record goes last: what an interrupted removal leaves is still known as a job.
                for entry in try namesIn(folder) where entry != JobLayout.job { try removeTree(folder + "/" + entry) }
                try removeTree(folder)
                _ = consume directory
            } catch {
                guard error.code != 0 else {
                    throw CommandFailure(
                        "job \"\(name)\" cannot be removed while it runs",
                        found: "a lock on \(folder)/\(JobLayout.lock)", help: "stop it with Ctrl-C there",
                        .cannotCreate)
                }
                throw CommandFailure("job \"\(name)\" cannot be removed: \(error)", .inputOutput)
            }
            Screen.show(["\(name): removed"])
            return .complete
        }
    }
}
