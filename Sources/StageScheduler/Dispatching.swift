import StageModel

// Who gets what: ready workers with room, oldest batch first.

extension Scheduler {
    func dispatchWork(of stage: StageState) {
        stage.pacedUntil = nil
        guard !stage.hasGivenUp, !stage.isHeld, !isTrialUnderWay else { return }
        // The only worker finishes what it has, so that another can take its place.
        switch stage.swap?.phase {
        case .opening: return
        case .draining where !stage.isAtomic || stage.isBetweenBatches: return
        default: break
        }
        guard stage.policy.kind != .source else {
            dispatchReads(stage)
            return
        }
        if let notBefore = stage.notBefore {
            guard notBefore <= now else { return }
            stage.notBefore = nil
        }
        if stage.isAtomic {
            dispatchInOrder(stage)
            return
        }
        while !isTrialUnderWay, let worker = freeWorker(of: stage) {
            guard let (work, position) = nextPortion(of: stage) else { return }
            // What a search hands out travels alone: a death must speak of nothing else.
            if work.portions[position].isSearch, !worker.outstanding.isEmpty { return }
            guard let portion = takePortion(position, of: work, stage) else { return }
            send(portion, of: work, to: worker, stage)
        }
    }

    /// Requests that a worker may have out: those in work, and one or, where batches are short, some in the pipe.
    private func depth(of stage: StageState) -> Int {
        let inPipe = (stage.typicalBatchNanoseconds ?? .infinity) < 5_000_000 ? 3 : 1
        return stage.policy.threads + inPipe
    }

    private func freeWorker(of stage: StageState) -> WorkerState? {
        let depth = depth(of: stage)
        var best: WorkerState?
        for worker in stage.workers where worker.canServe && worker.outstanding.count < depth {
            if worker.outstanding.contains(where: { $0.isSearch }) { continue }
            if best.map({ worker.outstanding.count < $0.outstanding.count }) ?? true { best = worker }
        }
        return best
    }

    /// The next thing to hand out: of the oldest batch that has something, and there what is searched last, so that the
    /// rest of the batch goes through.
    private func nextPortion(of stage: StageState) -> (Work, Int)? {
        if stage.verdictsInARow >= Self.verdictsBeforeControl,
            let control = stage.works.first(where: { !stage.verdictBatches.contains($0.batch) && !$0.portions.isEmpty }),
            let position = nextPosition(in: control, of: stage, searchFirst: true)
        {
            return (control, position)
        }
        // Where one death follows the other and nothing passes, it is time for verdicts: is it the plugin?
        let searchFirst = stage.suspectDeathsInARow >= Self.deathsBeforeSearch
        for work in stage.works {
            if let position = nextPosition(in: work, of: stage, searchFirst: searchFirst) { return (work, position) }
        }
        return nil
    }

    private func nextPosition(in work: Work, of stage: StageState, searchFirst: Bool) -> Int? {
        var other: Int?
        for (position, portion) in work.portions.enumerated() {
            if let due = portion.notBefore, due > now { continue }
            if portion.isSearch, !mayTry(portion, of: work, in: stage) { continue }
            if portion.isSearch == searchFirst { return position }
            if other == nil { other = position }
        }
        return other
    }

    /// An atomic stage: one worker, batch after batch; first what a new worker must be shown again. While it works on one
    /// batch, the next may be in its pipe.
    private func dispatchInOrder(_ stage: StageState) {
        while dispatchNext(of: stage) {}
    }

    /// Takes from what waits as much as may be handed out now; nil: nothing.
    private func takePortion(_ position: Int, of work: Work, _ stage: StageState) -> Portion? {
        if !stage.isAtomic { gatherDue(at: position, of: work, stage) }
        var portion = work.portions[position]
        guard !portion.ranges.isEmpty else { return work.portions.remove(at: position) }
        let most = allowance(portion, of: work, stage)
        guard most > 0 else { return nil }
        guard most < portion.ranges.count else { return work.portions.remove(at: position) }
        (portion.ranges, work.portions[position].ranges) = portion.ranges.split(at: most)
        return portion
    }

    /// Records of a batch that failed transiently and are due by now are tried again together, spread over the workers that have least to
    /// do: one by one each would hold a thread for its call, also in a plugin that works on all records of a call at once.
    private func gatherDue(at position: Int, of work: Work, _ stage: StageState) {
        let first = work.portions[position]
        guard let due = first.notBefore, mayBeGathered(first, of: work), let index = first.ranges.first else { return }
        let part = Portion.part(of: index)
        let others = work.portions.indices.filter { other in
            let portion = work.portions[other]
            return other != position && mayBeGathered(portion, of: work) && portion.notBefore.map { $0 <= now } ?? false
                && portion.ranges.first.map { Portion.part(of: $0) == part } ?? false
        }
        guard !others.isEmpty else { return }
        let records = others.reduce(first.ranges.count) { $0 + work.portions[$1].ranges.count }
        let least = stage.workers.lazy.filter(\.canServe).map(\.outstanding.count).min() ?? 0
        let idlest = max(1, stage.workers.count { $0.canServe && $0.outstanding.count == least })
        let share = (records + idlest - 1) / idlest
        var gathered = first
        var taken: [Int] = []
        for other in others where gathered.ranges.count < share {
            gathered.ranges.formUnion(work.portions[other].ranges)
            taken.append(other)
        }
        gathered.notBefore = due
        work.portions[position] = gathered
        for other in taken.reversed() { work.portions.remove(at: other) }
    }

    /// Suspects stay alone, so that a death speaks of them only.
    private func mayBeGathered(_ portion: Portion, of work: Work) -> Bool {
        portion.notBefore != nil && !portion.isSearch && !work.isApart(portion)
    }

    private func dispatchNext(of stage: StageState) -> Bool {
        guard let worker = stage.workers.first(where: { $0.canServe }), !stage.lacksPosition else { return false }
        let follows = !worker.outstanding.isEmpty
        guard !follows || mayFollow(worker, of: stage) else { return false }
        // What the worker has in hand is the first of all that is not complete; unless that is on its way back, because what came
        // before it did not end well. Then the one before is not sent behind it: each would wait for the other for ever.
        let isNext = { (work: Work) in !work.isComplete && (!follows || work.inHand == 0) }
        var next = follows ? stage.works.first(where: isNext) : stage.works.first
        if let replay = stage.replayable.first(where: isNext), replay.batch < next?.batch ?? .max { next = replay }
        guard let work = next,
            let position = work.portions.firstIndex(where: { $0.notBefore.map { $0 <= now } ?? true }),
            !follows || work.portions[position].isPlain && !work.isFinish && worker.outstanding.allSatisfy({ $0.batch < work.batch }),
            mayTry(work.portions[position], of: work, in: stage), let portion = takePortion(position, of: work, stage)
        else { return false }
        send(portion, of: work, to: worker, stage, follows: follows)
        return true
    }

    /// Whether the worker of an atomic stage may be sent another request behind the one that it has. It begins it only if
    /// that one ends well, so that the order is kept; but then the stage does not come to rest in between.
    private func mayFollow(_ worker: WorkerState, of stage: StageState) -> Bool {
        guard stage.policy.threads == 1, worker.outstanding.count == 1, let before = worker.outstanding.first,
            before.kind == .process, !before.isSearch, let work = before.work, work.inHand == 1, work.portions.isEmpty,
            !isWorn(worker, of: stage), !isDraining(stage)
        else { return false }
        guard stage.syncsItself else { return true }
        // Each of its entries needs a position of its own, and a `sync` comes between two batches.
        return stage.givesPositions && policy.sync != .everyBatch && (stage.unsynced.isEmpty || !isSyncDue(stage))
    }

    /// Another worker waits for this one to come to the end of its batch.
    private func isDraining(_ stage: StageState) -> Bool {
        if case .draining = stage.swap?.phase { true } else { false }
    }

    private func send(
        _ portion: Portion, of work: Work, to worker: WorkerState, _ stage: StageState, follows: Bool = false
    ) {
        let id = newDispatch()
        let running = worker.outstanding.count { $0.startedAt != nil }
        worker.outstanding.append(
            Dispatch(
                id: id, kind: work.isFinish ? .finish : .process, batch: work.batch, ranges: portion.ranges, work: work,
                isSearch: portion.isSearch, sentAt: now, startedAt: running < stage.policy.threads ? now : nil,
                records: portion.ranges.count, aliveAt: now))
        work.inHand += 1
        if work.isApart(portion) { trial = (worker, id) }
        handedOut(portion.ranges.count, of: stage)
        if work.isFinish {
            let base: UInt64 = 0x8000_0000_0000_0000 | UInt64(stage.index) << 40
            actions.append(.send(worker.id, id, .finish(batch: work.batch, firstIdentifier: base)))
            return
        }
        let wanted =
            stage.isStateful && !work.isReplay
            && (work.batch - stage.checkpointBatch >= stage.policy.snapshotEveryBatches
                || stage.replayableBytes > policy.memoryBudgetBytes / 4)
        if wanted { work.snapshotWanted = true }
        let request = Request.process(
            batch: work.batch, input: work.input, inputCount: work.inputCount, ranges: portion.ranges,
            attempt: work.attempt, replay: work.isReplay, checkpointWanted: wanted)
        actions.append(follows ? .sendNext(worker.id, id, request) : .send(worker.id, id, request))
    }
}
