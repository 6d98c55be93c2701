import Glibc
package import StageLog
import StageModel
package import StageScheduler
import StageWire

/// The logs of all stages of a job, and what they say together. Used by one thread at a time.
package final class JobLogs {
    package let logs: [StageLog]
    package let policies: [StagePolicy]
    /// What became of dead letters, and what retired entries have cost.
    package let ledger: LetterLedger
    /// What entries that are still there have cost, by stage; of batches above those that the ledger sums up.
    private var costs: [[(batch: UInt64, amounts: [String: Double])]]
    /// What opening put in order, for people.
    package let reports: [String]
    /// Whether a stage's plugin keeps a state; nil until its plugin is loaded.
    var isStateful: [Bool?]
    /// What each stage has committed and will not do again: its log, without orphans that have not been redone.
    private var settled: [CommittedSet]

    /// Opens (and, unless `readOnly`, begins) the log of each stage in `folder`.
    ///
    /// Of a job that runs meanwhile the sink's log is looked at first: then no log has a batch that one above lacks.
    package init(
        folder: String, policies: [StagePolicy], readOnly: Bool = false, disk: any Disk = FileDisk(),
        options: LogOptions = LogOptions()
    ) throws(LogError) {
        var options = options
        options.readOnly = readOnly
        self.policies = policies
        var logs: [StageLog] = []
        var reports: [String] = []
        for (index, policy) in readOnly ? policies.enumerated().reversed() : Array(policies.enumerated()) {
            let opened = try StageLog.open(
                disk: disk, folder: folder + "/" + JobLayout.logFolder(index, policy.name), options: options)
            logs.append(opened.log)
            reports += opened.recovery.reports.filter { $0.kind != .created }.map { "stage \"\(policy.name)\": \($0)" }
        }
        self.logs = readOnly ? logs.reversed() : logs
        self.reports = reports
        // Last: no letter leaves the dead before the logs claim it.
        ledger = try LetterLedger(folder: folder + "/" + JobLayout.ledger, disk: disk, options: options)
        costs = policies.map { _ in [] }
        isStateful = policies.map { $0.kind == .transform ? nil : false }
        settled = self.logs.map { CommittedSet(through: $0.committedThrough, beyond: $0.beyond) }
    }

    /// The source's last batch, if it is known to have ended.
    private var lastBatch: UInt64? {
        let source = logs[0]
        if let last = source.entries(of: source.committedThrough).last {
            return last.entry.flags.contains(.isFinish) ? source.committedThrough : nil
        }
        guard let carried = source.lastCheckpoint(notAbove: .max), carried.entry.batch == source.committedThrough
        else { return nil }
        return carried.entry.flags.contains(.isFinish) ? carried.entry.batch : nil
    }

    /// What the scheduler starts from.
    package func recovery() throws(LogError) -> JobRecovery {
        try ledger.withdrawHomeless(sourceThrough: logs[0].committedThrough, stages: logs.count)
        let last = ledger.lastBatch ?? lastBatch
        let committed = consistentSets(lastBatch: last)
        settled = committed
        var stages: [RecoveredStage] = []
        for index in logs.indices {
            var stage = RecoveredStage()
            stage.committed = committed[index]
            try checkReach(of: index, committed[index])
            stage.counts = try counts(of: index, committed)
            stage.discarded = ledger.discarded[index] ?? 0
            try addCosts(to: &stage, index)
            try addPartials(to: &stage, index, committed)
            if let location = logs[index].lastCheckpoint(notAbove: committed[index].through) {
                stage.checkpoint = try items(of: location, in: logs[index]).checkpoint
                stage.checkpointBatch = location.entry.batch
            }
            stage.deadInputs = try deadInputs(
                of: index, after: stage.checkpointBatch, sinkThrough: committed[committed.count - 1].through)
            stages.append(stage)
        }
        var recovery = JobRecovery(stages: stages)
        let source = logs[0]
        recovery.lastBatch = last
        recovery.retries = ledger.retries.mapValues { RetryBatch(stage: $0.stage, records: UInt32(clamping: $0.letters.count)) }
        recovery.firstCounted = source.retiredThrough + 1
        let end = committed[0].through
        if recovery.firstCounted <= end {
            recovery.sourceCounts = (recovery.firstCounted...end).map { batch in
                source.entries(of: batch).reduce(0) { $0 + $1.entry.inputs }
            }
        }
        return recovery
    }

    /// What each stage has committed. After a power loss a log may have kept an entry whose batch is gone from a log above:
    /// such an orphan does not count, or what the stage above had set aside would be forgotten.
    private func consistentSets(lastBatch: UInt64?) -> [CommittedSet] {
        var result: [CommittedSet] = []
        for (index, log) in logs.enumerated() {
            let own = CommittedSet(through: log.committedThrough, beyond: log.beyond)
            guard index > 0 else {
                result.append(CommittedSet(through: log.committedThrough))
                continue
            }
            let above = result[index - 1]
            let finish = lastBatch.map { $0 + UInt64(index) }
            func isBacked(_ batch: UInt64) -> Bool {
                above.contains(batch) || batch == finish && above.through + 1 == batch
            }
            var through = own.through
            if !isBacked(through), through > 0 {
                through = min(through, finish == own.through ? above.through : max(above.through, 0))
            }
            // A plugin with a checkpoint is set back to that of `through`: what it did beyond is undone with it.
            guard index < logs.count - 1, log.lastCheckpoint(notAbove: .max) == nil else {
                result.append(CommittedSet(through: through))
                continue
            }
            let kept = own.through > through ? (through + 1...own.through).filter(isBacked) : []
            result.append(CommittedSet(through: through, beyond: kept + own.beyond.filter(isBacked)))
        }
        return result
    }

    /// A stage cannot go back to where its log has let go already.
    private func checkReach(of index: Int, _ committed: CommittedSet) throws(LogError) {
        let log = logs[index]
        guard committed.through < log.retiredThrough else { return }
        throw LogError(
            .damaged, file: log.folder, expected: "batch \(committed.through + 1) in the log of the stage above",
            found: "it is gone there, and let go of here", help: "start the job over with `--fresh`")
    }

    /// The stage's totals, without those of batches that it will do again.
    private func counts(of index: Int, _ committed: [CommittedSet]) throws(LogError) -> Counts {
        let log = logs[index]
        var totals = log.totals
        for batch in redone(by: index, committed) {
            for location in log.entries(of: batch) { totals -= counts(in: location.entry) }
        }
        for batch in pendingBatches(of: index, committed) {
            for location in log.pending(of: batch) { totals += counts(in: location.entry) }
        }
        // Letters that are tried again are counted where they come in again, no longer where they failed.
        for retry in ledger.retries.values where retry.stage == index {
            totals -= Totals(inputs: Int64(clamping: retry.letters.count), failed: Int64(clamping: retry.letters.count))
        }
        totals -= Totals(failed: Int64(clamping: ledger.discarded[index] ?? 0))
        return Counts(
            inputs: UInt64(max(0, totals.inputs)), passed: UInt64(max(0, totals.passed)),
            filtered: UInt64(max(0, totals.filtered)), failed: UInt64(max(0, totals.failed)),
            outputs: UInt64(max(0, totals.outputs)))
    }

    private func counts(in entry: LogEntry) -> Totals {
        Totals(
            inputs: Int64(entry.inputs), passed: Int64(entry.passed), filtered: Int64(entry.filtered),
            failed: Int64(entry.failed), outputs: Int64(entry.outputs))
    }

    /// Whole batches in the log of a stage that it will nevertheless get again: orphans. (What a stage without stored
    /// outputs computes again counts as it did the first time.)
    private func redone(by index: Int, _ committed: [CommittedSet]) -> [UInt64] {
        let log = logs[index]
        let isAll =
            log.committedThrough == committed[index].through && log.beyond.count == committed[index].beyond.count
        return isAll ? [] : liveBatches(of: index).filter { !committed[index].contains($0) }
    }

    private func liveBatches(of index: Int) -> [UInt64] {
        let log = logs[index]
        let first = log.retiredThrough + 1
        return (first <= log.committedThrough ? Array(first...log.committedThrough) : []) + log.beyond
    }

    /// The dead letters among the records that a stage may be given again.
    private func deadInputs(of index: Int, after checkpoint: UInt64, sinkThrough: UInt64) throws(LogError)
        -> [UInt64: IndexRanges]
    {
        let log = logs[index]
        var dead: [UInt64: IndexRanges] = [:]
        for batch in liveBatches(of: index) + log.pendingBatches where batch > min(checkpoint, sinkThrough) {
            for location in log.entries(of: batch) + log.pending(of: batch) where location.entry.failed > 0 {
                dead[batch, default: IndexRanges()].formUnion(try items(of: location, in: log).failed)
            }
        }
        return dead
    }

    /// Batches that a stage has done in part. After a power loss the stage above may have lost one of them, and make other
    /// records of it: then the parts do not count.
    private func pendingBatches(of index: Int, _ committed: [CommittedSet]) -> [UInt64] {
        guard index > 0 else { return [] }
        return logs[index].pendingBatches.filter {
            !committed[index].contains($0) && committed[index - 1].contains($0)
        }
    }

    private func addPartials(to stage: inout RecoveredStage, _ index: Int, _ committed: [CommittedSet]) throws(LogError) {
        let log = logs[index]
        guard policies[index].durable else { return }
        for batch in pendingBatches(of: index, committed) {
            var partial = RecoveredPartial(covered: IndexRanges(), passed: 0, failed: 0, outputs: [])
            for location in log.pending(of: batch) {
                partial.covered.formUnion(try items(of: location, in: log).covered)
                partial.passed += UInt64(location.entry.passed)
                partial.failed += UInt64(location.entry.failed)
                if let output = try output(of: location, in: log) { partial.outputs.append(output) }
            }
            stage.partials[batch] = partial
        }
    }

    /// Whether the log of its stage says of a letter's record that it has failed.
    func isClaimed(_ facts: LetterFacts) throws(LogError) -> Bool {
        guard logs.indices.contains(facts.stage) else { return false }
        let log = logs[facts.stage]
        let isWhole = settled[facts.stage].contains(facts.batch)
        // Of a batch that is not whole, its parts count as long as the stage above has it.
        guard isWhole || facts.stage > 0 && settled[facts.stage - 1].contains(facts.batch) else { return false }
        let entries = isWhole ? log.entries(of: facts.batch) : log.pending(of: facts.batch)
        if isWhole, entries.isEmpty { return true }
        for location in entries where location.entry.failed > 0 {
            if facts.stage == 0 { return true }
            if try items(of: location, in: log).failed.contains(facts.index) { return true }
        }
        return false
    }

    /// What the stage has cost: what the ledger sums up, and the entries above that.
    private func addCosts(to stage: inout RecoveredStage, _ index: Int) throws(LogError) {
        let log = logs[index]
        let known = ledger.costs[index] ?? LetterLedger.Costs()
        stage.metrics = known.amounts
        costs[index] = []
        for batch in liveBatches(of: index) + log.pendingBatches where batch > known.through {
            let isWhole = stage.committed.contains(batch)
            for location in isWhole ? log.entries(of: batch) : log.pending(of: batch)
            where location.entry.flags.contains(.hasMetrics) {
                let amounts = try items(of: location, in: log).metrics
                costs[index].append((batch, amounts))
                for (name, amount) in amounts { stage.metrics[name, default: 0] += amount }
            }
        }
    }

    /// Before entries are let go of, the ledger takes over what they have cost.
    private func keepCosts(of index: Int, through batch: UInt64) throws(LogError) {
        let through = min(batch, logs[index].committedThrough)
        guard costs[index].contains(where: { $0.batch <= through }), logs[index].wouldRetire(through: through) else { return }
        var amounts = ledger.costs[index]?.amounts ?? [:]
        for cost in costs[index] where cost.batch <= through {
            for (name, amount) in cost.amounts { amounts[name, default: 0] += amount }
        }
        var entry = LedgerEntry(.costs)
        entry.stage = index
        entry.through = through
        entry.amounts = amounts
        try ledger.write([entry], seconds: UInt32(clamping: time(nil)))
        costs[index].removeAll { $0.batch <= through }
    }

    private func items(of location: EntryLocation, in log: StageLog) throws(LogError) -> EntryItems {
        let extra = try log.extra(of: location)
        do throws(WireError) {
            return try EntryItems(extra)
        } catch {
            throw unreadable(location, log, error)
        }
    }

    private func unreadable(_ location: EntryLocation, _ log: StageLog, _ error: WireError) -> LogError {
        LogError(
            .damaged, file: log.folder, offset: UInt64(location.offset), expected: "items of docs/wire.md",
            found: "\(error)", help: "look at it with `stagehost verify`")
    }

    /// The blocks of an entry, as a payload.
    private func output(of location: EntryLocation, in log: StageLog) throws(LogError) -> BlockPayload? {
        guard location.recordsLength > 0 else { return nil }
        let buffer = unsafe BlockPayload.allocate(location.recordsLength)
        let none = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
        do throws(LogError) {
            unsafe try log.read(location, records: buffer, extra: none)
        } catch {
            unsafe free(buffer.baseAddress)
            throw error
        }
        return unsafe BlockPayload(
            owning: buffer, blocksLength: location.recordsLength, records: UInt64(location.entry.outputs))
    }

    /// The output of a committed batch, in the order in which it was logged.
    func output(of batch: UInt64, stage: Int) throws(LogError) -> [Payload] {
        let locations = logs[stage].entries(of: batch)
        guard !locations.isEmpty else {
            throw LogError(
                .retired, file: logs[stage].folder, expected: "the output of batch \(batch)",
                found: "everything up to batch \(logs[stage].retiredThrough) retired",
                help: "a log below has lost what it had claimed: `--fresh` starts the job over")
        }
        var payloads: [Payload] = []
        for location in locations {
            if let payload = try output(of: location, in: logs[stage]) { payloads.append(payload) }
        }
        return payloads
    }

    /// The checkpoint that a batch left in a stage's log.
    package func checkpoint(of batch: UInt64, stage: Int) throws(LogError) -> CheckpointPayload? {
        guard let location = logs[stage].lastCheckpoint(notAbove: batch), location.entry.batch == batch else { return nil }
        return try items(of: location, in: logs[stage]).checkpoint
    }

    /// The newest checkpoint of a stage and its batch.
    package func newestCheckpoint(of stage: Int) throws(LogError) -> (batch: UInt64, bytes: [UInt8])? {
        guard let location = logs[stage].lastCheckpoint(notAbove: .max) else { return nil }
        guard let payload = try items(of: location, in: logs[stage]).checkpoint else { return nil }
        return (location.entry.batch, payload.bytes)
    }

    /// The state that a stage had before a batch, as far back as its log still goes.
    ///
    /// - Returns: nil when there was none.
    package func state(before batch: UInt64, stage: Int) throws(LogError) -> (batch: UInt64, bytes: [UInt8])? {
        guard let location = logs[stage].lastCheckpoint(notAbove: max(batch, 1) - 1) ?? logs[stage].lastCheckpoint(notAbove: .max),
            let payload = try items(of: location, in: logs[stage]).checkpoint
        else { return nil }
        return (location.entry.batch, payload.bytes)
    }

    /// Writes the entries of commits of one stage, in their order.
    ///
    /// - Parameter done: How many of them are written, also when it throws. Those are skipped.
    func append(_ commits: [Commit], done: inout Int, seconds: UInt32) throws(LogError) {
        guard let stage = commits.first?.stage else { return }
        let extras = commits.map { $0.extra() }
        let failure: LogError? = unsafe Array(extras.joined()).withUnsafeBytes { all in
            var start = 0
            let entries = zip(commits, extras).map { commit, extra in
                let blocks = commit.output.compactMap { $0 as? BlockPayload }
                let checksum = blocks.reduce(0 as UInt32?) { sum, payload in
                    guard let sum, let next = payload.checksum else { return nil }
                    return joined(sum, next, count: payload.byteCount)
                }
                defer { start += extra.count }
                return unsafe NewEntry(
                    entry: commit.entry(seconds: seconds, keepsOutput: policies[stage].durable || !commit.output.isEmpty),
                    records: blocks.map(\.blocks), extra: UnsafeRawBufferPointer(rebasing: all[start..<start + extra.count]),
                    recordsChecksum: checksum)
            }
            while done < commits.count {
                do throws(LogError) {
                    let count = try logs[stage].append(entries[done...])
                    for commit in commits[done..<done + count] {
                        if commit.isWhole { settled[stage].insert(commit.batch) }
                        if !commit.metrics.isEmpty { costs[stage].append((commit.batch, commit.metrics)) }
                    }
                    done += count
                } catch {
                    return error
                }
            }
            return nil
        }
        // Their payloads own the memory that the entries pointed to.
        withExtendedLifetime(commits) {}
        if let failure { throw failure }
    }

    /// Writes the entry of a commit.
    func append(_ commit: Commit, seconds: UInt32) throws(LogError) {
        var done = 0
        try append([commit], done: &done, seconds: seconds)
    }

    /// Makes durable what was appended: upper stages first, so that no log claims a batch that one above has lost.
    func sync() throws(LogError) {
        for log in logs where !log.isSynced { try log.sync() }
    }

    /// What each stage has committed at this moment.
    var committedNow: [CommittedSet] { settled }

    /// Lets go of what the next stage with a log has durably committed.
    ///
    /// - Parameter settled: What each stage had committed when a sync began that has succeeded since.
    func retire(_ settled: [CommittedSet]) throws(LogError) {
        for index in logs.indices.dropLast() {
            var through = UInt64.max
            for below in index + 1..<logs.count {
                // A stateful stage needs its input again from its last snapshot on.
                if isStateful[below] ?? true {
                    through = min(through, logs[below].lastCheckpoint(notAbove: settled[below].through)?.entry.batch ?? 0)
                }
                if policies[below].durable || isStateful[below] ?? true || below == logs.count - 1 {
                    through = min(through, settled[below].through)
                    break
                }
            }
            try keepCosts(of: index, through: through)
            try logs[index].retire(through: through)
        }
        // Of a sink nobody below needs anything: its newest entry is its checkpoint.
        try keepCosts(of: logs.count - 1, through: settled[logs.count - 1].through)
        try logs[logs.count - 1].retire(through: settled[logs.count - 1].through)
    }
}
