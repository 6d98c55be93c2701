import StageModel

@testable import StageScheduler

// What must hold at every moment of a run.

extension World {
    var atRisk: UInt64 { scheduler.status.atRisk }

    func checkBounds() {
        for (index, stage) in scheduler.stages.enumerated() {
            let limit =
                plan.stages[index].policy.window + (index == plan.stages.count - 1 ? 4096 : Int(Scheduler.fetchAhead))
            expect(stage.held <= limit, "stage \(index) holds \(stage.held) batches, its window is \(limit)")
        }
    }

    /// What is committed is never handed out again, nothing is in two hands, and nothing is read into a full host.
    func checkPromise(_ id: WorkerID, _ request: Request) {
        if case .read(_, _, _, _, let exact) = request, !exact {
            expect(scheduler.heldBytes < job.memoryBudgetBytes, "the source is read although the host is full")
        }
        guard case .process(let batch, _, let count, let ranges, _, let replay, _) = request,
            let stage = worker(id)?.stage
        else { return }
        expect(!ranges.isEmpty && ranges.last ?? 0 < count, "an empty request")
        let inHand = scheduler.stages[stage].workers.flatMap(\.outstanding).filter {
            $0.batch == batch && $0.kind == .process
        }
        expect(
            inHand.reduce(0) { $0 + $1.ranges.intersecting(ranges).count } == ranges.count,
            "records of batch \(batch) of stage \(stage) are in two hands")
        guard !replay, plan.stages[stage].keepsResults else { return }
        expect(!disk.whole[stage].contains(batch), "stage \(stage) is handed batch \(batch), which it has committed")
        let known = disk.parts[stage][batch] ?? IndexRanges()
        expect(
            known.intersecting(ranges).isEmpty,
            "stage \(stage) is handed records of batch \(batch) that it has committed")
    }

    /// Two workers of a sink with a position never stand in the same file.
    func checkExclusive(_ id: WorkerID, _ stage: Int) {
        guard plan.stages[stage].policy.kind == .sink, scheduler.stages[stage].isAtomic else { return }
        let other = workers.first { $0.stage == stage && $0.id != id && $0.isAlive && $0.isOpened }
        expect(other == nil, "two workers of a sink with a position are open")
    }

    /// Everything dies now: what has been done and is in no log must have been announced.
    func checkRisk() {
        let lost = ledger.wouldRepeat
        expect(UInt64(lost) <= atRisk, "\(lost) records will be done again, atRisk says \(atRisk)")
    }

    /// A stage whose workers die before they are open gives up in time.
    func checkIntensity(of stage: Int) {
        let policy = job.stages[stage].restart
        let recent = earlyDeaths[stage, default: []].filter { now - $0 <= policy.withinNanoseconds }
        earlyDeaths[stage] = recent
        let state = scheduler.stages[stage]
        guard recent.count > policy.maximum else { return }
        expect(
            state.hasGivenUp || state.isHeld,
            "stage \(stage) goes on after \(recent.count) deaths, more than \(policy.maximum)")
        earlyDeaths[stage] = []
    }

    func describe() -> String {
        scheduler.stages.map { stage in
            "[\(stage.index)\(stage.isHeld ? " held" : "")\(stage.swap.map { " \($0.phase) to \($0.newBuild)" } ?? "") next \(stage.nextInput) works \(stage.works.map { "\($0.batch):\($0.unresolved.count)/\($0.portions.count)/\($0.inHand)" }) finished \(stage.finished.keys.sorted()) fetched \(stage.fetched.keys.sorted()) fetching \(stage.fetching.sorted()) unsynced \(stage.unsynced.map(\.batch)) replay \(stage.replayable.map { "\($0.batch):\($0.portions.count)" }) committed \(stage.committed.through) workers \(stage.workers.map { "\($0.phase)\($0.outstanding.count)\($0.isStandby ? "s" : "")\($0.isIncoming ? "i" : "")" }) appending \(stage.appending.keys.sorted())]"
        }.joined(separator: " ")
            + " last \(scheduler.lastBatch.map { "\($0)" } ?? "-") mode \(scheduler.mode) recovered \(scheduler.recoveredLast)"
    }
}
