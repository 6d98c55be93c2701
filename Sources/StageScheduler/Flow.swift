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
    /// state. Where it keeps no outputs, it wants what the stage below wants.
    func isWanted(_ batch: UInt64, by stage: StageState) -> Bool {
        if isVoid(batch, of: stage) { return !stage.committed.contains(batch) }
        guard stage.isDurable else {
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
            || retries.contains { $0 > last && $1.stage <= stage.index && !stage.committed.contains($0) }
    }

    /// Takes as many batches as the window allows.
    func takeInput(_ stage: StageState) {
        guard isEveryPluginKnown else { return }
        guard stage.index > 0 else {
            // What needs no worker moves on by itself.
            _ = nextRead(stage)
            return
        }
        if !stage.isStateful, stage.isDurable, stage.nextInput <= stage.committed.through {
            stage.nextInput = stage.committed.through + 1
        }
        while stage.held < stage.policy.window {
            let batch = stage.nextInput
            if stage.takenAhead.remove(batch) != nil {
                stage.nextInput += 1
                continue
            }
            if let last = finalInput(of: stage), batch > last { return }
            guard isWanted(batch, by: stage) else {
                if lastBatch == nil, batch > recoveredLast { return }
                stage.nextInput += 1
                continue
            }
            if isFinish(batch, of: stage) {
                guard stage.works.isEmpty else { return }
                stage.nextInput += 1
                let finishes = stage.facts?.functions.contains(.finish) ?? false
                let work = Work(batch: batch, input: [], inputCount: 0, isFinish: true, callsPlugin: finishes)
                work.isRecomputed = stage.committed.contains(batch)
                add(work, to: stage)
                continue
            }
            if isVoid(batch, of: stage) {
                guard takeVoid(batch, stage) else { return }
                stage.nextInput += 1
                add(Work(batch: batch, input: [], inputCount: 0), to: stage)
                continue
            }
            // The effect of a sink must not be ahead of what the logs know: they have to give the batch the same bounds
            // again after a death of the host.
            if stage.policy.kind == .sink, stages.contains(where: { $0.appending[batch] != nil }) { return }
            guard takeFromAbove(batch, stage) else { return takeAhead(stage) }
            stage.nextInput += 1
        }
    }

    /// Takes what is finished above and has no claim to its turn. Room for one batch is left free: that for which the
    /// others do not wait must find some when it comes.
    private func takeAhead(_ stage: StageState) {
        let above = stages[stage.index - 1]
        guard letsPass(above, stage), !above.finished.isEmpty else { return }
        stage.takenAhead = stage.takenAhead.filter { $0 > stage.nextInput }
        for batch in above.finished.keys.sorted() {
            guard batch > stage.nextInput else { continue }
            guard stage.held + 1 < stage.policy.window, batch - stage.nextInput < Self.passedByAtMost else { return }
            guard isWanted(batch, by: stage), !isFinish(batch, of: stage),
                stage.policy.kind != .sink || !stages.contains(where: { $0.appending[batch] != nil })
            else { continue }
            if takeFromAbove(batch, stage) { stage.takenAhead.insert(batch) }
        }
    }

    /// Whether what `above` has finished may come to `stage` out of order.
    private func letsPass(_ above: StageState, _ stage: StageState) -> Bool {
        !above.policy.ordered && above.index > 0 && !above.isAtomic && !stage.isAtomic
    }

    /// Says where `ordered: false` cannot be had.
    func explainKeptOrder() {
        for (above, stage) in zip(stages, stages.dropFirst()) where !above.policy.ordered && !letsPass(above, stage) {
            let reason =
                if above.index == 0 { "a source reads its batches in order" }
                else if above.isAtomic { "its plugin keeps a state from batch to batch" }
                else if stage.policy.kind == .sink { "the sink \"\(stage.policy.name)\" has a position, and gets its batches in order" }
                else { "the next stage, \"\(stage.policy.name)\", keeps a state from batch to batch" }
            note(.orderKept(stage: above.index, reason: reason))
        }
        if !sink.policy.ordered { note(.orderKept(stage: sink.index, reason: "nothing comes after the sink")) }
    }

    private func takeFromAbove(_ batch: UInt64, _ stage: StageState) -> Bool {
        let above = stages[stage.index - 1]
        guard let letters = lettersFor(batch, stage) else { return false }
        if let empty = above.finished.removeValue(forKey: batch) ?? above.fetched.removeValue(forKey: batch) {
            let finished = letters ?? empty
            retryInputs[batch] = nil
            let isDone = stage.committed.contains(batch)
            let work = Work(
                batch: batch, input: finished.payloads, inputCount: UInt32(clamping: finished.records),
                dead: isDone ? stage.recoveredDead[batch] ?? IndexRanges() : IndexRanges())
            if isDone, stage.isStateful {
                work.replay()
                stage.replayable.append(work)
            } else {
                work.isRecomputed = isDone
                add(work, to: stage)
            }
            return true
        }
        if above.index > 0, above.committed.contains(batch), above.isDurable, above.appending[batch] == nil,
            above.work(batch) == nil
        {
            requestFetch(of: batch, from: above)
        }
        return false
    }

    /// Asks for the output of `batch` and of those that follow it: a fetch takes a while. Without a gap, because what
    /// is fetched takes room that the stage needs to fill the gap.
    private func requestFetch(of batch: UInt64, from stage: StageState) {
        for next in batch..<batch + Self.fetchAhead {
            guard stage.committed.contains(next), stage.finished[next] == nil, stage.appending[next] == nil,
                comesFromAbove(next, to: stages[stage.index + 1]), isWanted(next, by: stages[stage.index + 1])
            else { return }
            guard stage.fetched[next] == nil, !stages[stage.index + 1].takenAhead.contains(next) else { continue }
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
            work.putInOrder()
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
        if let interruptions = stage.recoveredInterruptions.removeValue(forKey: work.batch) {
            takeUp(interruptions, of: work, in: stage)
        }
        let place = stage.works.lastIndex { $0.batch < work.batch }.map { $0 + 1 } ?? 0
        stage.works.insert(work, at: place)
        completeIfDone(work, of: stage)
    }

    // MARK: - The source

    /// The batch that the source has to deliver next, with its size if it was read before; nil: nothing to read now.
    func nextRead(_ stage: StageState) -> (batch: UInt64, exact: UInt32?)? {
        while true {
            let batch = stage.nextInput
            guard batch <= recoveredLast else {
                if passBySource(batch, stage) { continue }
                if let lastBatch, batch > lastBatch { return nil }
                return (batch, nil)
            }
            if comesFromAbove(batch, to: stages[1]), isWanted(batch, by: stages[1]) {
                guard batch >= firstCounted, batch - firstCounted < UInt64(sourceCounts.count) else {
                    fail(.broken("batch \(batch) of the source is needed again, but its log no longer has it"))
                    return nil
                }
                let count = sourceCounts[Int(batch - firstCounted)]
                if count > 0 { return (batch, count) }
                stage.finished[batch] = Finished(payloads: [], records: 0)
            }
            stage.nextInput += 1
        }
    }

    /// Reads on, if there is room below and the source is in the right place.
    func dispatchReads(_ stage: StageState) {
        guard let worker = stage.workers.first(where: { $0.canServe }), worker.outstanding.isEmpty,
            stage.held < stage.policy.window, isEveryPluginKnown
        else { return }
        if let idleUntil, idleUntil > now { return }
        if holdsReads(stage) { return }
        if let notBefore = stage.notBefore, notBefore > now { return }
        guard mayRead(stage) else { return }
        guard let (batch, exact) = nextRead(stage), heldBytes < policy.memoryBudgetBytes else { return }
        guard worker.position == batch - 1 else {
            // It stands elsewhere: a fresh one is opened at the right place.
            leave(worker)
            return
        }
        var count = exact ?? batchRecords
        let skips = skipLeft > 0
        if skips {
            count = UInt32(clamping: min(UInt64(policy.batchRecords), skipLeft))
        } else if exact == nil, let limit = policy.recordLimit {
            guard recordsRead < limit else {
                sourceRead(stage, batch: batch, Outcome(), isEnd: true)
                return
            }
            count = UInt32(clamping: min(UInt64(count), limit - recordsRead))
        }
        let isExact = exact != nil && !skips
        let first = skips ? policy.skipRecords - skipLeft : isExact ? identifier(ofFirstIn: batch) : nextIdentifier
        let dispatch = newDispatch()
        worker.outstanding.append(
            Dispatch(id: dispatch, kind: .read, batch: batch, ranges: IndexRanges(), sentAt: now, startedAt: now, aliveAt: now))
        actions.append(
            .send(
                worker.id, dispatch,
                .read(
                    batch: batch, count: count, bytes: isExact ? .max : policy.batchBytes, firstIdentifier: first,
                    exact: isExact)))
    }

    /// Records that the next batch is to have. What was read once keeps its bounds: the log of the source has them.
    private var batchRecords: UInt32 {
        guard policy.adaptsBatches else { return policy.batchRecords }
        guard let slowest = stages.compactMap(\.typicalRecordNanoseconds).max(), stages.allSatisfy({ $0.typicalRecordNanoseconds != nil })
        else { return Self.adaptedRecords.lowerBound }
        let wanted = UInt32(min(Self.batchAimNanoseconds / max(slowest, 1), 65_536))
        return min(max(wanted, Self.adaptedRecords.lowerBound), Self.adaptedRecords.upperBound)
    }

    /// Ids are ordinals: those of a re-read are counted back from the first record that was never read.
    private func identifier(ofFirstIn batch: UInt64) -> UInt64 {
        // Summed up once, then looked up: re-reads may be many.
        if countedBehind.isEmpty {
            countedBehind = sourceCounts.map(UInt64.init)
            for index in countedBehind.indices.dropLast().reversed() {
                countedBehind[index] += countedBehind[index + 1]
            }
        }
        let since = countedBehind[Int(batch - firstCounted)]
        return recoveredRecords - min(recoveredRecords, since)
    }
}
