import StageModel

// From the last outcome of a batch to its entry in the log and its way down.

extension Scheduler {
    /// Completes what has an outcome for every record. In an atomic stage batches are complete in order only: its log
    /// says "all up to here", and so does its checkpoint.
    func completeIfDone(_ work: Work, of stage: StageState) {
        guard stage.isAtomic else {
            if work.isComplete { complete(work, of: stage) }
            return
        }
        while let first = stage.works.first, first.isComplete { complete(first, of: stage) }
    }

    private func complete(_ work: Work, of stage: StageState) {
        stage.works.removeAll { $0 === work }
        closeSearch(of: work, stage)
        if stage.syncsItself {
            if work.hasEffect { stage.givesPositions = work.checkpoint != nil }
            if stage.unsynced.isEmpty { stage.unsyncedSince = now }
            stage.unsynced.append(work)
        } else {
            settle(work, of: stage)
        }
    }

    /// Books a complete batch: its entry for the log, its output for the next stage, its checkpoint.
    private func settle(_ work: Work, of stage: StageState) {
        if stage.policy.kind != .sink, comesFromAbove(work.batch, to: stages[stage.index + 1]) {
            stage.finished[work.batch] = Finished(payloads: work.output, records: work.outputRecords)
        }
        if !work.isRecomputed {
            log(work, of: stage, whole: true)
        }
        if let checkpoint = work.checkpoint {
            stage.checkpoint = checkpoint
            stage.checkpointBatch = work.batch
            stage.snapshotsMissed = 0
            forgetReplayable(through: work, of: stage)
        } else if stage.isStateful, !work.isFinish {
            work.output = []
            stage.replayable.append(work)
            if work.snapshotWanted { stage.snapshotsMissed += 1 }
            checkSnapshots(of: stage)
        }
    }

    /// A stateful plugin that never hands back its state would have everything kept for ever.
    private func checkSnapshots(of stage: StageState) {
        guard stage.snapshotsMissed > Self.snapshotsMissedAtMost, stage.replayableBytes > policy.memoryBudgetBytes / 2
        else { return }
        fail(
            .refused(
                stage: stage.index,
                message:
                    "stage \"\(stage.policy.name)\" is stateful, but hands back no checkpoint when asked: \(stage.replayable.count) batches are kept for it; make its plugin set a checkpoint"
            ))
    }

    /// Hands to the log what has come since the last entry of this batch.
    func log(_ work: Work, of stage: StageState, whole: Bool) {
        guard !work.isRecomputed, !work.isReplay else { return }
        let total = Counts(
            inputs: work.resolvedInputs, passed: work.passed, filtered: work.filtered, failed: work.failed,
            outputs: work.outputRecords)
        var covered = IndexRanges(count: work.inputCount)
        covered.subtract(work.unresolved)
        covered.subtract(work.loggedRanges)
        guard whole || !covered.isEmpty else { return }
        let delta = total - work.logged
        let letters = Array(work.letters.suffix(from: work.loggedLetters))
        let commit = Commit(
            stage: stage.index, batch: work.batch, isWhole: whole, inputs: UInt64(work.inputCount), covered: covered,
            passed: delta.passed, filtered: delta.filtered, failed: delta.failed, outputs: delta.outputs,
            output: stage.isDurable ? Array(work.output.suffix(from: work.loggedPayloads)) : [], letters: letters,
            input: letters.isEmpty ? [] : work.input, checkpoint: whole ? work.checkpoint : nil,
            metrics: work.metricsSinceLog(), isFinish: work.isFinish, build: work.build ?? stage.build)
        work.logged = total
        work.loggedPayloads = work.output.count
        work.loggedLetters = work.letters.count
        work.loggedRanges.formUnion(covered)
        stage.counts += delta
        for (name, amount) in commit.metrics { stage.metrics[name, default: 0] += amount }
        append(commit, of: stage)
    }

    func append(_ commit: Commit, of stage: StageState) {
        if commit.isWhole {
            // The log keeps the order of its entries: earlier parts of the batch are in when this one is.
            stage.appendingParts[commit.batch] = nil
            stage.appending[commit.batch] = commit.inputs
        } else {
            stage.appendingParts[commit.batch, default: []].append(UInt64(commit.covered.count))
        }
        actions.append(.append(commit))
    }

    func entryAppended(_ stage: Int, _ batch: UInt64) {
        guard stages.indices.contains(stage) else { return }
        if let records = stages[stage].appending.removeValue(forKey: batch) {
            note(.batchDone(stage: stage, batch: batch, records: records))
        }
        stages[stage].committed.insert(batch)
        isFlushed = false
    }

    func partAppended(_ stage: Int, _ batch: UInt64) {
        guard stages.indices.contains(stage), stages[stage].appendingParts[batch]?.isEmpty == false else { return }
        stages[stage].appendingParts[batch]?.removeFirst()
        isFlushed = false
    }

    // MARK: - Sinks

    /// Whether the sink could be asked to `sync` now: it is idle, and stands between two batches. A position in the
    /// middle of a batch must not get into the log, which only knows whole ones.
    func canSync(_ stage: StageState) -> Bool {
        stage.syncsItself && !stage.unsynced.isEmpty && stage.syncing == nil
            && stage.works.allSatisfy { $0.inHand == 0 && $0.passed == 0 && $0.resolvedInputs == $0.failed }
            && stage.workers.contains { $0.canServe && $0.outstanding.isEmpty }
    }

    /// Asks the sink to make durable what its log is about to claim.
    func syncSink(_ stage: StageState) {
        guard canSync(stage), isSyncDue(stage),
            let worker = stage.workers.first(where: { $0.canServe && $0.outstanding.isEmpty })
        else { return }
        let dispatch = newDispatch()
        worker.outstanding.append(
            Dispatch(id: dispatch, kind: .sync, batch: 0, ranges: IndexRanges(), sentAt: now, startedAt: now, aliveAt: now))
        stage.syncing = worker.id
        actions.append(.send(worker.id, dispatch, .sync))
    }

    func isSyncDue(_ stage: StageState) -> Bool {
        if let notBefore = stage.syncNotBefore, notBefore > now { return false }
        if stage.swap?.phase == .draining { return true }
        // At the end, in a drain and in a pause nothing is gained by waiting.
        if mode != .running || pauseReason != nil || hasTakenAll(stage) && stage.works.isEmpty {
            return true
        }
        if stage.lacksPosition || stage.unsyncedBytes > policy.memoryBudgetBytes / 4 { return true }
        guard let since = stage.unsyncedSince else { return false }
        return now >= since.advanced(by: syncInterval)
    }

    /// How long a sink's results may wait for their `sync`. Also with logs that are never synced: what a sink has not
    /// made durable must not be claimed, because its next worker may not find it.
    var syncInterval: UInt64 {
        switch policy.sync {
        case .everyBatch: 0
        case .interval(let nanoseconds): nanoseconds
        case .never: 1_000_000_000
        }
    }

    func sinkSynced(
        _ stage: StageState, _ worker: WorkerState, _ status: CallStatus, _ outcome: Outcome, message: String,
        retryMilliseconds: UInt32
    ) {
        guard stage.syncing == worker.id else { return }
        stage.syncing = nil
        switch status {
        case .ok, .end, .idle:
            stage.syncNotBefore = nil
            stage.syncRetries = 0
            let works = stage.unsynced
            stage.unsynced = []
            stage.unsyncedSince = nil
            // It belongs to the batch that moved the sink last, not to an empty one behind it.
            if let checkpoint = outcome.checkpoint {
                (works.last(where: \.hasEffect) ?? works.last)?.checkpoint = checkpoint
            }
            stage.hasNoPosition = !works.contains { $0.checkpoint != nil }
            for work in works { settle(work, of: stage) }
        case .retry:
            stage.retries += 1
            stage.syncRetries += 1
            let pause =
                retryMilliseconds > 0
                ? UInt64(retryMilliseconds) * 1_000_000 : backoff(stage.policy.retry, after: stage.syncRetries)
            stage.syncNotBefore = now.advanced(by: pause)
        case .reject, .fatal:
            let reason =
                message.isEmpty ? "the sink \"\(stage.policy.name)\" could not make its output durable" : message
            if isOnProbation(worker, of: stage) { return rollBack(stage, reason) }
            fail(.refused(stage: stage.index, message: reason))
        }
    }
}
