import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageLog
import StageModel
import StageReport
import StageRuntime
import StageScheduler

/// `stagehost repro JOB LETTER`: the very record, in the very build of the plugin, alone. The job is only looked at.
enum ReproCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            let subject = try ReproSubject(job, arguments)
            if let folder = arguments.string("export") {
                guard let path = absolutePath(folder) ?? newFolder(folder) else {
                    throw CommandFailure("the folder \(folder) cannot be made", .cannotCreate)
                }
                let repro = try subject.write(to: path)
                Screen.show(["letter \(subject.letter.number) of \(job.name) is in \(repro.path): `\(repro.path)/run.sh` runs it"])
                return .complete
            }
            let folder = "/tmp/stagehost-repro-\(getpid())-\(subject.letter.number)"
            defer { try? removeTree(folder) }
            let repro = try subject.write(to: folder)
            for line in subject.lines { Console.error(line) }
            for tool in ["gdb", "valgrind"] where arguments.has(tool) { return try run("--" + tool, repro) }
            return try ReproRun(repro, subject).run()
        }
    }

    private static func newFolder(_ folder: String) -> String? {
        guard (try? createFolders(folder)) != nil else { return nil }
        return absolutePath(folder)
    }

    /// Hands the terminal to a tool.
    private static func run(_ tool: String, _ repro: ReproFolder) throws(CommandFailure) -> ExitCode {
        let environment = Surroundings.environment.map { "\($0.key)=\($0.value)" }
        do throws(SystemError) {
            let child = try ChildProcess.spawn(
                "/bin/sh", arguments: [repro.path + "/run.sh", tool], environment: environment, descriptors: [0, 1, 2],
                directory: nil)
            takeTerminal(child.pid)
            defer { takeTerminal(getpgrp()) }
            while true {
                if let status = child.reap() {
                    guard case .exited(let code) = status else { return .stageGaveUp }
                    return code == 0 ? .complete : ExitCode(rawValue: code) ?? .stageGaveUp
                }
                rest(milliseconds: 20)
            }
        } catch {
            throw CommandFailure("\(tool.dropFirst(2)) cannot be started: \(error)", .inputOutput)
        }
    }

    /// Makes a process group that of the terminal, so that it may read from it.
    private static func takeTerminal(_ group: Int32) {
        guard isatty(STDIN_FILENO) == 1 else { return }
        signal(SIGTTOU, SIG_IGN)
        _ = tcsetpgrp(STDIN_FILENO, group)
    }
}
