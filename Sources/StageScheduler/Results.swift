import StageModel

// What workers answer, and what becomes of it.

extension Scheduler {
    func partialCame(_ id: WorkerID, _ dispatch: DispatchID, _ outcome: Outcome) {
        guard let worker = worker(id), let position = worker.outstanding.firstIndex(where: { $0.id == dispatch }),
            let work = worker.outstanding[position].work
        else { return }
        let stage = stages[worker.stage]
        // A batch has its time as a whole; a record has its own.
        if stages[worker.stage].policy.timeoutPerRecord { worker.outstanding[position].aliveAt = now }
        guard !stage.isAtomic else {
            // It stands only when the request is done: until then all of it is in hand.
            worker.outstanding[position].provisional.append(outcome)
            return
        }
        worker.outstanding[position].ranges.subtract(outcome.covered)
        resolve(outcome, of: work, in: stage)
        if stage.policy.durable { log(work, of: stage, whole: false) }
    }

    func resultCame(
        _ id: WorkerID, _ dispatch: DispatchID, _ status: CallStatus, _ outcome: Outcome, message: String,
        retryMilliseconds: UInt32, busyNanoseconds: UInt64
    ) {
        guard let worker = worker(id), let position = worker.outstanding.firstIndex(where: { $0.id == dispatch })
        else { return }
        let stage = stages[worker.stage]
        let request = worker.outstanding.remove(at: position)
        startNext(of: worker, threads: stage.policy.threads)
        // Replays and syncs are no progress: a worker that only did these must not be replaced for its age.
        if request.kind != .sync, request.work?.isReplay != true { worker.batchesServed += 1 }
        switch request.kind {
        case .read:
            stage.learnPace(busyNanoseconds, records: Int(outcome.output?.recordCount ?? 0))
            readCame(stage, worker, request, status, outcome, message: message, retryMilliseconds)
        case .sync:
            sinkSynced(stage, worker, status, outcome, message: message, retryMilliseconds: retryMilliseconds)
        case .process, .finish:
            guard let work = request.work else { return }
            let old = stage.typicalBatchNanoseconds ?? Double(busyNanoseconds)
            stage.typicalBatchNanoseconds = old * 0.8 + Double(busyNanoseconds) * 0.2
            stage.learnPace(busyNanoseconds, records: request.records)
            work.inHand -= 1
            processed(
                work, request, by: worker, stage, status, outcome, message: message, retryMilliseconds)
        }
    }

    /// A request that stood behind one that did not end well: nothing of it was begun.
    func requestCameBack(_ id: WorkerID, _ dispatch: DispatchID) {
        guard let worker = worker(id), let position = worker.outstanding.firstIndex(where: { $0.id == dispatch })
        else { return }
        let stage = stages[worker.stage]
        let request = worker.outstanding.remove(at: position)
        startNext(of: worker, threads: stage.policy.threads)
        guard let work = request.work else { return }
        work.inHand -= 1
        giveBack(request, to: work, of: stage)
    }

    /// The next request that a worker has in its pipe begins when one before it is done.
    private func startNext(of worker: WorkerState, threads: Int) {
        var running = 0
        for position in worker.outstanding.indices {
            if worker.outstanding[position].startedAt != nil {
                running += 1
            } else if running < threads {
                worker.outstanding[position].startedAt = now
                worker.outstanding[position].aliveAt = now
                running += 1
            }
        }
    }

    private func processed(
        _ work: Work, _ request: Dispatch, by worker: WorkerState, _ stage: StageState, _ status: CallStatus,
        _ outcome: Outcome, message: String, _ retryMilliseconds: UInt32
    ) {
        switch status {
        case .ok, .end, .idle:
            for earlier in request.provisional { resolve(earlier, of: work, in: stage) }
            resolve(outcome, of: work, in: stage)
            // That of an earlier part of the batch says nothing of this one.
            if !work.isReplay { work.checkpoint = outcome.checkpoint }
        case .retry:
            if !stage.isAtomic { resolve(outcome, of: work, in: stage) }
            retryLater(work, request, stage, message: message, milliseconds: retryMilliseconds)
        case .reject:
            if !stage.isAtomic { resolve(outcome, of: work, in: stage) }
            for input in unaccounted(work, request, stage).indexes {
                setAside(
                    input, of: work, in: stage, category: "permanent",
                    message: message.isEmpty ? "the plugin rejected the batch" : message)
            }
        case .fatal:
            if !stage.isAtomic { resolve(outcome, of: work, in: stage) }
            fail(.refused(stage: stage.index, message: explained(message, stage)))
            let rest = unaccounted(work, request, stage)
            if work.isFinish || !rest.isEmpty { work.portions.append(Portion(ranges: rest)) }
        }
        completeIfDone(work, of: stage)
        batchOnProbation(by: worker, of: stage)
        // What is there must not wait, unlogged, for the records that are tried again.
        if !work.isComplete, stage.isDurable, !stage.isAtomic { log(work, of: stage, whole: false) }
    }

    /// Records of a request that have no outcome and are nowhere else: not with a worker, not waiting.
    private func unaccounted(_ work: Work, _ request: Dispatch, _ stage: StageState) -> IndexRanges {
        var ranges = request.ranges.intersecting(work.unresolved)
        for portion in work.portions { ranges.subtract(portion.ranges) }
        return ranges
    }

    private func explained(_ message: String, _ stage: StageState) -> String {
        message.isEmpty ? "the plugin of stage \"\(stage.policy.name)\" says that it cannot go on" : message
    }

    /// Books the outcome of some records. What failed transiently gets no outcome yet, but another try.
    private func resolve(_ outcome: Outcome, of work: Work, in stage: StageState) {
        var covered = outcome.covered
        if work.isReplay {
            // Its outcome is in the log. The state must have it, however often it takes.
            for failure in outcome.failures where failure.kind == .transient {
                covered.remove(failure.input)
                tryAgain(failure, of: work, in: stage)
            }
            work.unresolved.subtract(covered)
            return
        }
        if let output = outcome.output {
            work.output.append(output)
            work.outputRecords += output.recordCount
        }
        for (name, amount) in outcome.metrics { work.metrics[name, default: 0] += amount }
        for failure in outcome.failures {
            switch failure.kind {
            case .permanent:
                covered.remove(failure.input)
                setAside(failure.input, of: work, in: stage, category: "permanent", message: failure.message)
            case .transient:
                covered.remove(failure.input)
                tryAgain(failure, of: work, in: stage)
            }
        }
        work.unresolved.subtract(covered)
        // A sink emits nothing: what did not fail is written.
        let resolved = UInt64(covered.count)
        work.passed += stage.policy.kind == .sink ? resolved : min(outcome.passed, resolved)
        work.resolvedInputs += resolved
        if !covered.isEmpty {
            stage.verdictsInARow = 0
            stage.verdictBatches = []
            stage.consecutiveDeaths = 0
        }
    }

    private func tryAgain(_ failure: RecordFailure, of work: Work, in stage: StageState) {
        let tries = (work.tries[failure.input] ?? 0) + 1
        work.tries[failure.input] = tries
        guard tries < stage.policy.retry.attempts || work.isReplay else {
            setAside(failure.input, of: work, in: stage, category: "transient", message: failure.message)
            return
        }
        stage.retries += 1
        let pause =
            failure.retryAfterMilliseconds > 0
            ? UInt64(failure.retryAfterMilliseconds) * 1_000_000 : backoff(stage.policy.retry, after: tries)
        let due = now.advanced(by: pause)
        // A suspect stays alone.
        let isSuspect = work.deaths[failure.input] != nil
        work.portions.append(
            Portion(ranges: IndexRanges(CollectionOfOne(failure.input)), notBefore: due, isSearch: isSuspect))
        note(
            .recordRetried(
                stage: stage.index, batch: work.batch, input: failure.input, attempt: tries + 1,
                message: failure.message))
    }

    /// Nanoseconds to wait after so many failures, jitter included.
    func backoff(_ policy: RetryPolicy, after failures: UInt32) -> UInt64 {
        var pause = Double(policy.backoffNanoseconds)
        for _ in 1..<max(1, min(failures, 64)) { pause *= policy.factor }
        pause = min(pause, Double(policy.maximumNanoseconds))
        pause *= 1 + policy.jitter * (2 * random.unit() - 1)
        return UInt64(max(0, min(pause, 1e18)))
    }

    /// The plugin cannot take the batch now: the whole stage waits, all its workers together.
    private func retryLater(
        _ work: Work, _ request: Dispatch, _ stage: StageState, message: String, milliseconds: UInt32
    ) {
        work.batchRetries += 1
        work.attempt += 1
        stage.retries += 1
        let rest = unaccounted(work, request, stage)
        guard work.isFinish || !rest.isEmpty else { return }
        if work.batchRetries >= max(stage.policy.retry.attempts, 1) * 10, !work.isFinish, !work.isReplay {
            for input in rest.indexes {
                setAside(input, of: work, in: stage, category: "transient", message: message)
            }
            return
        }
        // It was the first in line, and stays it: some stages need the order.
        work.portions.insert(Portion(ranges: rest, isSearch: request.isSearch), at: 0)
        let pause =
            milliseconds > 0
            ? UInt64(milliseconds) * 1_000_000 : backoff(stage.policy.retry, after: work.batchRetries)
        stage.notBefore = max(stage.notBefore ?? now, now.advanced(by: pause))
    }

    /// Makes a record a dead letter.
    func setAside(
        _ input: UInt32, of work: Work, in stage: StageState, category: String, message: String, signal: Int32? = nil,
        evidence: String = ""
    ) {
        guard work.unresolved.contains(input) else { return }
        work.bury(input)
        guard !work.isReplay, !work.isRecomputed else { return }
        work.failed += 1
        work.resolvedInputs += 1
        let letter = DeadLetter(
            input: input, category: category, message: message,
            attempts: max(work.tries[input] ?? 0, work.deaths[input] ?? 0, 1), signal: signal, evidence: evidence)
        work.letters.append(letter)
        note(.recordFailed(stage: stage.index, batch: work.batch, letter))
    }

    // MARK: - The source

    private func readCame(
        _ stage: StageState, _ worker: WorkerState, _ request: Dispatch, _ status: CallStatus, _ outcome: Outcome,
        message: String, _ retryMilliseconds: UInt32
    ) {
        let isReread = request.batch <= recoveredLast
        let records = (outcome.output?.recordCount ?? 0) + UInt64(outcome.unreadable.count)
        switch status {
        case .ok, .end, .idle:
            worker.position = request.batch
            if isReread {
                if records == 0, status == .idle {
                    worker.position = request.batch - 1
                    idleUntil = now.advanced(by: Self.idleNanoseconds)
                    return
                }
                let expected = sourceCounts[Int(request.batch - firstCounted)]
                guard records == UInt64(expected) else {
                    fail(
                        .wrongInput(
                            "the source delivered \(records) records for batch \(request.batch), where it had delivered \(expected) before: has its input changed?"
                        ))
                    return
                }
                stage.nextInput = request.batch + 1
                stage.finished[request.batch] = Finished(
                    payloads: outcome.output.map { [$0] } ?? [], records: outcome.output?.recordCount ?? 0)
                return
            }
            if skipLeft > 0, records > 0 {
                // Passed over: the next read goes on behind it, for the same batch.
                worker.position = request.batch - 1
                skipLeft -= min(skipLeft, records)
                if status == .end { sourceRead(stage, batch: request.batch, Outcome(), isEnd: true) }
                return
            }
            if records == 0, status != .end {
                worker.position = request.batch - 1
                idleUntil = now.advanced(by: status == .idle ? Self.idleNanoseconds : Self.emptyReadNanoseconds)
                return
            }
            sourceRead(stage, batch: request.batch, outcome, isEnd: status == .end)
        case .retry:
            let pause = retryMilliseconds > 0 ? UInt64(retryMilliseconds) * 1_000_000 : Self.readRetryNanoseconds
            stage.notBefore = now.advanced(by: pause)
            stage.retries += 1
        case .reject, .fatal:
            fail(.refused(stage: stage.index, message: explained(message, stage)))
        }
    }

    /// Books a batch that was read for the first time. The end of the input is a batch, too, maybe an empty one: so it
    /// stands in the log.
    func sourceRead(_ stage: StageState, batch: UInt64, _ outcome: Outcome, isEnd: Bool) {
        let records = outcome.output?.recordCount ?? 0
        let failed = UInt64(outcome.unreadable.count)
        stage.nextInput = batch + 1
        stage.consecutiveDeaths = 0
        nextIdentifier += records + failed
        recordsRead += records + failed
        if isEnd { lastBatch = batch }
        for (name, amount) in outcome.metrics { stage.metrics[name, default: 0] += amount }
        if let checkpoint = outcome.checkpoint {
            stage.checkpoint = checkpoint
            stage.checkpointBatch = batch
        }
        let letters = outcome.unreadable.map {
            DeadLetter(
                input: 0, category: "permanent", message: $0.message, attempts: 1, evidence: "", unreadable: $0)
        }
        for letter in letters { note(.recordFailed(stage: 0, batch: batch, letter)) }
        let delta = Counts(
            inputs: records + failed, passed: records, filtered: 0, failed: failed, outputs: records)
        stage.counts += delta
        stage.batchesDone += 1
        stage.finished[batch] = Finished(payloads: outcome.output.map { [$0] } ?? [], records: records)
        stage.appending[batch] = delta.inputs
        actions.append(
            .append(
                Commit(
                    stage: 0, batch: batch, isWhole: true, inputs: delta.inputs, covered: IndexRanges(),
                    passed: records, filtered: 0, failed: failed, outputs: records, output: [], letters: letters,
                    input: [], checkpoint: stage.checkpoint, metrics: outcome.metrics, isFinish: isEnd)))
        note(.batchDone(stage: 0, batch: batch))
    }
}
