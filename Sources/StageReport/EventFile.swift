import Glibc
import LinuxIO
package import StageConfig
import StageModel
package import StageScheduler

/// The events of a job, one JSON object a line: what happened, when, to which stage. The host writes them, so that no
/// plugin can forget to.
///
/// Batches are sampled, so that a job costs about one line for a hundred records, and never more than a hundred lines a second
/// and stage. A full disk loses events, never work.
package final class EventFile {
    package let stages: [String]
    /// The SHA-256 of a build (by stage and number), for the events that speak of one.
    package var digestOfBuild: (_ stage: Int, _ build: Int) -> String? = { _, _ in nil }
    private let path: String
    private let pace: ProgressPace
    private let records: RecordLog
    /// Hears every event, also those that the file leaves out.
    private let history: JobHistory?
    private var file: Descriptor?
    private var waiting: [UInt8] = []
    private var samples: [Sample]

    /// Batches of a stage since its last line.
    private struct Sample {
        var at: UInt64 = 0
        var batch: UInt64 = 0
        var batches: UInt64 = 0
        var records: UInt64 = 0
    }

    private static let leastPauseNanoseconds: UInt64 = 10_000_000

    package init(path: String, stages: [String], pace: ProgressPace, records: RecordLog, history: JobHistory? = nil) {
        self.path = path
        self.stages = stages
        self.pace = pace
        self.records = records
        self.history = history
        samples = stages.map { _ in Sample() }
        // A host that was killed as it wrote has left half a line.
        if Self.endsWithinALine(path) { waiting = [UInt8(ascii: "\n")] }
        file = try? Descriptor.open(path, flags: O_WRONLY | O_APPEND | O_CREAT)
    }

    private static func endsWithinALine(_ path: String) -> Bool {
        guard let file = try? Descriptor.open(path, flags: O_RDONLY), lseek(file.number, -1, SEEK_END) >= 0 else { return false }
        var last: [UInt8] = [0]
        guard case .bytes(1) = unsafe last.withUnsafeMutableBytes({ unsafe file.read(into: $0) }) else { return false }
        return last[0] != UInt8(ascii: "\n")
    }

    /// Writes an event that is not a note of the scheduler.
    package func write(_ event: String, stage: Int? = nil, _ members: [JSONValue.Member] = []) {
        history?.take(event, stage: stage, at: Timestamp.milliseconds(), LenientObject(.object(members)))
        line(event, stage: stage, members)
    }

    private func line(_ event: String, stage: Int?, _ members: [JSONValue.Member]) {
        let head: [JSONValue.Member] = [
            .init("at", .string(Timestamp.now())), .init("event", .string(event)),
            .init("stage", stage.map { .string(stages[$0]) } ?? .null),
        ]
        waiting += JSONValue.object(head + members).json().utf8
        waiting.append(UInt8(ascii: "\n"))
        if waiting.count > 65_536 { flush() }
    }

    /// Hands what was written to the system.
    package func flush() {
        guard !waiting.isEmpty else { return }
        try? file?.writeAll(waiting)
        waiting.removeAll(keepingCapacity: true)
    }

    /// Tells of the batches that no line has told of yet: the last thing before the end of a run.
    package func finishSamples() {
        for stage in samples.indices where samples[stage].batches > 0 { writeSample(of: stage, at: monotonicNanoseconds()) }
    }

    /// Bytes in the file.
    package var bytes: UInt64 { FileFacts(of: path)?.bytes ?? 0 }

    package func write(_ note: Note) {
        switch note {
        case .workerStarted(let stage, let worker):
            write("worker_started", stage: stage, [number("worker", worker.number)])
        case .workerReady(let stage, let worker):
            write("stage_started", stage: stage, [number("worker", worker.number)])
        case .workerDied(let stage, let worker, let cause, let batch, let evidence):
            write(
                "worker_crashed", stage: stage,
                [
                    number("worker", worker.number), .init("cause", .string(cause.category)),
                    .init("message", .string(cause.sentence)), .init("batch", batch.map(JSONValue.count) ?? .null),
                    .init("evidence", evidence.isEmpty ? .null : .string(evidence)),
                ])
        case .workerRefused(let stage, let worker, let message):
            write(
                "worker_refused", stage: stage,
                [number("worker", worker.number), .init("message", .string(message))])
        case .workerRestarted(let stage, let worker):
            write("worker_restarted", stage: stage, [number("worker", worker.number)])
        case .recordFailed(let stage, let batch, let letter):
            if let time = letter.nanoseconds { history?.took(stage: stage, time, records: 1) }
            guard records != .none else { return }
            write(
                "record_failed", stage: stage,
                [
                    number("batch", batch), number("index", UInt64(letter.input)),
                    .init("category", .string(letter.category)), .init("message", .string(letter.message)),
                    number("attempts", UInt64(letter.attempts)),
                    .init("worker", letter.worker.map { .count($0.number) } ?? .null),
                    .init("duration_ms", letter.nanoseconds.map(Self.milliseconds) ?? .null),
                ])
        case .recordRetried(let stage, let batch, let input, let attempt, let message):
            guard records != .none else { return }
            write(
                "record_retried", stage: stage,
                [
                    number("batch", batch), number("index", UInt64(input)), number("attempt", UInt64(attempt)),
                    .init("message", .string(message)),
                ])
        case .poisonFound(let stage, let batch, let input, let cause):
            write(
                "poison_found", stage: stage,
                [
                    number("batch", batch), number("index", UInt64(input)), .init("category", .string(cause.category)),
                    .init("message", .string(cause.sentence)),
                ])
        case .unexplainedDeath(let stage, let batch):
            write("unexplained_death", stage: stage, [number("batch", batch)])
        case .batchDone(let stage, let batch, let records): sample(stage, batch, records)
        case .recordsDone(let done):
            history?.took(stage: done.stage, done.nanosecondsEach, records: UInt64(done.covered.count))
            if records == .all { list(done) }
        case .called(let stage, _, _, let nanoseconds): history?.called(stage: stage, nanoseconds)
        case .pluginSwapped(let stage, let build, let isNew):
            write(isNew ? "plugin_swapped" : "stage_restarted", stage: stage, facts(of: build, stage))
        case .swapRolledBack(let stage, let build, let reason):
            write("swap_rolled_back", stage: stage, facts(of: build, stage) + [.init("reason", .string(reason))])
        case .probationPassed(let stage, let build): write("probation_passed", stage: stage, facts(of: build, stage))
        case .stageGaveUp(let stage, let message): write("stage_gave_up", stage: stage, [.init("message", .string(message))])
        case .stageSlowed(let stage, let rate): write("stage_slowed", stage: stage, [.init("records_per_second", .rounded(rate))])
        case .stageNotSlowed(let stage): write("stage_not_slowed", stage: stage)
        case .orderKept(let stage, let reason): write("order_kept", stage: stage, [.init("reason", .string(reason))])
        case .paused(let reason): write("paused", [.init("reason", .string(reason))])
        case .resumed: write("resumed")
        case .lettersRetried(let stage, let batch, let letters):
            write("letters_retried", stage: stage, [number("batch", batch), number("letters", letters)])
        case .lettersDiscarded(let stage, let letters):
            write("letters_discarded", stage: stage, [number("letters", letters)])
        case .draining(let reason): write("draining", [.init("reason", .string(reason))])
        }
    }

    private func sample(_ stage: Int, _ batch: UInt64, _ records: UInt64) {
        samples[stage].batch = max(samples[stage].batch, batch)
        samples[stage].batches += 1
        samples[stage].records += records
        let now = monotonicNanoseconds()
        let since = now - samples[stage].at
        switch pace {
        case .time(let interval): guard since >= interval.nanoseconds else { return }
        case .records(let count):
            guard samples[stage].records >= UInt64(count), since >= Self.leastPauseNanoseconds else { return }
        }
        writeSample(of: stage, at: now)
    }

    private func facts(of build: Int, _ stage: Int) -> [JSONValue.Member] {
        [number("build", UInt64(build)), .init("digest", digestOfBuild(stage, build).map(JSONValue.string) ?? .null)]
    }

    private func writeSample(of stage: Int, at now: UInt64) {
        let sample = samples[stage]
        samples[stage] = Sample(at: now)
        write(
            "batch_committed", stage: stage,
            [number("batch", sample.batch), number("batches", sample.batches), number("records", sample.records)])
    }

    /// A line for each record. A batch may have all of them, so that nothing is made twice here.
    private func list(_ done: DoneRecords) {
        let all = done.passed > 0
        let duration = Self.milliseconds(done.nanosecondsEach)
        for index in done.covered.indexes {
            let passed = done.emitted?.contains(index) ?? all
            line(
                "record_done", stage: done.stage,
                [
                    number("batch", done.batch), number("index", UInt64(index)),
                    .init("outcome", .string(passed ? "passed" : "filtered")),
                    number("attempt", UInt64(done.attempts[index] ?? 1)), number("worker", done.worker.number),
                    .init("duration_ms", duration),
                ])
        }
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> JSONValue { .rounded(Double(nanoseconds) / 1e6) }

    private func number(_ key: String, _ value: UInt64) -> JSONValue.Member { .init(key, .count(value)) }
}
