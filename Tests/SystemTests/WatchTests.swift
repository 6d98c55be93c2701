import Foundation
import LinuxIO
import Testing

/// Commands that follow a job while it runs.
@Suite struct WatchTests {
    private static func slow(_ records: Int = 400) throws -> Job {
        try Job(
            records,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(#"do: "segfault", when: { ids: [41, 130] }, each_ms: 2"#, #"restart: { max: 100, backoff: "1ms" }"#),
                Stages.write, options: "batch: { records: 20 },"))
    }

    @Test func watchWithoutATerminalEndsWithItsJob() throws {
        let job = try Self.slow()
        let host = try job.start()
        try host.until("the first status") { job.status() != nil }
        let watched = try job.command("watch", "job")
        #expect(watched.code == 0 && watched.output.contains(" | failed ") && watched.output.contains("job: complete"))
        #expect(!watched.output.contains("\u{1B}"))
        #expect(try host.wait().code == 0)
        // Of a job that is over there is nothing to watch, but something to see.
        #expect(try job.command("watch", "job").output.hasPrefix("job: complete"))
    }

    @Test func followedEventsEndWithTheJobAndMissNothing() throws {
        let job = try Self.slow()
        let host = try job.start()
        try host.until("the first event") { !job.events("job_started").isEmpty }
        let followed = try job.command("events", "job", "--json", "--follow")
        #expect(try host.wait().code == 0)
        #expect(followed.output.split(separator: "\n").map(String.init) == job.lines(".stagehost/job/events.jsonl"))
        #expect(followed.output.contains("job_finished"))
    }

    @Test func followedLogsGoOnOverARotationAndStayBounded() throws {
        let job = try Job(
            6, Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "flood-stdout", mib: 9, each_ms: 300"#), Stages.write, options: "batch: { records: 1 },"))
        let host = try job.start()
        try host.until("the first words") { !job.data(".stagehost/job/text/trouble.log").isEmpty }
        let followed = try job.command("logs", "job", "trouble", "--follow")
        #expect(try host.wait().code == 0)
        #expect(followed.output.utf8.count > 53 << 20, "\(followed.output.utf8.count)")
        let kept = job.data(".stagehost/job/text/trouble.log").count + job.data(".stagehost/job/text/trouble.log.1").count
        #expect(kept < 40 << 20)
        #expect(try job.command("logs", "job", "trouble", "--lines", "1").output.utf8.count < 1 << 20)
    }

    @Test func aFollowerThatWasHeldUpReadsWhatWasRotatedMeanwhile() throws {
        let job = try Job(100_000, InterruptTests.slow)
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        // Its plugin says nothing: all of this is the test's.
        let log = ".stagehost/job/text/slow.log"
        func rotate(_ text: String) throws {
            let older = job.path(log + ".1")
            try? FileManager.default.removeItem(atPath: older)
            try FileManager.default.moveItem(atPath: job.path(log), toPath: older)
            try job.write(log, text)
        }
        try job.write(log, "one\n")
        try rotate("two\n")
        let follower = try job.begin("logs", "job", "slow", "--follow")
        try follower.until("both files") { follower.output == "one\ntwo\n" }
        follower.signal(SIGSTOP)
        try rotate("three\n")
        try rotate("four\n")
        follower.signal(SIGCONT)
        try follower.until("the file between, and the last") { follower.output == "one\ntwo\nthree\nfour\n" }
        #expect(try job.command("logs", "job", "slow", "--lines", "1").output == "four\n")
        host.signal(SIGINT)
        #expect(try host.wait().code == 75)
        #expect(try follower.wait().code == 0)
    }

    @Test(.enabled(if: Programs.find("tmux") != nil, "tmux is not here: install it to have the live table looked at"))
    func theLiveTableFitsItsTerminalAndLeavesNothingBehind() throws {
        // Long enough for all that is looked at here, on any machine; it is ended when that has been seen.
        let job = try Self.slow(200_000)
        let terminal = try Terminal(in: job)
        let watched = try job.start()
        try watched.until("the first status") { job.status() != nil }
        try terminal.type("clear; echo before; \(Programs.folder)/stagehost watch job; echo \"exit $?\"")
        try terminal.until("the table") { $0.contains("trouble") && $0.contains("records/s") && $0.contains("q quits") }
        let wide = try terminal.screen()
        #expect(wide.contains("workers") && wide.contains("crashes") && !wide.contains("before"))
        try terminal.resize(columns: 44)
        try terminal.until("the narrow table") { !$0.contains("workers") && $0.contains("failed") && $0.contains("q quits") }
        let narrow = try terminal.screen()
        #expect(narrow.split(separator: "\n").allSatisfy { $0.count <= 44 })
        #expect(narrow.split(separator: "\n").count(where: { $0.hasPrefix("trouble") }) == 1, "\(narrow)")
        try terminal.type("q", enter: false)
        // The shell has its screen again: what a terminal makes of the old one after it was resized is its own affair.
        try terminal.until("its end") { $0.contains("exit 0") && !$0.contains("q quits") }
        watched.signal(SIGINT)
        #expect(try watched.wait().code == 75)
    }
}

/// A terminal without anybody before it: a tmux server of its own.
final class Terminal {
    private let socket: String
    private let output: String
    private let tmux: String

    init(in job: Job) throws {
        tmux = Programs.find("tmux") ?? "tmux"
        socket = job.path("tmux.socket")
        output = job.path("tmux.output")
        try run("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", "150", "-y", "24", "-c", job.folder, "env", "PS1=$ ", "sh")
    }

    deinit { close() }

    func close() { _ = try? run("kill-server") }

    /// Not by `Process`: the server would keep, for good, the pipes that other tests have open at this moment.
    @discardableResult
    private func run(_ arguments: String...) throws -> String {
        try? FileManager.default.removeItem(atPath: output)
        let nothing = try Descriptor.open("/dev/null", flags: O_RDONLY)
        let words = try Descriptor.open(output, flags: O_WRONLY | O_CREAT | O_APPEND)
        let child = try ChildProcess.spawn(
            tmux, arguments: ["-S", socket] + arguments, environment: ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" },
            descriptors: [nothing.number, words.number, words.number], directory: nil)
        var wait = pollfd(fd: child.pidfd.number, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&wait, 1, 20_000)
        let said = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
        guard child.reap() == .exited(0) else { throw Overdue(what: "tmux \(arguments)", seconds: 20, output: said) }
        return said
    }

    func type(_ keys: String, enter: Bool = true) throws {
        try run("send-keys", "-t", "t", "-l", keys)
        if enter { try run("send-keys", "-t", "t", "Enter") }
    }

    func resize(columns: Int) throws { try run("resize-window", "-t", "t", "-x", "\(columns)", "-y", "24") }

    func screen() throws -> String { try run("capture-pane", "-p", "-t", "t") }

    func until(_ what: String, _ condition: (String) -> Bool) throws {
        let patience = Patience(seconds: 30)
        while !condition(try screen()) {
            guard patience.lasts else { throw Overdue(what: what, seconds: 30, output: try screen()) }
            patience.rest()
        }
    }
}
