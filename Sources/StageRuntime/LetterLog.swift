import Glibc
package import StageLog
import StageModel
import StageScheduler
import StageWire

/// The dead letters of a job: a log of its own, whose entries are letters instead of batches.
///
/// An entry's number is that of the letter, from 1. `records` is one block with the record that failed (as it came into the
/// stage), `extra` a message item with the rest as JSON. A letter counts if the log of its stage claims the failure;
/// after a crash the same failure may stand here twice, and the later one counts.
package final class LetterLog {
    package let log: StageLog
    private var next: UInt64

    package init(
        folder: String, readOnly: Bool = false, disk: any Disk = FileDisk(), options: LogOptions = LogOptions()
    ) throws(LogError) {
        var options = options
        options.readOnly = readOnly
        log = try StageLog.open(disk: disk, folder: folder, options: options).log
        // After a repair there may be gaps: a number is never given to a second letter.
        next = (log.beyond.last ?? log.committedThrough) + 1
    }

    /// The greatest number that was ever given; 0: none.
    var lastNumber: UInt64 { next - 1 }

    func sync() throws(LogError) {
        if !log.isSynced { try log.sync() }
    }

    /// Writes the letters of a commit. What was tried again and failed again goes on where its last letter had ended.
    func append(_ commit: Commit, digest: String, ledger: LetterLedger, seconds: UInt32) throws(LogError) {
        let input = commit.input.compactMap { $0 as? BlockPayload }
        for letter in commit.letters {
            var record = RecordCopy(identifier: 0, key: [], value: [])
            if let unreadable = letter.unreadable {
                record = RecordCopy(identifier: unreadable.identifier, key: unreadable.key, value: unreadable.value)
            } else if let found = RecordCopy(input: letter.input, of: input) {
                record = found
            }
            var facts = LetterFacts(commit: commit, letter: letter, digest: digest, seconds: seconds)
            if let ancestor = ledger.ancestor(stage: commit.stage, batch: commit.batch, index: letter.input) {
                facts.ancestor = ancestor
                let tries = try LetterList.facts(of: ancestor, in: log)?.attempts ?? 0
                facts.attempts = UInt32(clamping: UInt64(tries) + UInt64(facts.attempts))
            }
            var items = ItemWriter()
            items.append(.message, facts.json)
            let entry = LogEntry(.whole, batch: next, inputs: 1, failed: 1, outputs: 1, time: seconds)
            try log.append(entry, records: record.block(), extra: items.bytes)
            next += 1
        }
    }
}
