import Glibc
package import StageLog
package import StageModel
import StageScheduler
import StageWire

/// Decides which dead letters may be tried again or given up, and writes it down. Nothing that asks for it is believed: a
/// letter counts if it is there, is of the stage that was named, is claimed by that stage's log, and has not left the dead.
/// For the thread that owns the logs.
package struct LetterDesk {
    let logs: JobLogs
    let letters: LetterLog

    package init(logs: JobLogs, letters: LetterLog) {
        self.logs = logs
        self.letters = letters
    }

    /// Letters that one call looks at; the rest is for the next, so that the results of a running job need not wait long.
    private static let lookedAtAtOnce = 4_096

    package struct Begun: Sendable {
        package var counts: [UInt32] = []
        package var rest = LetterNumbers()
        package var refused: UInt64 = 0
        /// Those that have a batch now, by category.
        package var categories: [String: UInt64] = [:]
    }

    package struct Discarded: Sendable {
        package var discarded: UInt64 = 0
        package var refused: UInt64 = 0
        package var categories: [String: UInt64] = [:]
    }

    /// Gives letters the batches from `firstBatch` on. Everything that was appended before is durable when it returns.
    func begin(
        _ wanted: LetterNumbers, stage: Int, firstBatch: UInt64, lastBatch: UInt64?, records: UInt32, bytes: UInt64
    ) throws(LogError) -> Begun {
        var result = Begun()
        var batches: [[UInt64]] = []
        var size: UInt64 = 0
        var categories: [String: UInt64] = [:]
        try look(at: wanted, of: stage, &result.rest, &result.refused) { number, category, length in
            categories[category, default: 0] += 1
            if batches.isEmpty || batches[batches.count - 1].count >= Int(max(1, records)) || size + length > max(bytes, length) {
                batches.append([])
                size = 0
            }
            batches[batches.count - 1].append(number)
            size += length
        }
        guard !batches.isEmpty else { return result }
        result.categories = categories
        try letters.sync()
        try logs.sync()
        let entries = batches.enumerated().map { offset, numbers in
            var entry = LedgerEntry(.retry)
            entry.stage = stage
            entry.batch = firstBatch + UInt64(offset)
            entry.last = lastBatch
            entry.letters = LetterNumbers(ascending: numbers).pairs
            return entry
        }
        try logs.ledger.write(entries, seconds: UInt32(clamping: time(nil)))
        result.counts = batches.map { UInt32($0.count) }
        return result
    }

    /// Gives letters up for good.
    package func discard(_ wanted: LetterNumbers, stage: Int) throws(LogError) -> Discarded {
        var result = Discarded()
        var rest = wanted
        while !rest.isEmpty {
            var numbers: [UInt64] = []
            let now = rest
            var categories = result.categories
            try look(at: now, of: stage, &rest, &result.refused) { number, category, _ in
                numbers.append(number)
                categories[category, default: 0] += 1
            }
            result.categories = categories
            guard !numbers.isEmpty else { continue }
            try letters.sync()
            try logs.sync()
            var entry = LedgerEntry(.discard)
            entry.stage = stage
            entry.letters = LetterNumbers(ascending: numbers).pairs
            try logs.ledger.write([entry], seconds: UInt32(clamping: time(nil)))
            result.discarded += UInt64(numbers.count)
        }
        return result
    }

    private func look(
        at wanted: LetterNumbers, of stage: Int, _ rest: inout LetterNumbers, _ refused: inout UInt64,
        _ body: (_ letter: UInt64, _ category: String, _ length: UInt64) -> Void
    ) throws(LogError) {
        rest = LetterNumbers()
        let end = letters.lastNumber
        // What is beyond the end is no letter, however many that are.
        refused += wanted.last.map { $0 > end ? wanted.within(max(end + 1, 1)...UInt64.max).count : 0 } ?? 0
        guard end > 0 else { return }
        let known = wanted.within(1...end)
        var left = Self.lookedAtAtOnce
        for number in known.numbers {
            guard left > 0 else {
                rest = known.within(number...end)
                return
            }
            left -= 1
            guard let location = letters.log.entries(of: number).last, !logs.ledger.hasLeft(number),
                let facts = try LetterList.facts(of: number, in: letters.log), facts.stage == stage,
                try logs.isClaimed(facts)
            else {
                refused += 1
                continue
            }
            body(number, facts.category, UInt64(location.recordsLength))
        }
    }

    /// The letters of a batch, as the input of its stage.
    func input(of batch: UInt64) throws(LogError) -> [Payload] {
        guard let retry = logs.ledger.retries[batch] else { return [] }
        var records: [RecordCopy] = []
        for number in retry.letters.numbers {
            guard let record = try LetterList.record(of: number, in: letters.log) else {
                throw LogError(
                    .damaged, file: letters.log.folder, expected: "letter \(number), which batch \(batch) tries again",
                    found: "none that can be read", help: "look at it with `stagehost verify`")
            }
            records.append(record)
        }
        let block = RecordCopy.block(of: records)
        return [unsafe block.withUnsafeBytes { unsafe BlockPayload(copying: $0, records: UInt64(records.count)) }]
    }

    /// Finds letters whose failure no log claims, because the host died between the two: the record is tried again, so they
    /// must never count. Before anything is appended.
    package func check() throws(LogError) {
        let end = letters.lastNumber
        let begin = logs.ledger.checkedThrough + 1
        guard begin <= end else { return }
        var unclaimed: [UInt64] = []
        for number in begin...end {
            guard let facts = try LetterList.facts(of: number, in: letters.log) else { continue }
            if try !logs.isClaimed(facts) { unclaimed.append(number) }
        }
        guard !unclaimed.isEmpty || end - begin >= UInt64(Self.lookedAtAtOnce) else { return }
        var entry = LedgerEntry(.unclaimed)
        entry.through = end
        entry.letters = LetterNumbers(ascending: unclaimed).pairs
        try logs.ledger.write([entry], seconds: UInt32(clamping: time(nil)))
    }
}
