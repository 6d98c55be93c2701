import Foundation
import LinuxIO
import Testing

/// How a program ended, and what it said on both outputs.
struct Ended {
    /// The exit code; minus the number of the signal that killed it.
    var code: Int32
    var output: String
}

/// A running `stagehost`, or another program that belongs to a job.
final class Host {
    private let process: ChildProcess
    private let outputPath: String
    private let job: Job
    private var ended: Ended?

    init(_ program: String, _ arguments: [String], folder: String, output: String, environment: [String], of job: Job) throws {
        outputPath = output
        self.job = job
        let nothing = try Descriptor.open("/dev/null", flags: O_RDONLY)
        let words = try Descriptor.open(output, flags: O_WRONLY | O_CREAT | O_APPEND)
        process = try ChildProcess.spawn(
            program, arguments: arguments, environment: environment,
            descriptors: [nothing.number, words.number, words.number], directory: folder)
    }

    deinit {
        guard ended == nil else { return }
        process.signal(SIGKILL)
        _ = hasEnded(within: 10_000)
    }

    var pid: Int32 { process.pid }

    /// What it has said so far.
    var output: String { String(decoding: FileManager.default.contents(atPath: outputPath) ?? Data(), as: UTF8.self) }

    func signal(_ number: Int32) { process.signal(number) }

    /// Waits until it has ended, but no longer than so many milliseconds.
    func hasEnded(within milliseconds: Int32) -> Bool {
        if ended != nil { return true }
        var wait = pollfd(fd: process.pidfd.number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&wait, 1, milliseconds) == 1, let status = process.reap() else { return false }
        switch status {
        case .exited(let code): ended = Ended(code: code, output: output)
        case .signaled(let signal, _): ended = Ended(code: -signal, output: output)
        }
        return true
    }

    /// Waits for its end. One that does not come is an error, and the host is killed.
    func wait(seconds: Double = 60) throws -> Ended {
        if hasEnded(within: Int32(seconds * 1000)), let ended { return ended }
        process.signal(SIGKILL)
        _ = hasEnded(within: 10_000)
        throw Overdue(what: "the end of the host", seconds: seconds, output: ended?.output ?? "")
    }

    /// kill -9, and waits until it is dead.
    func killHard() {
        process.signal(SIGKILL)
        _ = hasEnded(within: 10_000)
    }

    /// Waits for a condition. The end of the host before that is an error.
    func until(_ what: String, seconds: Double = 30, _ condition: () throws -> Bool) throws {
        let patience = Patience(seconds: seconds)
        while try !condition() {
            if hasEnded(within: 3) {
                if try condition() { return }
                throw Overdue(what: what + ", before its end", seconds: seconds, output: ended?.output ?? "")
            }
            guard patience.lasts else {
                throw Overdue(what: what, seconds: seconds, output: output)
            }
        }
    }

    /// The processes of its workers; with a name, of those that run that plugin.
    func workers(of plugin: String = "") -> [Int32] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        let children = tasks.flatMap { task in
            String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/task/\(task)/children") ?? Data(), as: UTF8.self)
                .split(separator: " ").compactMap { Int32($0) }
        }
        return children.filter { child in
            let words = String(decoding: FileManager.default.contents(atPath: "/proc/\(child)/cmdline") ?? Data(), as: UTF8.self)
            return words.contains("stagehost-worker\0") && (plugin.isEmpty || words.contains(plugin))
        }
    }

    /// A line of /proc/PID/status, in bytes: VmRSS, VmHWM.
    func memory(_ name: String) -> Int? {
        let text = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/status") ?? Data(), as: UTF8.self)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name + ":") }) else { return nil }
        return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }

    var descriptors: Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? 0 }
}

/// Something that did not happen in time.
struct Overdue: Error, CustomStringConvertible {
    var what: String
    var seconds: Double
    var output: String
    var description: String { "waited \(seconds) s in vain for \(what); the output was:\n\(output)" }
}

/// How long to look for something that must come.
struct Patience {
    private let end: UInt64

    init(seconds: Double) { end = monotonicNanoseconds() + UInt64(seconds * 1e9) }

    var lasts: Bool { monotonicNanoseconds() < end }

    /// Between two looks.
    func rest() { _ = poll(nil, 0, 3) }
}

enum Programs {
    /// Where the programs and the plugins are: beside the tests.
    static let folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    static func find(_ names: String...) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for name in names {
            for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        return nil
    }

    /// Runs a program of the system to its end.
    static func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
