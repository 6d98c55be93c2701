package import StageLog
import StageModel
import StageScheduler
import StageWire

/// A dead letter, read back.
package struct Letter: Sendable {
    package var number: UInt64
    package var facts: LetterFacts
    /// The record as it came into the stage.
    package var record: RecordCopy
}

/// The dead letters that count, of a job that may be running.
///
/// A letter is written before the entry that claims its failure. So one counts only if the log of its stage has the record
/// among the failed ones of its batch; of several for one record the latest counts. And it counts no more when the ledger says
/// that it is tried again or given up.
package struct LetterList {
    /// Numbers of the letters that count, ascending.
    package let numbers: [UInt64]
    private let log: StageLog
    private let ledger: LetterLedger

    private struct Place: Hashable {
        var stage: Int
        var batch: UInt64
    }

    /// Which record of a batch: its index, or, of a record that the source could not deliver and that has none, its name.
    private enum Subject: Hashable {
        case input(UInt32)
        case unreadable(identifier: UInt64, key: [UInt8])
    }

    /// - Parameters:
    ///   - letters: Opened after the logs, so that of a job that runs no claim is without its letter.
    ///   - recovery: What the logs of the stages say.
    package init(_ letters: LetterLog, claimedBy logs: JobLogs, _ recovery: JobRecovery) throws(LogError) {
        log = letters.log
        ledger = logs.ledger
        var latest: [Place: [Subject: UInt64]] = [:]
        for number in Self.allNumbers(log) {
            guard !ledger.hasLeft(number), let facts = try Self.facts(of: number, in: log),
                recovery.stages.indices.contains(facts.stage), try logs.isClaimed(facts)
            else { continue }
            var subject = Subject.input(facts.index)
            if facts.isUnreadable, let record = try Self.record(of: number, in: log) {
                subject = .unreadable(identifier: record.identifier, key: record.key)
            }
            latest[Place(stage: facts.stage, batch: facts.batch), default: [:]][subject] = number
        }
        var numbers: [UInt64] = []
        for (place, letters) in latest {
            // What a source could not read has no place in its batch: only their number tells which of them count.
            let entries = place.stage == 0 ? logs.logs[0].entries(of: place.batch) : []
            let claimed = entries.isEmpty ? letters.count : entries.reduce(0) { $0 + Int($1.entry.failed) }
            numbers += letters.values.sorted().suffix(claimed)
        }
        self.numbers = numbers.sorted()
    }

    /// What a letter says, without its record.
    package func facts(_ number: UInt64) throws(LogError) -> LetterFacts? { try Self.facts(of: number, in: log) }

    /// A letter; nil when its entry holds something else.
    package func letter(_ number: UInt64) throws(LogError) -> Letter? {
        guard let facts = try Self.facts(of: number, in: log), let record = try Self.record(of: number, in: log)
        else { return nil }
        return Letter(number: number, facts: facts, record: record)
    }

    /// The letters of the same record that were tried again and failed again, oldest first.
    package func history(of letter: Letter) throws(LogError) -> [LetterFacts] {
        var history: [LetterFacts] = []
        var number = letter.number
        var next = letter.facts.ancestor
        // Each is older than the one after it, whatever a damaged one says.
        while let ancestor = next, ancestor < number, let facts = try Self.facts(of: ancestor, in: log) {
            history.append(facts)
            number = ancestor
            next = facts.ancestor
        }
        return history.reversed()
    }

    /// The record of a letter; its block is validated like one that came from a plugin.
    static func record(of number: UInt64, in log: StageLog) throws(LogError) -> RecordCopy? {
        guard let location = log.entries(of: number).last else { return nil }
        let block = try log.records(of: location)
        let isSound = unsafe block.withUnsafeBytes { raw in
            unsafe (try? BlocksSummary(validating: raw, allowed: nil, maximumRecords: 1))?.records == 1
        }
        return isSound ? RecordCopy(block: block) : nil
    }

    private static func allNumbers(_ log: StageLog) -> [UInt64] {
        let first = log.retiredThrough + 1
        return (first <= log.committedThrough ? Array(first...log.committedThrough) : []) + log.beyond
    }

    static func facts(of number: UInt64, in log: StageLog) throws(LogError) -> LetterFacts? {
        guard let location = log.entries(of: number).last else { return nil }
        let extra = try log.extra(of: location)
        let message: [UInt8]? = unsafe extra.withUnsafeBytes { raw in
            var reader = unsafe ItemReader(raw)
            while let item = try? reader.next() {
                if item.type == .message { return item.array }
            }
            return nil
        }
        return message.flatMap(LetterFacts.init(json:))
    }
}
