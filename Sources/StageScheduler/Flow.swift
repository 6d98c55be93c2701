import StageModel

// How batches come to a stage: from the stage above while it runs, from that stage's log after a restart, and, behind
// the last batch of the source, as finish batches.

extension Scheduler {
    /// The number behind which nothing comes for this stage; nil while the source has not ended.
    func lastInput(of stage: StageState) -> UInt64? {
        lastBatch.map { $0 + UInt64(stage.index) }
    }

    /// Whether `batch` is the stage's own finish.
    func isFinish(_ batch: UInt64, of stage: StageState) -> Bool {
        stage.index > 0 && lastInput(of: stage) == batch
    }

    /// Whether the stage wants the input of `batch`: it has not committed it, or must be shown it again to rebuild its
    /// state. Where it keeps no log, it wants what the stage below wants.
    func isWanted(_ batch: UInt64, by stage: StageState) -> Bool {
        guard stage.policy.durable || stage.index == stages.count - 1 else {
            return isWanted(batch, by: stages[stage.index + 1])
        }
        return !stage.committed.contains(batch) || needsReplay(batch, by: stage)
    }

    /// A stateful stage needs again what it has done since its last snapshot, after a restart of the host.
    private func needsReplay(_ batch: UInt64, by stage: StageState) -> Bool {
        guard stage.isStateful, batch > stage.checkpointBatch, batch >= stage.nextInput, !isFinish(batch, of: stage)
        else { return false }
        guard let last = lastInput(of: stage) else { return true }
        return stage.committed.through < last
    }

    /// Takes as many batches as the window allows.
    func takeInput(_ stage: StageState) {
        guard stage.index > 0, stage.facts != nil else { return }
        while stage.held < stage.policy.window {
            let batch = stage.nextInput
            if let last = lastInput(of: stage), batch > last { return }
            guard isWanted(batch, by: stage) else {
                if lastBatch == nil, batch > recoveredLast { return }
                stage.nextInput += 1
                continue
            }
            if isFinish(batch, of: stage) {
                guard stage.works.isEmpty else { return }
                stage.nextInput += 1
                add(Work(batch: batch, input: [], inputCount: 0, isFinish: true), to: stage)
                continue
            }
            guard takeFromAbove(batch, stage, forReplay: stage.committed.contains(batch)) else { return }
        }
    }

    private func takeFromAbove(_ batch: UInt64, _ stage: StageState, forReplay: Bool) -> Bool {
        let above = stages[stage.index - 1]
        if let finished = above.finished.removeValue(forKey: batch) ?? above.fetched.removeValue(forKey: batch) {
            stage.nextInput += 1
            let work = Work(
                batch: batch, input: finished.payloads, inputCount: UInt32(clamping: finished.records))
            if forReplay {
                stage.replayable.append(work)
            } else {
                add(work, to: stage)
            }
            return true
        }
        if above.index > 0, above.committed.contains(batch), above.policy.durable, above.appending[batch] == nil,
            above.work(batch) == nil
        {
            requestFetch(of: batch, from: above, ahead: 8)
        }
        return false
    }

    /// Asks for the output of `batch` and of some that will be asked for next: a fetch takes a while.
    private func requestFetch(of batch: UInt64, from stage: StageState, ahead: UInt64) {
        for next in batch..<batch + ahead {
            guard stage.committed.contains(next), stage.finished[next] == nil, stage.fetched[next] == nil else { continue }
            if stage.fetching.insert(next).inserted {
                actions.append(.fetch(stage: stage.index, batch: next))
            }
        }
    }

    func outputFetched(_ stage: Int, _ batch: UInt64, _ payloads: [Payload]) {
        guard stages.indices.contains(stage), stages[stage].fetching.remove(batch) != nil else { return }
        stages[stage].fetched[batch] = Finished(
            payloads: payloads, records: payloads.reduce(0) { $0 + $1.recordCount })
    }

    private func add(_ work: Work, to stage: StageState) {
        if let partial = stage.recoveredPartials.removeValue(forKey: work.batch), !stage.isAtomic {
            work.unresolved.subtract(partial.covered)
            work.portions = work.unresolved.isEmpty ? [] : [Portion(ranges: work.unresolved)]
            work.output = partial.outputs
            work.outputRecords = partial.outputs.reduce(0) { $0 + $1.recordCount }
            work.passed = partial.passed
            work.failed = partial.failed
            work.resolvedInputs = UInt64(partial.covered.count)
            work.loggedPayloads = work.output.count
            work.loggedRanges = partial.covered
            work.logged = Counts(
                inputs: work.resolvedInputs, passed: work.passed, filtered: work.filtered, failed: work.failed,
                outputs: work.outputRecords)
        }
        stage.works.append(work)
        if work.isFinish, stage.facts?.functions.contains(.finish) != true { work.portions = [] }
        if work.isComplete { complete(work, of: stage) }
    }

    // MARK: - The source

    /// The batch that the source has to deliver next, with its size if it was read before; nil: nothing to read now.
    func nextRead(_ stage: StageState) -> (batch: UInt64, exact: UInt32?)? {
        while true {
            let batch = stage.nextInput
            if let lastBatch, batch > lastBatch { return nil }
            guard batch <= recoveredLast else { return (batch, nil) }
            if isWanted(batch, by: stages[1]) {
                guard batch >= firstCounted, batch - firstCounted < UInt64(sourceCounts.count) else {
                    fail(.broken("batch \(batch) of the source is needed again, but its log no longer has it"))
                    return nil
                }
                return (batch, sourceCounts[Int(batch - firstCounted)])
            }
            stage.nextInput += 1
        }
    }

    /// Reads on, if there is room below and the source is in the right place.
    func dispatchReads(_ stage: StageState, at now: Moment) {
        guard let worker = stage.workers.first(where: { $0.canServe }), worker.outstanding.isEmpty,
            stage.held < stage.policy.window, heldBytes < policy.memoryBudgetBytes,
            stages.allSatisfy({ $0.facts != nil })
        else { return }
        if let idleUntil, idleUntil > now { return }
        if let notBefore = stage.notBefore, notBefore > now { return }
        guard let (batch, exact) = nextRead(stage) else { return }
        guard worker.position == batch - 1 else {
            // It stands elsewhere: a fresh one is opened at the right place.
            leave(worker)
            return
        }
        var count = exact ?? policy.batchRecords
        if exact == nil, let limit = policy.recordLimit {
            guard recordsRead < limit else {
                sourceRead(stage, batch: batch, Outcome(), isEnd: true)
                return
            }
            count = UInt32(clamping: min(UInt64(count), limit - recordsRead))
        }
        let dispatch = newDispatch()
        worker.outstanding.append(
            Dispatch(id: dispatch, kind: .read, batch: batch, ranges: IndexRanges(), startedAt: now, aliveAt: now))
        actions.append(
            .send(
                worker.id, dispatch,
                .read(
                    batch: batch, count: count, bytes: exact == nil ? policy.batchBytes : .max,
                    firstIdentifier: exact == nil ? nextIdentifier : identifier(ofFirstIn: batch), exact: exact != nil)))
    }

    /// Ids are ordinals: those of a re-read are counted back from the first record that was never read.
    private func identifier(ofFirstIn batch: UInt64) -> UInt64 {
        let start = Int(batch - firstCounted)
        let since = sourceCounts[start...].reduce(UInt64(0)) { $0 + UInt64($1) }
        return nextIdentifier - min(nextIdentifier, since)
    }
}
