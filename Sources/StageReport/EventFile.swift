import Glibc
import LinuxIO
package import StageConfig
package import StageScheduler

/// The events of a job, one JSON object a line: what happened, when, to which stage. The host writes them, so that no
/// plugin can forget to.
///
/// Batches are sampled, one line for each stage and interval, so that ten million records cost as many lines as ten thousand.
/// A full disk loses events, never work.
package final class EventFile {
    package let stages: [String]
    private let intervalNanoseconds: UInt64
    /// The SHA-256 of a build (by stage and number), for the events that speak of one.
    package var digestOfBuild: (_ stage: Int, _ build: Int) -> String? = { _, _ in nil }
    private var file: Descriptor?
    private var waiting: [UInt8] = []
    private var lastSample: [Int: UInt64] = [:]
    private var batchesSince: [Int: UInt64] = [:]

    package init(path: String, stages: [String], intervalNanoseconds: UInt64) {
        self.stages = stages
        self.intervalNanoseconds = intervalNanoseconds
        file = try? Descriptor.open(path, flags: O_WRONLY | O_APPEND | O_CREAT)
    }

    /// Writes an event that is not a note of the scheduler.
    package func write(_ event: String, stage: String? = nil, _ members: [JSONValue.Member] = []) {
        let head: [JSONValue.Member] = [
            .init("at", .string(Timestamp.now())), .init("event", .string(event)),
            .init("stage", stage.map(JSONValue.string) ?? .null),
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

    package func write(_ note: Note) {
        switch note {
        case .workerStarted(let stage, let worker):
            write("worker_started", stage: stages[stage], [number("worker", worker.number)])
        case .workerReady(let stage, let worker):
            write("stage_started", stage: stages[stage], [number("worker", worker.number)])
        case .workerDied(let stage, let worker, let cause, let batch, let evidence):
            write(
                "worker_crashed", stage: stages[stage],
                [
                    number("worker", worker.number), .init("cause", .string(cause.category)),
                    .init("message", .string(cause.sentence)), .init("batch", batch.map(JSONValue.count) ?? .null),
                    .init("evidence", evidence.isEmpty ? .null : .string(evidence)),
                ])
        case .workerRefused(let stage, let worker, let message):
            write(
                "worker_refused", stage: stages[stage],
                [number("worker", worker.number), .init("message", .string(message))])
        case .workerRestarted(let stage, let worker):
            write("worker_restarted", stage: stages[stage], [number("worker", worker.number)])
        case .recordFailed(let stage, let batch, let letter):
            write(
                "record_failed", stage: stages[stage],
                [
                    number("batch", batch), number("index", UInt64(letter.input)),
                    .init("category", .string(letter.category)), .init("message", .string(letter.message)),
                    number("attempts", UInt64(letter.attempts)),
                ])
        case .recordRetried(let stage, let batch, let input, let attempt, let message):
            write(
                "record_retried", stage: stages[stage],
                [
                    number("batch", batch), number("index", UInt64(input)), number("attempt", UInt64(attempt)),
                    .init("message", .string(message)),
                ])
        case .poisonFound(let stage, let batch, let input, let cause):
            write(
                "poison_found", stage: stages[stage],
                [
                    number("batch", batch), number("index", UInt64(input)), .init("category", .string(cause.category)),
                    .init("message", .string(cause.sentence)),
                ])
        case .unexplainedDeath(let stage, let batch):
            write("unexplained_death", stage: stages[stage], [number("batch", batch)])
        case .batchDone(let stage, let batch): sample(stage, batch)
        case .pluginSwapped(let stage, let build, let isNew):
            write(isNew ? "plugin_swapped" : "stage_restarted", stage: stages[stage], facts(of: build, stage))
        case .swapRolledBack(let stage, let build, let reason):
            write("swap_rolled_back", stage: stages[stage], facts(of: build, stage) + [.init("reason", .string(reason))])
        case .probationPassed(let stage, let build):
            write("probation_passed", stage: stages[stage], facts(of: build, stage))
        case .stageGaveUp(let stage, let message):
            write("stage_gave_up", stage: stages[stage], [.init("message", .string(message))])
        case .stageSlowed(let stage, let rate):
            write("stage_slowed", stage: stages[stage], [.init("records_per_second", .rounded(rate))])
        case .orderKept(let stage, let reason):
            write("order_kept", stage: stages[stage], [.init("reason", .string(reason))])
        case .paused(let reason): write("paused", [.init("reason", .string(reason))])
        case .resumed: write("resumed")
        case .lettersRetried(let stage, let batch, let letters):
            write("letters_retried", stage: stages[stage], [number("batch", batch), number("letters", letters)])
        case .lettersDiscarded(let stage, let letters):
            write("letters_discarded", stage: stages[stage], [number("letters", letters)])
        case .draining(let reason): write("draining", [.init("reason", .string(reason))])
        }
    }

    private func sample(_ stage: Int, _ batch: UInt64) {
        batchesSince[stage, default: 0] += 1
        let now = monotonicNanoseconds()
        if let last = lastSample[stage], now - last < intervalNanoseconds { return }
        lastSample[stage] = now
        write(
            "batch_committed", stage: stages[stage],
            [number("batch", batch), number("batches", batchesSince[stage] ?? 0)])
        batchesSince[stage] = 0
    }

    private func facts(of build: Int, _ stage: Int) -> [JSONValue.Member] {
        [number("build", UInt64(build)), .init("digest", digestOfBuild(stage, build).map(JSONValue.string) ?? .null)]
    }

    private func number(_ key: String, _ value: UInt64) -> JSONValue.Member { .init(key, .count(value)) }
}
