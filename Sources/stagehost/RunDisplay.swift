import Glibc
import LinuxIO
import StageConfig
import StageReport
import StageRuntime
import StageScheduler

/// Shows a run to whoever watches: a live table on a terminal, a line every few seconds elsewhere; and writes the events, the
/// status, the history and the metrics.
final class RunDisplay: HostObserver {
    /// Where things are written.
    struct Files {
        var status: String
        var history: String
        /// nil: no metrics are wanted.
        var metrics: String?
    }

    private let job: String
    private let plugins: [String]
    private let stageNames: [String]
    private let events: EventFile
    let history: JobHistory
    private let files: Files
    private let screen: LiveScreen?
    private let isQuiet: Bool
    private let isVerbose: Bool
    private let startedAt = monotonicNanoseconds()
    private var progress = Progress()
    private var table = LiveTable()
    private var nextLineAt: UInt64
    private var nextDrawAt: UInt64 = 0
    private var nextStatusAt: UInt64 = 0
    private var nextHistoryAt: UInt64 = 0
    private var nextMetricsAt: UInt64 = 0
    private var saidThatMetricsFail = false
    private(set) var last: JobStatus?
    /// What this run need not do again.
    var saved = Saved()
    /// Called about once a second, when the status is written.
    var onStatus: () -> Void = {}
    /// Called when another build serves a stage, or does no longer.
    var onBuild: (_ stage: Int, PluginBuild, BuildNews) -> Void = { _, _, _ in }

    /// Called when the pipeline file is to be read again: what is to hold from now on, or nil.
    var onReread: () -> JobPolicy? = { nil }
    /// Called when somebody asks for a pause or for its end.
    var onPause: (Bool) -> Void = { _ in }

    private static let lineEveryNanoseconds: UInt64 = 3_000_000_000
    private static let drawEveryNanoseconds: UInt64 = 200_000_000
    private static let statusEveryNanoseconds: UInt64 = 1_000_000_000
    private static let historyEveryNanoseconds: UInt64 = 5_000_000_000
    private static let metricsEveryNanoseconds: UInt64 = 2_000_000_000

    init(
        job: String, stages: [(name: String, plugin: String)], events: EventFile, history: JobHistory, files: Files, isQuiet: Bool,
        isVerbose: Bool
    ) {
        self.job = job
        plugins = stages.map(\.plugin)
        stageNames = stages.map(\.name)
        self.events = events
        self.history = history
        self.files = files
        self.isQuiet = isQuiet
        self.isVerbose = isVerbose
        screen = LiveScreen.isUsable(STDERR_FILENO) && !isQuiet ? LiveScreen(STDERR_FILENO, .inline) : nil
        nextLineAt = monotonicNanoseconds() + Self.lineEveryNanoseconds
    }

    var elapsedSeconds: Double { Double(monotonicNanoseconds() - startedAt) / 1e9 }

    func noted(_ note: Note) {
        events.write(note)
        // What it has counted must outlive it.
        switch note {
        case .workerDied, .paused, .resumed: nextStatusAt = 0
        default: break
        }
        if let words = words(for: note) { say(words) }
    }

    func changed(stage: Int, _ build: PluginBuild, _ news: BuildNews) { onBuild(stage, build, news) }

    func ticked(_ status: @autoclosure () -> JobStatus, isLast: Bool) {
        let now = monotonicNanoseconds()
        events.flush()
        let drawsNow = screen != nil && now >= nextDrawAt
        let linesNow = screen == nil && !isQuiet && now >= nextLineAt
        let statusNow = now >= nextStatusAt
        let time = Timestamp.milliseconds()
        guard isLast || drawsNow || linesNow || statusNow || history.isSampleDue(at: time) else { return }
        let status = status()
        history.note(status, at: time, isLast: isLast)
        progress.update(status, seconds: elapsedSeconds)
        if isLast { last = status }
        let report = self.report(status).json
        if let screen, isLast {
            screen.close()
        } else if let screen, drawsNow {
            nextDrawAt = now + Self.drawEveryNanoseconds
            let view = StatusView(report)
            table.update(view, seconds: elapsedSeconds)
            screen.draw(table.lines(view, columns: screen.size.columns))
        }
        if linesNow {
            nextLineAt = now + Self.lineEveryNanoseconds
            Console.error(StatusView(report).line)
        }
        guard statusNow || isLast else { return }
        nextStatusAt = now + Self.statusEveryNanoseconds
        try? writeFileAtomically(files.status, Array((report.json() + "\n").utf8), durable: false)
        onStatus()
        if isLast || now >= nextMetricsAt {
            nextMetricsAt = now + Self.metricsEveryNanoseconds
            writeMetrics(report)
        }
        if now >= nextHistoryAt {
            nextHistoryAt = now + Self.historyEveryNanoseconds
            writeHistory()
        }
    }

    func writeHistory() {
        events.flush()
        history.eventBytes = events.bytes
        history.write(to: files.history)
    }

    /// How the job stands now that its host ends: the last word of the files.
    func write(endState: String, message: String?) -> JSONValue? {
        guard let last else { return nil }
        let report = self.report(last, state: endState, message: message).json
        writeMetrics(report)
        return report
    }

    private func writeMetrics(_ status: JSONValue) {
        guard let path = files.metrics else { return }
        do throws(SystemError) {
            try writeFileAtomically(path, Array(MetricsText.of(status, history).utf8), durable: false)
        } catch {
            if !saidThatMetricsFail { say("warning: the metrics cannot be written: \(error)") }
            saidThatMetricsFail = true
        }
    }

    func statusLine(_ status: JobStatus) -> String {
        progress.update(status, seconds: elapsedSeconds)
        let report = report(status)
        return JSONValue.object([
            .init("ok", .boolean(true)), .init("message", .string(report.state)), .init("status", report.json),
            .init("last", .boolean(true)),
        ]).json()
    }

    /// The human form of `stagehost status`, to stderr, also with `--quiet`: it was asked for.
    func show(_ status: JobStatus) {
        progress.update(status, seconds: elapsedSeconds)
        let stored = StoredStatus(
            job: job, live: report(status).json,
            stages: zip(status.stages, plugins).map { ($0.name, $1, $0.kind) })
        let columns = screen?.size.columns ?? Screen.width
        complain(stored.lines(width: columns).joined(separator: "\n"))
    }

    /// Says something that `--quiet` does not silence.
    func complain(_ words: String) {
        if let screen { screen.say(words) } else { Console.error(words) }
    }

    func policyWanted() -> JobPolicy? { onReread() }

    func paused(_ isPaused: Bool) { onPause(isPaused) }

    private func report(_ status: JobStatus, state: String? = nil, message: String? = nil) -> StatusReport {
        var report = StatusReport(
            job: job, state: state, status: status, plugins: plugins, progress: progress, message: message)
        report.saved = saved
        return report
    }

    private func words(for note: Note) -> String? {
        switch note {
        case .workerDied(let stage, _, let cause, let batch, _):
            let place = batch.map { " in batch \($0)" } ?? ""
            return "stage \"\(stageNames[stage])\": a worker died\(place): \(cause.sentence)"
        case .workerRefused(let stage, _, let message):
            // The run's own last words say it again, if it ends the run.
            return isVerbose ? "stage \"\(stageNames[stage])\": \(message)" : nil
        case .poisonFound(let stage, let batch, let input, .host(let times)):
            return "stage \"\(stageNames[stage])\": record \(input) of batch \(batch) takes the host along (\(times) times): set aside"
        case .poisonFound(let stage, let batch, let input, let cause):
            return "stage \"\(stageNames[stage])\": record \(input) of batch \(batch) kills its worker (\(cause.sentence)): set aside"
        case .stageGaveUp(let stage, let message): return "stage \"\(stageNames[stage])\" gives up: \(message)"
        case .pluginSwapped(let stage, _, let isNew):
            return "stage \"\(stageNames[stage])\": \(isNew ? "a new build of its plugin serves" : "new workers serve")"
        case .swapRolledBack(let stage, _, let reason):
            return "stage \"\(stageNames[stage])\": the old build stays: \(reason)"
        case .orderKept(let stage, let reason):
            return "warning: stage \"\(stageNames[stage])\": `ordered: false` has no effect: \(reason)"
        case .stageSlowed(let stage, let rate):
            guard isVerbose else { return nil }
            return "stage \"\(stageNames[stage])\": its answers ask for a pause: \(HumanNumbers.rate(rate)) records/s from now on"
        case .stageNotSlowed(let stage):
            guard isVerbose else { return nil }
            return "stage \"\(stageNames[stage])\": answers ask for a pause as often as before: it is not slowed by them any more"
        case .probationPassed(let stage, _): return "stage \"\(stageNames[stage])\": the new build has passed its probation"
        case .paused(let reason): return "paused: \(reason)"
        case .resumed: return "going on"
        case .draining(let reason): return "\(reason): finishing what is in hand; once more to leave at once"
        case .recordFailed(let stage, let batch, let letter):
            guard isVerbose else { return nil }
            return "stage \"\(stageNames[stage])\": record \(letter.input) of batch \(batch) failed (\(letter.category)): \(letter.message)"
        case .unexplainedDeath(let stage, let batch):
            guard isVerbose else { return nil }
            return "stage \"\(stageNames[stage])\": batch \(batch) went through after a death that did not repeat"
        case .lettersRetried(let stage, let batch, let letters):
            guard isVerbose else { return nil }
            return "stage \"\(stageNames[stage])\": \(letters) dead letters are tried again, as batch \(batch)"
        case .lettersDiscarded(let stage, let letters):
            return "stage \"\(stageNames[stage])\": \(letters) dead letters discarded"
        case .workerStarted, .workerReady, .workerRestarted, .recordRetried, .batchDone, .recordsDone, .called: return nil
        }
    }

    func say(_ words: String) {
        if !isQuiet { complain(words) }
    }
}
