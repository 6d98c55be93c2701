import StageLog
package import StageModel
import StageScheduler

/// What became of dead letters after they were written, and what else the logs of the stages cannot carry: a log of its own,
/// `logs/ledger`, which is begun with its first entry. Each entry is on the disk before anything relies on it.
///
/// A letter is dead, or on its way again, or given up, and nothing else: it is on its way from the moment in which a `retry`
/// entry names it; what fails again is a letter of its own. Used by one thread at a time.
package final class LetterLedger {
    package struct Retry: Sendable {
        package var stage: Int
        package var letters: LetterNumbers
    }

    struct Costs {
        /// The batches up to here are in `amounts`.
        var through: UInt64 = 0
        var amounts: [String: Double] = [:]
    }

    private let folder: String
    private let disk: any Disk
    private let options: LogOptions
    private var log: StageLog?

    /// By number of their batch.
    package private(set) var retries: [UInt64: Retry] = [:]
    /// How many letters of each stage were given up.
    private(set) var discarded: [Int: UInt64] = [:]
    private(set) var costs: [Int: Costs] = [:]
    /// The source's last batch, if letters were tried again after it had ended.
    private(set) var lastBatch: UInt64?
    /// Letters up to here are known to be claimed, or not to be.
    private(set) var checkedThrough: UInt64 = 0
    /// Letters that are given up, or that were never claimed.
    private var settled = LetterNumbers()
    /// Letters that are, or were, on their way.
    private var retried = LetterNumbers()

    init(folder: String, disk: any Disk, options: LogOptions) throws(LogError) {
        self.folder = folder
        self.disk = disk
        self.options = options
        guard ((try? disk.list(folder)) ?? []).contains(where: { $0.hasSuffix(".log") }) else { return }
        let log = try StageLog.open(disk: disk, folder: folder, options: options).log
        self.log = log
        // After a repair there may be gaps.
        for number in Array(1..<log.committedThrough + 1) + log.beyond {
            guard let location = log.entries(of: number).last, let entry = LedgerEntry(extra: try log.extra(of: location)) else {
                throw LogError(
                    .damaged, file: folder, expected: "what became of letters in entry \(number)", found: "something else",
                    help: "look at it with `stagehost verify`")
            }
            take(entry)
        }
    }

    /// Whether a letter is not dead any more, whatever its stage's log says.
    package func hasLeft(_ letter: UInt64) -> Bool { settled.contains(letter) || retried.contains(letter) }

    /// The letter that a record of a batch was made from; nil if it was made from none.
    func ancestor(stage: Int, batch: UInt64, index: UInt32) -> UInt64? {
        guard let retry = retries[batch], retry.stage == stage else { return nil }
        return retry.letters.number(at: Int(index))
    }

    /// Writes entries, and makes them durable.
    func write(_ entries: [LedgerEntry], seconds: UInt32) throws(LogError) {
        guard !entries.isEmpty else { return }
        let log: StageLog
        if let known = self.log {
            log = known
        } else {
            log = try StageLog.open(disk: disk, folder: folder, options: options).log
            self.log = log
        }
        // After a call that failed some of them may be there already: the last word counts, and says the same.
        for entry in entries {
            try log.append(LogEntry(.whole, batch: (log.beyond.last ?? log.committedThrough) + 1, time: seconds), records: [], extra: entry.extra)
        }
        try log.sync()
        for entry in entries { take(entry) }
    }

    func seal() throws(LogError) { try log?.seal() }

    private func take(_ entry: LedgerEntry) {
        let letters = LetterNumbers(validating: entry.letters ?? []) ?? LetterNumbers()
        switch entry.kind {
        case .retry:
            guard let batch = entry.batch, let stage = entry.stage, !letters.isEmpty else { return }
            retries[batch] = Retry(stage: stage, letters: letters)
            retried.formUnion(letters)
            lastBatch = entry.last ?? lastBatch
        case .withdrawn: if let batch = entry.batch { forget([batch]) }
        case .discard:
            guard let stage = entry.stage else { return }
            // The same again, after a write of which nobody knew whether it had succeeded.
            let new = letters.numbers.reduce(UInt64(0)) { settled.contains($1) ? $0 : $0 + 1 }
            discarded[stage, default: 0] += new
            settled.formUnion(letters)
        case .unclaimed:
            checkedThrough = max(checkedThrough, entry.through ?? 0)
            settled.formUnion(letters)
        case .costs:
            guard let stage = entry.stage, let through = entry.through else { return }
            costs[stage] = Costs(through: through, amounts: entry.amounts ?? [:])
        }
    }

    private func forget(_ batches: [UInt64]) {
        for batch in batches { retries[batch] = nil }
        retried = LetterNumbers()
        for retry in retries.values { retried.formUnion(retry.letters) }
    }

    /// Takes back retries whose batch has no place: the source's log, which was durable before them, has lost what was before.
    /// Their letters are dead again.
    ///
    /// - Parameters:
    ///   - sourceThrough: What the source has committed.
    ///   - stages: How many there are.
    func withdrawHomeless(sourceThrough: UInt64, stages: Int) throws(LogError) {
        var next = sourceThrough + 1
        if let lastBatch, sourceThrough >= lastBatch { next = max(next, lastBatch + UInt64(stages)) }
        var homeless: [UInt64] = []
        for batch in retries.keys.sorted() where batch > sourceThrough {
            if batch == next { next += 1 } else { homeless.append(batch) }
        }
        guard !homeless.isEmpty else { return }
        guard !options.readOnly else { return forget(homeless) }
        try write(
            homeless.map { batch in
                var entry = LedgerEntry(.withdrawn)
                entry.batch = batch
                return entry
            }, seconds: 0)
    }
}
