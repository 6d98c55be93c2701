import StageModel

// What workers answer, and what becomes of it.

extension Scheduler {
    func partialCame(_ id: WorkerID, _ dispatch: DispatchID, _ outcome: Outcome) {
        guard let worker = worker(id), !worker.isSentBack,
            let position = worker.outstanding.firstIndex(where: { $0.id == dispatch }),
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
        let request = worker.outstanding[position]
        let time = now.since(request.answeredAt ?? request.startedAt ?? now)
        answer = (id, time / UInt64(max(1, outcome.covered.count)))
        defer { answer = nil }
        worker.outstanding[position].answeredAt = now
        worker.outstanding[position].ranges.subtract(outcome.covered)
        work.build = worker.build
        resolve(outcome, of: work, in: stage, sentAt: worker.outstanding[position].sentAt)
        if stage.policy.durable { log(work, of: stage, whole: false) }
    }

    func resultCame(
        _ id: WorkerID, _ dispatch: DispatchID, _ status: CallStatus, _ outcome: Outcome, message: String,
        retryMilliseconds: UInt32, busyNanoseconds: UInt64
    ) {
        guard let worker = worker(id), !worker.isSentBack,
            let position = worker.outstanding.firstIndex(where: { $0.id == dispatch })
        else { return }
        let stage = stages[worker.stage]
        let request = worker.outstanding.remove(at: position)
        startNext(of: worker, threads: stage.policy.threads)
        if worker.leavingSince != nil { worker.leavingSince = now }
        let records = request.kind == .read ? outcome.output?.recordCount ?? 0 : UInt64(request.ranges.count)
        let time = request.answeredAt.map { now.since($0) } ?? busyNanoseconds
        answer = (id, time / max(1, records))
        defer { answer = nil }
        if request.kind != .sync, records > 0 || request.kind == .finish {
            note(.called(stage: stage.index, id, records: records, nanoseconds: busyNanoseconds))
        }
        // Replays and syncs are no progress: a worker that only did these must not be replaced for its age.
        // Nor is what a source passes over: the next one would begin at the beginning again.
        let passesOver = request.kind == .read && skipLeft > 0
        if request.kind != .sync, request.work?.isReplay != true, !passesOver { worker.batchesServed += 1 }
        switch request.kind {
        case .read:
            stage.learnPace(busyNanoseconds, records: Int(outcome.output?.recordCount ?? 0))
            readCame(stage, worker, request, status, outcome, message: message, retryMilliseconds)
        case .sync:
            sinkSynced(stage, worker, status, outcome, message: message, retryMilliseconds: retryMilliseconds)
        case .process, .finish:
            guard let work = request.work else { return }
            work.build = worker.build
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
            for earlier in request.provisional { resolve(earlier, of: work, in: stage, sentAt: request.sentAt) }
            resolve(outcome, of: work, in: stage, sentAt: request.sentAt)
            // That of an earlier part of the batch says nothing of this one.
            if !work.isReplay { work.checkpoint = outcome.checkpoint }
        case .retry:
            if !stage.isAtomic { resolve(outcome, of: work, in: stage, sentAt: request.sentAt) }
            retryLater(work, request, stage, message: message, milliseconds: retryMilliseconds)
        case .reject:
            if !stage.isAtomic { resolve(outcome, of: work, in: stage, sentAt: request.sentAt) }
            for input in unaccounted(work, request, stage).indexes {
                setAside(
                    input, of: work, in: stage, category: "permanent",
                    message: message.isEmpty ? "the plugin rejected the batch" : message)
            }
        case .fatal:
            if !stage.isAtomic { resolve(outcome, of: work, in: stage, sentAt: request.sentAt) }
            if !isOnProbation(worker, of: stage) {
                fail(.refused(stage: stage.index, message: explained(message, stage)))
            }
            let rest = unaccounted(work, request, stage)
            if work.isFinish || !rest.isEmpty { work.portions.insert(Portion(ranges: rest), at: 0) }
        }
        completeIfDone(work, of: stage)
        if isOnProbation(worker, of: stage) {
            if status == .fatal { rollBack(stage, explained(message, stage)) } else { batchOnProbation(of: stage) }
        }
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
    private func resolve(_ outcome: Outcome, of work: Work, in stage: StageState, sentAt: Moment) {
        var covered = outcome.covered
        let refused = outcome.failures.count { $0.kind == .transient && $0.retryAfterMilliseconds > 0 }
        if refused > 0 { throttled(stage, records: refused, sentAt: sentAt) }
        // One draw for all of an answer: what fails together is due together, and goes out in one request.
        let chance = outcome.failures.isEmpty ? 0 : random.unit()
        if work.isReplay {
            // Its outcome is in the log. The state must have it, however often it takes.
            for failure in outcome.failures where failure.kind == .transient {
                covered.remove(failure.input)
                tryAgain(failure, of: work, in: stage, chance: chance)
            }
            work.unresolved.subtract(covered)
            return
        }
        if let output = outcome.output {
            work.output.append(output)
            work.outputRecords += output.recordCount
        }
        for (name, amount) in outcome.metrics { work.metrics[name, default: 0] += amount }
        countOnProbation(stage, build: work.build, inputs: UInt64(covered.count))
        for failure in outcome.failures {
            switch failure.kind {
            case .permanent:
                covered.remove(failure.input)
                setAside(failure.input, of: work, in: stage, category: "permanent", message: failure.message)
            case .transient:
                covered.remove(failure.input)
                tryAgain(failure, of: work, in: stage, chance: chance)
            }
        }
        work.unresolved.subtract(covered)
        if !work.apart.isEmpty { work.apart.subtract(covered) }
        passed(covered.count, of: stage, sentAt: sentAt)
        // A sink emits nothing: what did not fail is written.
        let resolved = UInt64(covered.count)
        work.passed += stage.policy.kind == .sink ? resolved : min(outcome.passed, resolved)
        work.resolvedInputs += resolved
        if !covered.isEmpty {
            tellDone(covered, outcome, of: work, in: stage)
            stage.verdictsInARow = 0
            stage.verdictBatches = []
            stage.suspectDeathsInARow = 0
            stage.consecutiveDeaths = 0
        }
    }

    private func tellDone(_ covered: IndexRanges, _ outcome: Outcome, of work: Work, in stage: StageState) {
        guard let answer, !work.isRecomputed else { return }
        var attempts: [UInt32: UInt32] = [:]
        for counted in [work.tries, work.deaths, work.kills] {
            for (input, count) in counted where covered.contains(input) { attempts[input, default: 1] += count }
        }
        let passed = stage.policy.kind == .sink ? UInt64(covered.count) : min(outcome.passed, UInt64(covered.count))
        note(
            .recordsDone(
                DoneRecords(
                    stage: stage.index, batch: work.batch, worker: answer.worker, covered: covered,
                    emitted: outcome.emitted, passed: passed, nanosecondsEach: answer.nanosecondsEach, attempts: attempts)))
    }

    private func tryAgain(_ failure: RecordFailure, of work: Work, in stage: StageState, chance: Double) {
        let tries = (work.tries[failure.input] ?? 0) + 1
        work.tries[failure.input] = tries
        let mayTry = tries < stage.policy.retry.attempts && stage.policy.retry.on.contains(.transient)
        guard mayTry || work.isReplay else {
            setAside(failure.input, of: work, in: stage, category: "transient", message: failure.message)
            return
        }
        stage.retries += 1
        let pause =
            failure.retryAfterMilliseconds > 0
            ? UInt64(failure.retryAfterMilliseconds) * 1_000_000 : backoff(stage.policy.retry, after: tries, chance: chance)
        let due = now.advanced(by: pause)
        // A suspect stays alone.
        let isSuspect = work.deaths[failure.input] != nil || work.apart.contains(failure.input)
        work.portions.append(
            Portion(ranges: IndexRanges(CollectionOfOne(failure.input)), notBefore: due, isSearch: isSuspect))
        note(
            .recordRetried(
                stage: stage.index, batch: work.batch, input: failure.input, attempt: tries + 1,
                message: failure.message))
    }

    /// Nanoseconds to wait after so many failures, jitter included: `chance` from 0 to 1 stands for the least to the most of it.
    func backoff(_ policy: RetryPolicy, after failures: UInt32, chance: Double? = nil) -> UInt64 {
        var pause = Double(policy.backoffNanoseconds)
        for _ in 1..<max(1, min(failures, 64)) { pause *= policy.factor }
        pause = min(pause, Double(policy.maximumNanoseconds))
        pause *= 1 + policy.jitter * (2 * (chance ?? random.unit()) - 1)
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
        if milliseconds > 0, hasRate(stage) { throttled(stage, sentAt: request.sentAt) }
    }

    /// Makes a record a dead letter.
    func setAside(
        _ input: UInt32, of work: Work, in stage: StageState, category: String, message: String, signal: Int32? = nil,
        evidence: String = "", attempts: UInt32? = nil
    ) {
        guard work.unresolved.contains(input) else { return }
        guard !work.isRecomputed else { return resultHasChanged(input, of: work, in: stage, message) }
        work.bury(input)
        guard !work.isReplay else { return }
        work.failed += 1
        work.resolvedInputs += 1
        let tried = max(work.tries[input] ?? 0, work.deaths[input] ?? 0, 1) &+ (work.interruptions[input]?.count ?? 0)
        countOnProbation(stage, build: work.build, failed: 1)
        let letter = DeadLetter(
            input: input, category: category, message: message,
            attempts: attempts ?? tried, signal: signal, evidence: evidence, worker: answer?.worker,
            nanoseconds: answer?.nanosecondsEach)
        work.letters.append(letter)
        stage.failedBy[category, default: 0] += 1
        note(.recordFailed(stage: stage.index, batch: work.batch, letter))
    }

    /// A record that had passed fails when its result, which nobody kept, is made again. What came of it then may be with
    /// the stages below already: without it, their records would no longer be the ones that they were.
    private func resultHasChanged(_ input: UInt32, of work: Work, in stage: StageState, _ message: String) {
        work.tries[input] = nil
        work.portions.removeAll { $0.ranges.first == input && $0.ranges.count == 1 }
        if !work.portions.contains(where: { $0.ranges.contains(input) }) {
            work.portions.append(Portion(ranges: IndexRanges(CollectionOfOne(input))))
        }
        giveUp(
            stage,
            "record \(input) of batch \(work.batch) had passed, and fails now that it is done again, because the stage is not durable: \(message)"
        )
    }

    // MARK: - The source

    private func readCame(
        _ stage: StageState, _ worker: WorkerState, _ request: Dispatch, _ status: CallStatus, _ outcome: Outcome,
        message: String, _ retryMilliseconds: UInt32
    ) {
        let isReread = request.batch <= recoveredLast
        let records = (outcome.output?.recordCount ?? 0) + UInt64(outcome.unreadable.count)
        defer { if isOnProbation(worker, of: stage), status == .ok || status == .end { batchOnProbation(of: stage) } }
        switch status {
        case .ok, .end, .idle:
            worker.position = request.batch
            if skipLeft > 0, records > 0 {
                // Passed over: the next read goes on behind it, for the same batch.
                worker.position = request.batch - 1
                skipLeft -= min(skipLeft, records)
                guard status == .end else { return }
                if isReread {
                    fail(.wrongInput("the source ends within the records that are skipped: has its input changed?"))
                } else {
                    sourceRead(stage, batch: request.batch, Outcome(), isEnd: true)
                }
                return
            }
            if isReread, skipLeft == 0 || status == .end {
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
            if isOnProbation(worker, of: stage) { return rollBack(stage, explained(message, stage)) }
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
        countOnProbation(stage, build: stage.build, inputs: records + failed, failed: failed)
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
        if failed > 0 { stage.failedBy["permanent", default: 0] += failed }
        handedOut(Int(clamping: records + failed), of: stage)
        if let answer, records > 0 {
            note(
                .recordsDone(
                    DoneRecords(
                        stage: 0, batch: batch, worker: answer.worker, covered: IndexRanges(count: UInt32(clamping: records)),
                        passed: records, nanosecondsEach: answer.nanosecondsEach, attempts: [:])))
        }
        let delta = Counts(
            inputs: records + failed, passed: records, filtered: 0, failed: failed, outputs: records)
        stage.counts += delta
        stage.finished[batch] = Finished(payloads: outcome.output.map { [$0] } ?? [], records: records)
        stage.appending[batch] = delta.inputs
        actions.append(
            .append(
                Commit(
                    stage: 0, batch: batch, isWhole: true, inputs: delta.inputs, covered: IndexRanges(),
                    passed: records, filtered: 0, failed: failed, outputs: records, output: [], letters: letters,
                    input: [], checkpoint: stage.checkpoint, metrics: outcome.metrics, isFinish: isEnd,
                    build: stage.build)))
    }
}
