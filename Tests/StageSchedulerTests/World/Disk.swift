import StageModel

@testable import StageScheduler

/// The logs of all stages, on a disk that forgets.
final class Disk {
    struct Entry {
        var commit: Commit
        /// Ids of the records that it is about.
        var records: [UInt64] = []
        var isSynced = false
    }

    var logs: [[Entry]]
    /// What was handed over and is not written yet, in order.
    var queue: [Commit] = []
    /// For look-ups: whole batches, and records of those that are done in part.
    private(set) var whole: [Set<UInt64>]
    private(set) var parts: [[UInt64: IndexRanges]]
    /// What stages were last handed as the input of a batch.
    var inputs: [[UInt64: [Item]]]

    init(stages: Int) {
        logs = Array(repeating: [], count: stages)
        whole = Array(repeating: [], count: stages)
        parts = Array(repeating: [:], count: stages)
        inputs = Array(repeating: [:], count: stages)
    }

    /// Returns the ids of the records that the entry is about.
    @discardableResult
    func write(_ commit: Commit, synced: Bool) -> [UInt64] {
        let items = inputs[commit.stage][commit.batch] ?? []
        let records = commit.covered.indexes.compactMap { Int($0) < items.count ? items[Int($0)].id : nil }
        logs[commit.stage].append(Entry(commit: commit, records: records, isSynced: synced))
        index(commit)
        return records
    }

    private func index(_ commit: Commit) {
        if commit.isWhole { whole[commit.stage].insert(commit.batch) }
        parts[commit.stage][commit.batch, default: IndexRanges()].formUnion(commit.covered)
    }

    func sync() {
        for stage in logs.indices {
            for position in logs[stage].indices.reversed() {
                if logs[stage][position].isSynced { break }
                logs[stage][position].isSynced = true
            }
        }
    }

    func output(of batch: UInt64, stage: Int) -> [Payload]? {
        guard whole[stage].contains(batch) else { return nil }
        return logs[stage].filter { $0.commit.batch == batch }.flatMap(\.commit.output)
    }

    /// Everything not yet written is written up to some point; the rest is gone.
    func crash(_ chance: inout Chance, everySynced: Bool) {
        let kept = chance.below(queue.count + 1)
        for commit in queue.prefix(kept) { write(commit, synced: everySynced) }
        queue = []
    }

    /// Of each log a prefix is left that has at least what was synced.
    func losePower(_ chance: inout Chance) {
        queue = []
        for stage in logs.indices {
            let synced = logs[stage].lastIndex { $0.isSynced }.map { $0 + 1 } ?? 0
            logs[stage].removeLast(chance.below(logs[stage].count - synced + 1))
            for position in logs[stage].indices { logs[stage][position].isSynced = true }
        }
    }

    // MARK: - Recovery

    /// Reads the logs as a host does that starts: an entry counts if all stages above have the batch, too. What does not
    /// count is removed for good.
    func recover(_ plan: Plan) -> Recovery {
        let last = logs[0].first { $0.commit.isFinish }?.commit.batch
        var valid: [Set<UInt64>] = []
        for stage in logs.indices {
            let above = valid
            func isBacked(_ batch: UInt64) -> Bool {
                // What a stage emits at its end comes of all that it has had before.
                if let last, let before = above.last, batch == last + UInt64(stage) {
                    return CommittedSet(beyond: before).through + 1 == batch
                }
                return above.enumerated().allSatisfy { index, batches in
                    last.map { batch > $0 + UInt64(index) } ?? false || batches.contains(batch)
                }
            }
            logs[stage].removeAll { !isBacked($0.commit.batch) }
            valid.append(Set(logs[stage].filter(\.commit.isWhole).map(\.commit.batch)))
            if stage == logs.count - 1, plan.stages[stage].sink != .unordered {
                // What is behind a gap was cut off, or will be, with the position.
                let through = CommittedSet(beyond: valid[stage]).through
                logs[stage].removeAll { $0.commit.batch > through }
                valid[stage] = valid[stage].filter { $0 <= through }
            }
        }
        whole = Array(repeating: [], count: logs.count)
        parts = Array(repeating: [:], count: logs.count)
        for log in logs { for entry in log { index(entry.commit) } }
        var recovery = Recovery(stages: logs.indices.map { recovered($0, valid[$0]) })
        recovery.sourceCounts = logs[0].map { UInt32($0.commit.inputs) }
        recovery.lastBatch = last
        return recovery
    }

    private func recovered(_ stage: Int, _ whole: Set<UInt64>) -> RecoveredStage {
        var result = RecoveredStage()
        result.committed = CommittedSet(beyond: whole)
        for commit in logs[stage].map(\.commit) {
            result.counts += Counts(
                inputs: commit.passed + commit.filtered + commit.failed, passed: commit.passed,
                filtered: commit.filtered, failed: commit.failed, outputs: commit.outputs)
            for letter in commit.letters { result.failedBy[letter.category, default: 0] += 1 }
            if let checkpoint = commit.checkpoint, commit.batch <= result.committed.through,
                commit.batch >= result.checkpointBatch
            {
                result.checkpoint = checkpoint
                result.checkpointBatch = commit.batch
            }
            if whole.contains(commit.batch) {
                for letter in commit.letters where stage > 0 {
                    result.deadInputs[commit.batch, default: IndexRanges()].insert(letter.input)
                }
            } else {
                var partial =
                    result.partials[commit.batch]
                    ?? RecoveredPartial(covered: IndexRanges(), passed: 0, failed: 0, outputs: [])
                partial.covered.formUnion(commit.covered)
                partial.passed += commit.passed
                partial.failed += commit.failed
                partial.outputs += commit.output
                result.partials[commit.batch] = partial
            }
        }
        return result
    }
}
