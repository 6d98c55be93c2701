import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageLog
import StageModel
import StageReport
import StageRuntime
import StageScheduler

/// A worker on a record, with the time and the memory that the stage gives it.
struct ReproRun {
    private let folder: ReproFolder
    private let subject: ReproSubject

    init(_ folder: ReproFolder, _ subject: ReproSubject) {
        self.folder = folder
        self.subject = subject
    }

    func run() throws(CommandFailure) -> ExitCode {
        do throws(SystemError) {
            let end = try work()
            let answer = try Reproduction.answer(in: folder.answers)
            let (words, fails) = verdict(end, answer)
            Console.error("now: " + words)
            return fails ? .stageGaveUp : .complete
        } catch {
            throw CommandFailure("the worker cannot be run: \(error)", .inputOutput)
        }
    }

    private enum End {
        case exited(Int32)
        case signal(Int32)
        case timeout
        case memory
    }

    private func work() throws(SystemError) -> End {
        var environment = Surroundings.environment.filter { $0.key != "STAGEHOST_RUN" && $0.key != "SWIFT_BACKTRACE" }
        environment["STAGEHOST_HOST_PID"] = "\(getpid())"
        environment["SWIFT_BACKTRACE"] = "enable=no"
        let requests = try Descriptor.open(folder.requests, flags: O_RDONLY)
        let answers = try Descriptor.open(folder.answers, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let page = try Descriptor.open(folder.page, flags: O_RDWR)
        let child = try ChildProcess.spawn(
            RunSetup.workerProgram, arguments: [folder.plugin], environment: environment.map { "\($0.key)=\($0.value)" },
            descriptors: [requests.number, answers.number, STDERR_FILENO, page.number], directory: subject.directory)
        defer { child.killGroup() }
        let timeout = subject.settings.timeout.value.nanoseconds
        let deadline = timeout == 0 ? UInt64.max : monotonicNanoseconds() + timeout
        let memory = subject.settings.memory.value.map { UInt64(clamping: $0) }
        while true {
            if let status = child.reap() {
                switch status {
                case .exited(let code): return .exited(code)
                case .signaled(let number, _): return .signal(number)
                }
            }
            if monotonicNanoseconds() >= deadline { return .timeout }
            if let memory, let found = ProcessMemory(of: child.pid), found.residentBytes > memory { return .memory }
            rest(milliseconds: 5)
        }
    }

    /// What happened, in words, and whether it is a failure.
    private func verdict(_ end: End, _ answer: Reproduction.Answer) -> (String, Bool) {
        switch end {
        case .signal(let number): return ("the worker was killed by signal \(number) (\(signalName(number)))", true)
        case .timeout: return ("no answer within the timeout of the stage: killed", true)
        case .memory: return ("above the memory limit of the stage: killed", true)
        case .exited(let code):
            switch answer {
            case .none: return ("the worker exited with code \(code) on its own", true)
            case .refused(let message): return ("the plugin was refused, or could not be opened: \(PrintableText.line(message, limit: 400))", true)
            case .passed(let records):
                let lines = records.prefix(5).map {
                    "\n  \(PrintableText.line($0.key, limit: 60)): \(PrintableText.line($0.value, limit: 200))"
                }
                return ("it passes; \(records.count) \(records.count == 1 ? "record comes" : "records come") out\(lines.joined())", false)
            case .filtered: return ("it passes; nothing comes out", false)
            case .failed(let isTransient, let message):
                return ("the record fails (\(isTransient ? "transient" : "permanent")): \(PrintableText.line(message, limit: 400))", true)
            case .status(let word, let message):
                return ("the plugin answers \(word): \(PrintableText.line(message, limit: 400))", true)
            case .garbage(let what): return ("the worker sent garbage: \(PrintableText.line(what, limit: 400))", true)
            }
        }
    }
}
