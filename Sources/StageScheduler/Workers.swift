import StageModel

// The life of workers: wanted state on one side, actual state on the other, and no waiting in between.

extension Scheduler {
    /// Starts, opens and replaces workers until there are as many as wanted.
    func maintainWorkers(of stage: StageState) {
        guard !stage.hasGivenUp, !stage.isHeld, !stage.done, memoryReason == nil, !isReleased(stage) else { return }
        if let restartAt = stage.restartAt, restartAt > now { return }
        stage.restartAt = nil
        if pauseReason == nil { recycle(stage) }
        promoteStandby(of: stage)
        // A worker with a position leaves before the one that takes over opens: nobody else must come in between.
        if let swap = stage.swap, swap.phase == .draining || swap.phase == .opening && stage.workers.contains(where: \.isIncoming) {
            return
        }
        var serving = stage.workers.count { $0.isServing }
        while serving < stage.wantedWorkers {
            guard !stage.isPositional || !stage.workers.contains(where: { $0.phase == .leaving || $0.phase == .dying })
            else { break }
            start(stage, asStandby: false)
            serving += 1
        }
        letSpareOnesLeave(stage, serving)
        guard stage.facts != nil else { return }
        for worker in stage.workers where worker.phase == .loaded { openIfDue(worker, of: stage) }
    }

    /// Starts standbys in the place of those that serve now, once these have had time to begin: to start a process takes longer than
    /// to hand a batch to one that waits for it.
    func refillStandbys(of stage: StageState) {
        guard stage.policy.standby > 0, stage.facts != nil, !stage.hasGivenUp, !stage.isHeld, !stage.done,
            stage.restartAt == nil, !isReleased(stage)
        else { return }
        // They would be of the build that is about to leave.
        if let swap = stage.swap, !swap.isProbation { return }
        if let notBefore = stage.standbyNotBefore, notBefore > now { return }
        stage.standbyNotBefore = nil
        var waiting = stage.workers.count { $0.isStandby && $0.isAlive }
        while waiting < stage.policy.standby {
            start(stage, asStandby: true)
            waiting += 1
        }
    }

    /// A worker serves that was not there before: in the place of one that has gone, or in a new one.
    private func serves(_ worker: WorkerState, of stage: StageState, restarts: UInt64) {
        guard stage.newPlaces == 0 else {
            stage.newPlaces -= 1
            return
        }
        stage.restarts += restarts
        note(.workerRestarted(stage: stage.index, worker.id))
    }

    /// Other numbers of workers and standbys are wanted.
    func policyChanged(_ policy: StagePolicy, of stage: StageState) {
        let before = (workers: stage.wantedWorkers, standby: stage.policy.standby)
        stage.policy = policy
        stage.newPlaces = max(0, stage.newPlaces + stage.wantedWorkers - before.workers)
        let waiting = stage.workers.filter { $0.isStandby && $0.isAlive && $0.phase != .leaving }
        for worker in waiting.prefix(max(0, before.standby - policy.standby)) { leave(worker) }
    }

    /// Fewer may be wanted than before: those with the least in hand leave.
    private func letSpareOnesLeave(_ stage: StageState, _ serving: Int) {
        guard serving > stage.wantedWorkers, !stage.isPositional, stage.swap == nil else { return }
        let spare = stage.workers.filter { $0.isServing }.sorted { $0.outstanding.count < $1.outstanding.count }
        for worker in spare.prefix(serving - stage.wantedWorkers) { leave(worker) }
    }

    func start(_ stage: StageState, asStandby: Bool, incoming: Bool = false) {
        let id = WorkerID(nextWorker)
        nextWorker += 1
        // Below the number of workers and standbys: one that takes over has the place of one that leaves.
        let used = Set(
            stage.workers.filter { $0.isAlive && $0.phase != .leaving && $0.isIncoming == incoming }.map(\.index))
        let index = (0...used.count).first { !used.contains($0) } ?? used.count
        let worker = WorkerState(id: id, stage: stage.index, index: index, since: now)
        worker.isStandby = asStandby
        worker.isIncoming = incoming
        worker.build = incoming ? stage.swap?.newBuild ?? stage.build : stage.build
        stage.workers.append(worker)
        actions.append(.start(id, stage: stage.index, index: index, build: worker.build))
        note(.workerStarted(stage: stage.index, id))
        if stage.hadWorkerBefore, !asStandby, !incoming { serves(worker, of: stage, restarts: stage.crashes > 0 ? 1 : 0) }
    }

    private func promoteStandby(of stage: StageState) {
        var missing = stage.wantedWorkers - stage.workers.count { $0.isServing }
        guard missing > 0 else { return }
        if stage.isPositional, stage.workers.contains(where: { $0.phase == .leaving || $0.phase == .dying }) { return }
        // One that is ready goes first.
        let standbys = stage.workers.filter { $0.isStandby && $0.isAlive && $0.phase != .leaving }
        for worker in standbys.filter({ $0.phase == .ready }) + standbys.filter({ $0.phase != .ready }) {
            guard missing > 0 else { return }
            worker.isStandby = false
            stage.standbyNotBefore = now.advanced(by: Self.standbyRefillNanoseconds)
            missing -= 1
            serves(worker, of: stage, restarts: 1)
        }
    }

    func workerLoaded(_ id: WorkerID, _ facts: PluginFacts) {
        guard let worker = worker(id), worker.phase == .loading else { return }
        let stage = stages[worker.stage]
        guard !worker.isIncoming else { return incomingLoaded(worker, facts, of: stage) }
        if refusesTakeOver(by: worker, facts, of: stage) { return }
        guard facts.kind == stage.policy.kind else {
            let message =
                "stage \"\(stage.policy.name)\" stands where a \(stage.policy.kind.name) belongs, but its plugin is a \(facts.kind.name)"
            kill(worker, for: nil)
            fail(.refused(stage: stage.index, message: message))
            return
        }
        stage.facts = facts
        if !isEveryPluginKnown, stages.allSatisfy({ $0.facts != nil }) {
            isEveryPluginKnown = true
            explainKeptOrder()
        }
        worker.phase = .loaded
        openIfDue(worker, of: stage)
    }

    /// Opens a loaded worker, unless it must wait for the checkpoint that the one before it leaves behind.
    /// Nothing is opened before all plugins are known: what a file says of one of them may be wrong, and `open` has effects.
    private func openIfDue(_ worker: WorkerState, of stage: StageState) {
        guard worker.phase == .loaded, !worker.isIncoming, isEveryPluginKnown else { return }
        if worker.isStandby, stage.isPositional { return }
        open(worker, of: stage)
    }

    /// Opens a loaded worker from where its stage is.
    func open(_ worker: WorkerState, of stage: StageState) {
        let checkpoint: OpenCheckpoint
        switch stage.policy.kind {
        case .source:
            guard isEveryPluginKnown else { return }
            guard let (batch, _) = nextRead(stage) else {
                // Nothing to read any more: the worker is not needed.
                leave(worker)
                stage.done = true
                return
            }
            worker.position = batch - 1
            if batch == 1 {
                checkpoint = .none
                // Also for a re-read: the first batch begins behind what is passed over.
                skipLeft = policy.skipRecords
            } else if batch - 1 == stage.checkpointBatch, let payload = stage.checkpoint {
                checkpoint = .payload(payload)
            } else {
                checkpoint = .stored(batch: batch - 1)
            }
        case .transform, .sink:
            // While the old worker of a state stands by, nothing is taken from it: it may have to go on.
            if !(worker.isIncoming && stage.isStateful) { takeBack(stage) }
            checkpoint = stage.checkpoint.map { .payload($0) } ?? .none
        }
        worker.phase = .opening
        worker.since = now
        actions.append(.open(worker.id, stage: stage.index, checkpoint))
    }

    /// What was done since the last checkpoint is for the next worker to do again, or to be shown again.
    func takeBack(_ stage: StageState) {
        stage.takeBack()
        // Empty batches are done without a worker.
        if let first = stage.works.first { completeIfDone(first, of: stage) }
    }

    func workerReady(_ id: WorkerID) {
        guard let worker = worker(id), worker.phase == .opening else { return }
        worker.phase = .ready
        worker.wasReady = true
        worker.since = now
        stages[worker.stage].hadWorkerBefore = true
        stages[worker.stage].deathsBeforeReady = 0
        note(.workerReady(stage: worker.stage, id))
    }

    func workerRefused(_ id: WorkerID, fatal: Bool, message: String) {
        guard let worker = worker(id), worker.phase != .dying else { return }
        let stage = stages[worker.stage]
        note(.workerRefused(stage: stage.index, id, message: message))
        kill(worker, for: nil)
        if incomingFailed(worker, of: stage, message) { return }
        if fatal {
            fail(.refused(stage: stage.index, message: message))
        } else {
            countDeath(of: stage, because: "its plugin could not be opened: \(message)")
        }
    }

    /// Asks a worker to leave when it has answered what is out.
    func leave(_ worker: WorkerState) {
        guard worker.isAlive, worker.phase != .leaving else { return }
        if worker.phase == .loading || worker.phase == .loaded || worker.phase == .opening {
            kill(worker, for: nil)
            return
        }
        worker.phase = .leaving
        worker.leavingSince = now
        actions.append(.close(worker.id))
    }

    func kill(_ worker: WorkerState, for cause: DeathCause?) {
        guard worker.isAlive else { return }
        worker.phase = .dying
        worker.killedFor = cause
        actions.append(.kill(worker.id, cause))
    }

    /// Replaces workers that have served long enough or grown too large, between two batches.
    ///
    /// The one that takes over is a standby, started for it where there is none. It has its plugin loaded, and where workers
    /// are independent opened, before the old one gets nothing new any more.
    private func recycle(_ stage: StageState) {
        for worker in stage.workers where worker.isRetiring && worker.phase == .ready && worker.outstanding.isEmpty {
            leave(worker)
        }
        // A sink's unsynced results, or the first half of a batch, would have to be done again.
        if stage.isAtomic, !stage.unsynced.isEmpty || stage.isWithinBatch { return }
        guard stage.swap == nil || stage.swap?.isProbation == true else { return }
        for worker in stage.workers where worker.canServe && worker.batchesServed > 0 {
            guard isWorn(worker, of: stage) else { continue }
            guard let standby = stage.workers.first(where: { $0.isStandby && $0.isAlive && $0.phase != .leaving }) else {
                start(stage, asStandby: true)
                return
            }
            if stage.isPositional {
                // Two of them never stand at the same place: the new one opens when the old one has left.
                guard standby.phase == .loaded, worker.outstanding.isEmpty else { return }
                return leave(worker)
            }
            guard standby.phase == .ready else { return }
            worker.isRetiring = true
            promoteStandby(of: stage)
            if worker.outstanding.isEmpty { leave(worker) }
            return
        }
    }

    /// Whether a worker is to be replaced as soon as it has nothing in hand.
    func isWorn(_ worker: WorkerState, of stage: StageState) -> Bool {
        if let limit = stage.policy.recycleAfterBatches, worker.batchesServed >= limit { return true }
        if let limit = stage.policy.softMemoryBytes, worker.residentBytes > limit, worker.batchesServed > 0 { return true }
        return false
    }

    func memoryMeasured(_ id: WorkerID, bytes: UInt64) {
        guard let worker = worker(id) else { return }
        worker.residentBytes = bytes
        if let limit = stages[worker.stage].policy.memoryBytes, bytes > limit { kill(worker, for: .memory) }
    }

    func heartbeatCame(_ id: WorkerID, _ dispatch: DispatchID) {
        guard let worker = worker(id) else { return }
        if worker.phase == .opening { worker.since = now }
        guard let position = worker.outstanding.firstIndex(where: { $0.id == dispatch }) else { return }
        worker.outstanding[position].aliveAt = now
    }

    /// Kills workers whose request takes longer than it may.
    func checkDeadlines() {
        for stage in stages {
            for worker in stage.workers where worker.isAlive {
                if let deadline = deadline(of: worker), deadline <= now {
                    kill(worker, for: worker.phase == .leaving && worker.outstanding.isEmpty ? nil : .timeout)
                }
            }
        }
    }

    /// When the worker's oldest request is overdue, or its leave.
    func deadline(of worker: WorkerState) -> Moment? {
        guard worker.isAlive else { return nil }
        // What it has in hand is its to finish, in the time that any request has.
        if let since = worker.leavingSince, worker.outstanding.isEmpty { return since.advanced(by: Self.closeGraceNanoseconds) }
        if worker.phase == .loading || worker.phase == .opening {
            return worker.since.advanced(by: max(Self.openGraceNanoseconds, stages[worker.stage].policy.timeoutNanoseconds ?? 0))
        }
        guard let timeout = stages[worker.stage].policy.timeoutNanoseconds else { return nil }
        return worker.outstanding.lazy.filter { $0.startedAt != nil }.map { $0.aliveAt.advanced(by: timeout) }.min()
    }
}
