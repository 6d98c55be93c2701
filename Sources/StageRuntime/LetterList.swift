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
/// A letter is written before the entry that claims its failure. So one counts only if the log of its stage has the batch
/// whole, or has the record among the finished ones of an unfinished batch; of several for one record the latest counts;
/// and of a batch that was done again, only as many as its entries claim.
package struct LetterList {
    /// Numbers of the letters that count, ascending.
    package let numbers: [UInt64]
    private let log: StageLog

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
        var latest: [Place: [Subject: UInt64]] = [:]
        for number in Self.allNumbers(log) {
            guard let facts = try Self.facts(of: number, in: log), recovery.stages.indices.contains(facts.stage)
            else { continue }
            let stage = recovery.stages[facts.stage]
            let isClaimed =
                stage.committed.contains(facts.batch)
                || stage.partials[facts.batch]?.covered.contains(facts.index) ?? false
            guard isClaimed else { continue }
            var subject = Subject.input(facts.index)
            if facts.isUnreadable, let record = try Self.record(of: number, in: log) {
                subject = .unreadable(identifier: record.identifier, key: record.key)
            }
            latest[Place(stage: facts.stage, batch: facts.batch), default: [:]][subject] = number
        }
        var numbers: [UInt64] = []
        for (place, letters) in latest {
            let entries = logs.logs[place.stage].entries(of: place.batch)
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

    /// The record of a letter; its block is validated like one that came from a plugin.
    private static func record(of number: UInt64, in log: StageLog) throws(LogError) -> RecordCopy? {
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

    private static func facts(of number: UInt64, in log: StageLog) throws(LogError) -> LetterFacts? {
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
