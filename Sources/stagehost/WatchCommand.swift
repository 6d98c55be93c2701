import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageReport
import StageRuntime

/// `stagehost watch JOB`: the live table of a job, from any terminal, until its host is gone or somebody has seen enough.
enum WatchCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            if LiveScreen.isUsable(STDOUT_FILENO) {
                try orFail(job.folder) { () throws(SystemError) in try Watcher(job).run() }
            } else {
                watchAsLines(job)
            }
            let end = try StoredJob.named(arguments)
            Screen.show(try end.status().lines(width: Screen.width))
            if !end.isRunning, end.rest == .unfinished {
                Screen.show(["no host runs it; `stagehost resume \(end.name)` goes on"])
            }
            return .complete
        }
    }

    /// Where there is no terminal: a line every few seconds.
    private static func watchAsLines(_ job: StoredJob) {
        while JobDirectory.isTaken(job.folder) {
            if let status = job.hostStatus(timeoutSeconds: 2) ?? job.lastWord { Screen.show([StatusView(status).line]) }
            var left = 30
            while left > 0, JobDirectory.isTaken(job.folder) {
                rest(milliseconds: 100)
                left -= 1
            }
        }
    }
}

/// One session at a terminal: draws five times a second, and at once when the window changes.
private final class Watcher {
    private static let pauseMilliseconds: Int32 = 200
    private static let shownIncidents = 8

    private let job: StoredJob
    private let screen = LiveScreen(STDOUT_FILENO, .full)
    private let signals: SignalReader
    private let events: FollowedFile
    private var table = LiveTable()
    private var incidents: [StyledLine] = []
    private var eventLine: [UInt8] = []
    private let startedAt = monotonicNanoseconds()

    init(_ job: StoredJob) throws(SystemError) {
        self.job = job
        signals = try SignalReader([SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP])
        events = FollowedFile(job.folder + "/" + JobLayout.events, tailBytes: 64 << 10)
    }

    func run() {
        let keys = KeyInput()
        defer { screen.close() }
        while JobDirectory.isTaken(job.folder) {
            draw()
            guard wait(keys) else { return }
        }
    }

    /// - Returns: Whether to go on.
    private func wait(_ keys: borrowing KeyInput?) -> Bool {
        let hasKeys = keys != nil
        var waits = [
            pollfd(fd: signals.descriptor.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: hasKeys ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&waits, nfds_t(waits.count), Self.pauseMilliseconds)
        while let signal = signals.next() {
            switch signal {
            case SIGWINCH: continue
            case SIGTSTP:
                screen.close()
                keys?.restore()
                kill(getpid(), SIGSTOP)
                keys?.resume()
            default: return false
            }
        }
        guard waits[1].revents != 0, let typed = keys?.read() else { return true }
        // An end of input is a terminal that has gone.
        return !typed.isEmpty && !typed.contains { "qQ\u{3}\u{4}".utf8.contains($0) }
    }

    private func draw() {
        let (columns, rows) = screen.size
        guard let status = job.hostStatus(timeoutSeconds: 1) ?? job.lastWord else {
            screen.draw([StyledLine("\(job.name): starting", .heading)])
            return
        }
        let view = StatusView(status)
        table.update(view, seconds: Double(monotonicNanoseconds() - startedAt) / 1e9)
        readEvents()
        var head = StyledLine(job.name, .heading)
        head.add("  " + view.state, view.state == "running" ? .good : .attention)
        if view.atRisk > 0 { head.add("  at risk \(HumanNumbers.count(view.atRisk))", .quiet) }
        if let message = view.message { head.add("  " + PrintableText.line(message)) }
        var lines = [head] + table.lines(view, columns: columns)
        for stage in view.stages {
            if let message = stage.message { lines.append(StyledLine("\(stage.name): \(PrintableText.line(message))", .bad)) }
        }
        let room = rows - lines.count - 3
        if room > 0, !incidents.isEmpty { lines += [StyledLine()] + incidents.suffix(room) }
        if rows > lines.count + 1 { lines += [StyledLine(), StyledLine("q quits; the job goes on", .quiet)] }
        screen.draw(lines)
    }

    /// The latest of what went wrong, or was done by hand.
    private func readEvents() {
        events.readMore { piece in
            var rest = piece[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                if eventLine.count < 1 << 16 { eventLine += rest[..<end] }
                take(eventLine)
                eventLine = []
                rest = rest[(end + 1)...]
            }
            if eventLine.count < 1 << 16 { eventLine += rest }
        }
    }

    private func take(_ line: [UInt8]) {
        guard case .success(let node) = ConfigParser.parse(SourceText(name: "events", bytes: line)) else { return }
        let facts = LenientObject(node.plain)
        guard let event = facts.text("event"), let at = facts.text("at"), !["worker_restarted", "job_started"].contains(event),
            let words = JobHistory.words(event, facts)
        else { return }
        var shown = StyledLine(String(at.dropFirst(11).prefix(8)) + "  ", .quiet)
        if let stage = facts.text("stage") { shown.add(PrintableText.line(stage) + "  ") }
        shown.add(PrintableText.line(words, limit: 300), ["poison_found", "stage_gave_up"].contains(event) ? .bad : .plain)
        incidents = (incidents + [shown]).suffix(Self.shownIncidents)
    }
}
