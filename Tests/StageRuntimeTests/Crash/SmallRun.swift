import StageLog
import StageModel
import StageScheduler

@testable import StageRuntime

/// What a host had been told is in the logs: all of it outlives the host, and what a sync covered also the power.
struct Promise {
    var whole: [Set<UInt64>] = Array(repeating: [], count: 5)
    var parts: [[UInt64: IndexRanges]] = Array(repeating: [:], count: 5)
}

/// A dead letter, for comparison.
struct SmallLetter: Hashable {
    var stage: Int
    var batch: UInt64
    var index: UInt32
    var key: String
}

/// One life of a host: from opening the logs to the end of the job, or to the end of its disk.
final class SmallRun {
    let job: SmallJob
    let disk: SimulatedDisk
    var sink: SmallSink
    private(set) var complaints: [String] = []
    private(set) var end: RunEnd?
    private(set) var counts: [Counts] = []
    private(set) var appended = Promise()
    private(set) var synced = Promise()
    private(set) var retired: UInt64 = 0
    /// All letters but those of the source are tried again.
    var triesAgain = false

    private var workers: [UInt64: SmallWorker] = [:]
    private var recovered: [RecoveredStage] = []
    private var events: [Event] = [.start]
    private var storage: [Action] = []
    private var appends = 0

    /// Small enough for logs to be rotated and retired many times.
    private static let options: LogOptions = {
        var options = LogOptions(identity: 7)
        options.segmentEntries = 3
        return options
    }()

    init(_ job: SmallJob, _ disk: SimulatedDisk, _ sink: SmallSink) {
        self.job = job
        self.disk = disk
        self.sink = sink
    }

    func complain(_ message: String) { complaints.append(message) }

    /// - Parameter promise: What must be found in the logs.
    func go(expecting promise: Promise = Promise()) {
        do throws(LogError) {
            let logs = try openLogs()
            let letters = try openLetters()
            let recovery = try logs.recovery()
            try LetterDesk(logs: logs, letters: letters).check()
            if triesAgain { try askForLetters(LetterList(letters, claimedBy: logs, recovery)) }
            recovered = recovery.stages
            check(promise)
            let scheduler = Scheduler(policy: job.policy, recovery: recovery)
            try loop(scheduler, logs, letters)
            counts = scheduler.status.stages.map(\.counts)
            try letters.log.seal()
            try logs.ledger.seal()
            for log in logs.logs { try log.seal() }
        } catch {
            if !disk.isDead { complain("an error of the log: \(error)") }
        }
    }

    private func askForLetters(_ list: LetterList) throws(LogError) {
        for number in list.numbers {
            guard let letter = try list.letter(number), letter.facts.stage > 0 else { continue }
            events.insert(
                .retry(stage: letter.facts.stage, letters: LetterNumbers(ascending: [number]), request: 1), at: 0)
        }
    }

    /// The letters that count, as somebody would list them afterwards.
    func letters() -> [SmallLetter] {
        do throws(LogError) {
            let logs = try openLogs()
            let log = try openLetters()
            let list = try LetterList(log, claimedBy: logs, try logs.recovery())
            var found: [SmallLetter] = []
            for number in list.numbers {
                guard let letter = try list.letter(number) else { continue }
                found.append(
                    SmallLetter(
                        stage: letter.facts.stage, batch: letter.facts.batch, index: letter.facts.index,
                        key: String(decoding: letter.record.key, as: UTF8.self)))
            }
            return found.sorted { ($0.stage, $0.batch) < ($1.stage, $1.batch) }
        } catch {
            complain("the letters cannot be read: \(error)")
            return []
        }
    }

    private func openLogs() throws(LogError) -> JobLogs {
        try JobLogs(folder: "job/logs", policies: job.policy.stages, disk: disk, options: Self.options)
    }

    private func openLetters() throws(LogError) -> LetterLog {
        try LetterLog(folder: "job/letters", disk: disk, options: Self.options)
    }

    // MARK: - Promises

    private func check(_ promise: Promise) {
        for (stage, found) in recovered.enumerated() {
            for batch in promise.whole[stage].sorted() where !found.committed.contains(batch) {
                complain("P7: stage \(stage) has lost batch \(batch)")
            }
            for (batch, parts) in promise.parts[stage] where !found.committed.contains(batch) {
                let known = found.partials[batch]?.covered ?? IndexRanges()
                if !known.isSuperset(of: parts) { complain("P7: stage \(stage) has lost a part of batch \(batch)") }
            }
        }
    }

    /// Whether a stage may be given these records for the first time.
    func check(_ stage: Int, _ batch: UInt64, _ ranges: IndexRanges) {
        guard job.policy.stages[stage].durable else { return }
        let known = recovered[stage].partials[batch]?.covered ?? IndexRanges()
        let isDone =
            recovered[stage].committed.contains(batch) || appended.whole[stage].contains(batch)
            || !known.intersecting(ranges).isEmpty
        if isDone { complain("P3: stage \(stage) does committed records of batch \(batch) again") }
    }

    // MARK: - The loop

    private func loop(_ scheduler: Scheduler, _ logs: JobLogs, _ letters: LetterLog) throws(LogError) {
        var now: UInt64 = 1_000_000
        var steps = 0
        while end == nil {
            steps += 1
            if steps > 5_000 { return complain("it does not come to an end") }
            now += 1_000_000
            if events.isEmpty, !storage.isEmpty {
                try store(storage.removeFirst(), logs, letters)
            } else if events.isEmpty {
                guard let due = scheduler.nextDeadline(after: Moment(nanoseconds: now)) else {
                    return complain("nothing is due, and work is left")
                }
                now = max(now, due.nanoseconds)
                events.append(.timer)
            } else {
                for action in scheduler.handle(events.removeFirst(), at: Moment(nanoseconds: now)) {
                    try carryOut(action, logs, letters)
                }
            }
        }
    }

    private func carryOut(_ action: Action, _ logs: JobLogs, _ letters: LetterLog) throws(LogError) {
        switch action {
        case .start(let id, let stage, _, _):
            workers[id.number] = SmallWorker(id, stage: stage, self)
            logs.isStateful[stage] = job.facts(of: stage).flags.contains(.stateful)
            events.append(.loaded(id, job.facts(of: stage)))
        case .open(let id, let stage, let checkpoint):
            switch checkpoint {
            case .none: workers[id.number]?.open(nil)
            case .payload(let payload): workers[id.number]?.open(payload as? CheckpointPayload)
            case .stored(let batch): workers[id.number]?.open(try logs.checkpoint(of: batch, stage: stage))
            }
            events.append(.ready(id))
        case .send(let id, let dispatch, let request), .sendNext(let id, let dispatch, let request):
            events += workers[id.number]?.answer(dispatch, request) ?? []
        case .close(let id): events.append(.exited(id, Death(cause: .exit(0))))
        case .kill(let id, _): events.append(.exited(id, Death(cause: .signal(9))))
        case .append, .fetch, .flush, .beginRetry, .fetchRetry, .discard:
            if job.storageLags { storage.append(action) } else { try store(action, logs, letters) }
        case .note, .reply, .deny: break
        case .finished(let end): self.end = end
        }
    }

    /// As the storage thread does it.
    private func store(_ action: Action, _ logs: JobLogs, _ letters: LetterLog) throws(LogError) {
        switch action {
        case .append(let commit):
            if !commit.letters.isEmpty {
                try letters.append(commit, digest: "", ledger: logs.ledger, seconds: 1)
                try letters.sync()
            }
            try logs.append(commit, seconds: 1)
            if commit.isWhole {
                appended.whole[commit.stage].insert(commit.batch)
                events.append(.appended(stage: commit.stage, batch: commit.batch))
            } else {
                appended.parts[commit.stage][commit.batch, default: IndexRanges()].formUnion(commit.covered)
                events.append(.partAppended(stage: commit.stage, batch: commit.batch))
            }
            appends += 1
            if appends % 4 == 0 { try syncAll(logs, letters) }
        case .fetch(let stage, let batch):
            events.append(.fetched(stage: stage, batch: batch, try logs.output(of: batch, stage: stage)))
        case .beginRetry(let stage, let wanted, let first, let last, let records, let bytes):
            let begun = try LetterDesk(logs: logs, letters: letters).begin(
                wanted, stage: stage, firstBatch: first, lastBatch: last, records: records, bytes: bytes)
            synced = appended
            events.append(.retryBegun(first: first, counts: begun.counts, rest: begun.rest, refused: begun.refused, categories: begun.categories))
        case .fetchRetry(let batch):
            events.append(.retryFetched(batch: batch, try LetterDesk(logs: logs, letters: letters).input(of: batch)))
        case .flush:
            try syncAll(logs, letters)
            events.append(.flushed)
        default: break
        }
    }

    private func syncAll(_ logs: JobLogs, _ letters: LetterLog) throws(LogError) {
        try letters.sync()
        try logs.sync()
        synced = appended
        try logs.retire(logs.committedNow)
        retired = max(retired, logs.logs.map(\.retiredThrough).min() ?? 0)
    }
}
