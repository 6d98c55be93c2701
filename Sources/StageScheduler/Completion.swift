import StageModel

// From the last outcome of a batch to its entry in the log and its way down.

extension Scheduler {
    func completeIfDone(_ work: Work, of stage: StageState) {
        if work.isComplete { complete(work, of: stage) }
    }

    func complete(_ work: Work, of stage: StageState) {
        stage.works.removeAll { $0 === work }
        stage.batchesDone += 1
        if let checkpoint = work.checkpoint {
            stage.checkpoint = checkpoint
            stage.checkpointBatch = work.batch
            stage.replayable.removeAll { $0.batch <= work.batch }
        } else if stage.isStateful, !work.isFinish {
            stage.replayable.append(work)
        }
        if stage.policy.kind != .sink {
            stage.finished[work.batch] = Finished(payloads: work.output, records: work.outputRecords)
        }
        log(work, of: stage, whole: true)
        note(.batchDone(stage: stage.index, batch: work.batch))
    }

    /// Hands to the log what has come since the last entry of this batch.
    func log(_ work: Work, of stage: StageState, whole: Bool) {
        let total = Counts(
            inputs: work.resolvedInputs, passed: work.passed, filtered: work.filtered, failed: work.failed,
            outputs: work.outputRecords)
        let before = work.logged
        let delta = Counts(
            inputs: total.inputs - before.inputs, passed: total.passed - before.passed,
            filtered: total.filtered - before.filtered, failed: total.failed - before.failed,
            outputs: total.outputs - before.outputs)
        let fresh = work.output.suffix(from: work.loggedPayloads)
        let letters = Array(work.letters.suffix(from: work.loggedLetters))
        var covered = IndexRanges(count: work.inputCount)
        covered.subtract(work.unresolved)
        covered.subtract(work.loggedRanges)
        guard whole || !covered.isEmpty else { return }
        work.logged = total
        work.loggedPayloads = work.output.count
        work.loggedLetters = work.letters.count
        work.loggedRanges.formUnion(covered)
        stage.counts += delta
        let commit = Commit(
            stage: stage.index, batch: work.batch, isWhole: whole, inputs: UInt64(work.inputCount), covered: covered,
            passed: delta.passed, filtered: delta.filtered, failed: delta.failed, outputs: delta.outputs,
            output: stage.policy.durable ? Array(fresh) : [], letters: letters, input: letters.isEmpty ? [] : work.input,
            checkpoint: whole ? work.checkpoint : nil, metrics: whole ? work.metrics : [:], isFinish: work.isFinish)
        if stage.policy.kind == .sink, stage.facts?.functions.contains(.sync) == true, policy.sync != .never {
            stage.unsynced.append(commit)
            return
        }
        append(commit, of: stage)
    }

    func append(_ commit: Commit, of stage: StageState) {
        if commit.isWhole { stage.appending[commit.batch] = commit.inputs }
        actions.append(.append(commit))
    }

    func entryAppended(_ stage: Int, _ batch: UInt64) {
        guard stages.indices.contains(stage) else { return }
        stages[stage].appending[batch] = nil
        stages[stage].committed.insert(batch)
        isFlushed = false
    }

    // MARK: - Sinks

    /// Asks the sink to make durable what its log is about to claim.
    func syncSink(_ stage: StageState, at now: Moment) {
        guard stage.policy.kind == .sink, !stage.unsynced.isEmpty, stage.syncing == nil else { return }
        if stage.unsyncedSince == nil { stage.unsyncedSince = now }
        guard let since = stage.unsyncedSince, isSyncDue(since: since, at: now),
            let worker = stage.workers.first(where: { $0.phase == .ready })
        else { return }
        let dispatch = newDispatch()
        worker.outstanding.append(
            Dispatch(id: dispatch, kind: .sync, batch: 0, ranges: IndexRanges(), startedAt: now, aliveAt: now))
        stage.syncing = (worker.id, stage.unsynced.count)
        actions.append(.send(worker.id, dispatch, .sync))
    }

    private func isSyncDue(since: Moment, at now: Moment) -> Bool {
        // At the end and in a drain nothing is gained by waiting.
        if mode != .running || (lastInput(of: sink).map { sink.nextInput > $0 } ?? false) && sink.works.isEmpty {
            return true
        }
        switch policy.sync {
        case .never, .everyBatch: return true
        case .interval(let nanoseconds): return now.since(since) >= nanoseconds
        }
    }

    func sinkSynced(
        _ stage: StageState, _ worker: WorkerState, _ status: CallStatus, _ outcome: Outcome, message: String,
        at now: Moment
    ) {
        guard let syncing = stage.syncing, syncing.worker == worker.id else { return }
        stage.syncing = nil
        switch status {
        case .ok, .end, .idle:
            var batch = Array(stage.unsynced.prefix(syncing.count))
            stage.unsynced.removeFirst(syncing.count)
            stage.unsyncedSince = stage.unsynced.isEmpty ? nil : now
            if let checkpoint = outcome.checkpoint, let last = batch.lastIndex(where: { $0.isWhole }) {
                batch[last].checkpoint = checkpoint
                if stage.unsynced.isEmpty, stage.works.allSatisfy({ $0.inHand == 0 }) { stage.checkpoint = checkpoint }
            }
            for commit in batch { append(commit, of: stage) }
        case .retry:
            stage.retries += 1
            stage.unsyncedSince = now
        case .reject, .fatal:
            fail(
                .refused(
                    stage: stage.index,
                    message: message.isEmpty ? "the sink could not make its output durable" : message))
        }
    }
}
