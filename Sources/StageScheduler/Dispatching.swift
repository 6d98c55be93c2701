import StageModel

// Who gets what: ready workers with room, oldest batch first.

extension Scheduler {
    func dispatchWork(of stage: StageState, at now: Moment) {
        guard !stage.hasGivenUp, !stage.isHeld else { return }
        guard stage.policy.kind != .source else {
            dispatchReads(stage, at: now)
            return
        }
        if let notBefore = stage.notBefore {
            guard notBefore <= now else { return }
            stage.notBefore = nil
        }
        if stage.isStateful {
            dispatchInOrder(stage, at: now)
            return
        }
        guard stage.works.contains(where: { !$0.portions.isEmpty }) else { return }
        while let worker = freeWorker(of: stage) {
            guard let (work, portion) = nextPortion(of: stage, at: now) else { return }
            // What a search hands out travels alone: a death must speak of nothing else.
            if portion.isSearch, !worker.outstanding.isEmpty { return give(back: portion, to: work) }
            send(portion, of: work, to: worker, stage, at: now)
        }
    }

    private func give(back portion: Portion, to work: Work) {
        work.portions.insert(portion, at: 0)
    }

    /// Requests that a worker may have out: those in work, and one or, where batches are short, some in the pipe.
    private func depth(of stage: StageState) -> Int {
        // A sink may ask for a batch again; the next one must not have passed it then.
        if stage.policy.kind == .sink, stage.isAtomic { return 1 }
        let inPipe = (stage.typicalBatchNanoseconds ?? .infinity) < 5_000_000 ? 3 : 1
        return stage.policy.threads + inPipe
    }

    private func freeWorker(of stage: StageState) -> WorkerState? {
        let depth = depth(of: stage)
        var best: WorkerState?
        for worker in stage.workers where worker.canServe && worker.outstanding.count < depth {
            if worker.outstanding.contains(where: { $0.isSearch || $0.kind == .sync }) { continue }
            if best.map({ worker.outstanding.count < $0.outstanding.count }) ?? true { best = worker }
        }
        return best
    }

    /// The next thing to hand out. Works of a search come last: the rest goes through first.
    private func nextPortion(of stage: StageState, at now: Moment) -> (Work, Portion)? {
        var search: (Work, Int)?
        for work in stage.works {
            for (position, portion) in work.portions.enumerated() {
                if let due = portion.notBefore, due > now { continue }
                if portion.isSearch {
                    if search == nil { search = (work, position) }
                    continue
                }
                work.portions.remove(at: position)
                return (work, portion)
            }
            // A sink that is cut back to a position gets its batches one after the other, also past records that wait.
            if stage.policy.kind == .sink, stage.isAtomic, search == nil, !work.isComplete { return nil }
            if stage.policy.kind == .sink, stage.isAtomic { break }
        }
        guard let (work, position) = search else { return nil }
        return (work, work.portions.remove(at: position))
    }

    private func send(
        _ portion: Portion, of work: Work, to worker: WorkerState, _ stage: StageState, at now: Moment,
        replay: Bool = false
    ) {
        let id = newDispatch()
        let running = worker.outstanding.count { $0.startedAt != nil }
        worker.outstanding.append(
            Dispatch(
                id: id, kind: work.isFinish ? .finish : .process, batch: work.batch, ranges: portion.ranges, work: work,
                isSearch: portion.isSearch, startedAt: running < stage.policy.threads ? now : nil, aliveAt: now))
        work.inHand += 1
        if work.isFinish {
            let base: UInt64 = 0x8000_0000_0000_0000 | UInt64(stage.index) << 40
            actions.append(.send(worker.id, id, .finish(batch: work.batch, firstIdentifier: base)))
            return
        }
        let wanted =
            stage.isStateful && !replay && (work.batch - stage.checkpointBatch >= stage.policy.snapshotEveryBatches
                || stage.replayable.reduce(0) { $0 + $1.bytes } > policy.memoryBudgetBytes / 4)
        actions.append(
            .send(
                worker.id, id,
                .process(
                    batch: work.batch, input: work.input, inputCount: work.inputCount, ranges: portion.ranges,
                    attempt: work.attempt, replay: replay, checkpointWanted: wanted)))
    }

    /// A stateful stage: one worker, first what it must be shown again, then batch after batch.
    private func dispatchInOrder(_ stage: StageState, at now: Moment) {
        while let worker = freeWorker(of: stage) {
            if let work = stage.replayable.first(where: { $0.batch > worker.position && $0.inHand == 0 }) {
                work.isReplay = true
                worker.position = work.batch
                let all = Portion(ranges: IndexRanges(count: work.inputCount))
                guard !all.ranges.isEmpty else { continue }
                send(all, of: work, to: worker, stage, at: now, replay: true)
                continue
            }
            guard let work = stage.works.first(where: { !$0.isComplete }) else { return }
            guard let position = work.portions.firstIndex(where: { $0.notBefore.map { $0 <= now } ?? true })
            else { return }
            // The next batch may follow into the pipe, but not past records of this one that wait.
            if work.inHand > 0 { return }
            let portion = work.portions.remove(at: position)
            worker.position = max(worker.position, work.batch)
            send(portion, of: work, to: worker, stage, at: now)
        }
    }
}
