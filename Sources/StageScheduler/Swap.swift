import StageModel

// Hot restart and hot swap: new workers, of the same build of the plugin or of another, take over while the job runs.
//
// Where workers are independent, the new ones are opened beside the old ones, which leave once all new ones are ready. Where
// there is one worker with a position or a state, the new one is loaded, the old one finishes what it has in hand, and only
// then the new one is opened: two of them never stand at the same place. If the new build cannot be opened, the old one goes
// on. A new build is on probation for its first batches: if it does worse than the old one, the old one comes back, and what
// the new one died of is held against nobody else.

/// A take-over that is under way.
struct Swap {
    enum Phase: Equatable {
        /// The new workers load their plugin, and, where they can, open it.
        case loading
        /// The only worker finishes what it has in hand; nothing new is handed out.
        case draining
        /// The only worker of the new build opens.
        case opening
        case probation(batchesLeft: UInt64)
    }

    var request: UInt64
    var oldBuild: Int
    var newBuild: Int
    var oldFacts: PluginFacts?
    var newFacts: PluginFacts?
    var phase = Phase.loading
    /// The stage was held: there is nothing to go back to.
    var wasHeld = false
    /// On probation: a record has passed since the build died last.
    var hasWorked = false
    /// Counts of the stage when the new build took over.
    var before = Counts()
    /// Records that the new build has answered for on probation, and those of them that it failed.
    var inputs: UInt64 = 0
    var failed: UInt64 = 0
    /// Of a stateful stage: the old build's last state, and what must be shown to it again if it comes back. It may be unable
    /// to read what the new build writes.
    var checkpoint: Payload?
    var checkpointBatch: UInt64 = 0
    var replayable: [Work] = []

    var isProbation: Bool {
        if case .probation = phase { true } else { false }
    }
}

extension Scheduler {
    /// An operator asks for new workers of a stage; `build` is another build of its plugin.
    func restartAsked(stage name: String, build: Int?, request: UInt64) {
        guard let stage = stages.first(where: { $0.policy.name == name }) else {
            let names = stages.map(\.policy.name).joined(separator: ", ")
            return deny(request, "there is no stage \"\(name)\"; the stages are: \(names)")
        }
        guard mode == .running, !stage.hasGivenUp else { return deny(request, "the job is ending") }
        if let swap = stage.swap {
            return deny(
                request,
                swap.isProbation
                    ? "a new build of \"\(name)\" is on probation: restart it when that is over"
                    : "another restart of \"\(name)\" is under way")
        }
        guard !stage.done else { return deny(request, "stage \"\(name)\" has done all its work") }
        let newBuild = build ?? stage.build
        var swap = Swap(request: request, oldBuild: stage.build, newBuild: newBuild, oldFacts: stage.facts)
        guard !stage.isHeld, stage.workers.contains(where: { $0.canServe }) else {
            // Nobody serves: what is there goes, and the new build starts as at the beginning.
            swap.wasHeld = stage.isHeld
            swap.phase = .opening
            stage.swap = swap
            stage.isHeld = false
            stage.build = newBuild
            stage.deaths = []
            stage.consecutiveDeaths = 0
            stage.fruitlessDeaths = 0
            stage.verdictsInARow = 0
            stage.verdictBatches = []
            stage.restartAt = nil
            for worker in stage.workers { kill(worker, for: nil) }
            return
        }
        stage.swap = swap
        for _ in 0..<stage.wantedWorkers { start(stage, asStandby: false, incoming: true) }
    }

    /// Why a build cannot take the place of another while the job runs; nil: it can. Versions may differ, and functions, and
    /// how many workers there may be.
    private func obstacle(_ new: PluginFacts, inPlaceOf old: PluginFacts?, _ stage: StageState) -> String? {
        let kind = stage.policy.kind
        guard new.kind == kind else { return "its plugin is a \(new.kind.name), and the stage is a \(kind.name)" }
        guard let old else { return nil }
        guard new.identifier == old.identifier else {
            return "it is \"\(new.identifier)\", and the stage runs \"\(old.identifier)\"; another plugin needs another pipeline"
        }
        guard new.flags.contains(.stateful) == old.flags.contains(.stateful) else {
            return "it is \(new.flags.contains(.stateful) ? "" : "not ")stateful, and the one before is\(old.flags.contains(.stateful) ? "" : " not")"
        }
        guard new.isAtomic(as: kind) == old.isAtomic(as: kind) else {
            return "only one of the two builds has a position (a sync, or one worker at most)"
        }
        return nil
    }

    /// A worker of a stage that nobody served has loaded a build that cannot serve it.
    func refusesTakeOver(by worker: WorkerState, _ facts: PluginFacts, of stage: StageState) -> Bool {
        guard let swap = stage.swap, swap.phase == .opening, worker.build == swap.newBuild,
            let obstacle = obstacle(facts, inPlaceOf: swap.oldFacts, stage)
        else { return false }
        kill(worker, for: nil)
        abortSwap(of: stage, obstacle)
        return true
    }

    /// A new worker has loaded its plugin: it opens beside the old ones, or waits for the only one to finish.
    func incomingLoaded(_ worker: WorkerState, _ facts: PluginFacts, of stage: StageState) {
        guard stage.swap != nil else { return kill(worker, for: nil) }
        if let obstacle = obstacle(facts, inPlaceOf: stage.facts, stage) { return abortSwap(of: stage, obstacle) }
        stage.swap?.newFacts = facts
        worker.phase = .loaded
        guard !stage.isPositional else {
            stage.swap?.phase = .draining
            return
        }
        let incoming = stage.workers.filter { $0.isIncoming && $0.isAlive }
        if facts.maximumWorkers > 0, incoming.count > facts.maximumWorkers { return kill(worker, for: nil) }
        open(worker, of: stage)
    }

    /// Takes the next step of a take-over as soon as it is possible.
    func advanceSwap(of stage: StageState) {
        guard let swap = stage.swap else { return }
        // A source that has nothing left to read needs no new worker.
        if stage.done { return endSwap(of: stage, isComplete: true) }
        switch swap.phase {
        case .loading:
            let incoming = stage.workers.filter { $0.isIncoming }
            guard !incoming.isEmpty, incoming.allSatisfy({ $0.phase == .ready }) else { return }
            takeOver(stage)
        case .draining:
            // What one that is dying has in hand comes back with its end, and must not be taken back twice.
            guard stage.workers.allSatisfy({ $0.isIncoming || $0.outstanding.isEmpty }) else { return }
            let old = stage.workers.filter { !$0.isIncoming && $0.isAlive }
            guard !old.contains(where: { $0.canServe }) || stage.isBetweenBatches && stage.unsynced.isEmpty else { return }
            if stage.isStateful || !stage.workers.contains(where: { !$0.isIncoming }) {
                guard let new = stage.workers.first(where: { $0.isIncoming && $0.phase == .loaded }) else { return }
                stage.swap?.phase = .opening
                open(new, of: stage)
            } else {
                for worker in old { leave(worker) }
            }
        case .opening:
            // Where nobody served before there are no incoming workers: the first that serves is the new one.
            let incoming = stage.workers.filter { $0.isIncoming }
            if incoming.isEmpty ? stage.workers.contains(where: { $0.canServe }) : incoming.allSatisfy({ $0.phase == .ready }) {
                takeOver(stage)
            }
        case .probation: break
        }
    }

    private func takeOver(_ stage: StageState) {
        guard var swap = stage.swap else { return }
        let old = stage.workers.filter { !$0.isIncoming }
        let incoming = stage.workers.filter { $0.isIncoming }
        for worker in incoming { worker.isIncoming = false }
        if !incoming.isEmpty {
            for worker in old { leave(worker) }
            if stage.isStateful { takeBack(stage) }
        }
        stage.build = swap.newBuild
        stage.facts = swap.newFacts ?? stage.facts
        stage.restarts += UInt64(max(1, incoming.count))
        swap.before = stage.counts
        note(.pluginSwapped(stage: stage.index, build: swap.newBuild, isNew: swap.newBuild != swap.oldBuild))
        guard swap.newBuild != swap.oldBuild else {
            stage.swap = nil
            return reply(swap.request, true, "stage \"\(stage.policy.name)\" has new workers")
        }
        guard stage.policy.probationBatches > 0 else { return passProbation(swap, of: stage, "the new build serves") }
        swap.phase = .probation(batchesLeft: stage.policy.probationBatches)
        swap.checkpoint = stage.checkpoint
        swap.checkpointBatch = stage.checkpointBatch
        stage.swap = swap
        actions.append(
            .reply(
                swap.request, ok: true,
                message: "the new build serves, on probation for \(stage.policy.probationBatches) batches", isLast: false))
    }

    /// A worker could not be opened, or died before it served: if it was to take over, the old build goes on.
    ///
    /// - Returns: Whether that was so.
    func incomingFailed(_ worker: WorkerState, of stage: StageState, _ why: String) -> Bool {
        guard let swap = stage.swap else { return false }
        if worker.isIncoming || swap.phase == .opening && worker.build == swap.newBuild && !worker.wasReady {
            abortSwap(of: stage, why)
            return true
        }
        guard isOnProbation(worker, of: stage), !worker.wasReady else { return false }
        rollBack(stage, why)
        return true
    }

    private func abortSwap(of stage: StageState, _ why: String) {
        guard let swap = stage.swap else { return }
        stage.swap = nil
        goBack(stage, from: swap, why)
        // A held stage had no workers: all that it has now were started for this.
        for worker in stage.workers
        where worker.isIncoming || swap.wasHeld || worker.build == swap.newBuild && swap.newBuild != swap.oldBuild {
            kill(worker, for: nil)
        }
        reply(swap.request, false, "\(swap.wasHeld ? "the stage stays held" : "the old build stays"): \(why)")
    }

    /// Whether a worker runs a build that has to prove itself.
    func isOnProbation(_ worker: WorkerState, of stage: StageState) -> Bool {
        guard let swap = stage.swap else { return false }
        return swap.isProbation && worker.build == swap.newBuild
    }

    /// Looks at the probation after a batch of the new build.
    func batchOnProbation(of stage: StageState) {
        guard let swap = stage.swap, case .probation(let left) = swap.phase else { return }
        let oldShare = swap.before.inputs == 0 ? 0 : Double(swap.before.failed) / Double(swap.before.inputs)
        if Double(swap.failed) > 2 * oldShare * Double(swap.inputs) + Self.probationFailuresForgiven {
            return rollBack(stage, "\(swap.failed) of its first \(max(swap.inputs, swap.failed)) records failed")
        }
        guard left > 1 else { return passProbation(swap, of: stage, "the new build has passed its probation") }
        stage.swap?.phase = .probation(batchesLeft: left - 1)
    }

    /// Books what a build on probation has answered; `build` is that which did, nil when no plugin had anything to do with it.
    func countOnProbation(_ stage: StageState, build: Int?, inputs: UInt64 = 0, failed: UInt64 = 0) {
        guard let swap = stage.swap, swap.isProbation, build == swap.newBuild else { return }
        stage.swap?.inputs += inputs
        if inputs > failed { stage.swap?.hasWorked = true }
        stage.swap?.failed += failed
    }

    private func passProbation(_ swap: Swap, of stage: StageState, _ words: String) {
        stage.swap = nil
        note(.probationPassed(stage: stage.index, build: swap.newBuild))
        reply(swap.request, true, words)
    }

    /// The old build comes back, in new workers. Batches in the hands of the new one are given out again.
    func rollBack(_ stage: StageState, _ why: String) {
        guard let swap = stage.swap else { return }
        stage.swap = nil
        goBack(stage, from: swap, why)
        for worker in stage.workers where worker.build == swap.newBuild {
            worker.isSentBack = true
            if worker.outstanding.isEmpty { leave(worker) } else { kill(worker, for: nil) }
        }
        if stage.isStateful {
            stage.checkpoint = swap.checkpoint
            stage.checkpointBatch = swap.checkpointBatch
            stage.replayable = swap.replayable + stage.replayable
        }
        reply(swap.request, false, "rolled back to the \(swap.wasHeld ? "old build, and held" : "old build"): \(why)")
    }

    private func goBack(_ stage: StageState, from swap: Swap, _ why: String) {
        stage.build = swap.oldBuild
        stage.facts = swap.oldFacts ?? stage.facts
        note(.swapRolledBack(stage: stage.index, build: swap.oldBuild, reason: why))
        if swap.wasHeld {
            stage.isHeld = true
            stage.giveUpMessage = "the build that was to mend it did not: \(why)"
        }
    }

    /// A batch has left a new state behind: what came before it need not be shown again, unless to an old build that comes back.
    func forgetReplayable(through work: Work, of stage: StageState) {
        if stage.isStateful, stage.swap?.isProbation ?? false {
            stage.swap?.replayable += stage.replayable.filter { $0.batch <= work.batch }
            if !work.isFinish {
                work.output = []
                stage.swap?.replayable.append(work)
            }
        }
        stage.replayable.removeAll { $0.batch <= work.batch }
    }

    /// The stage, or the job, has ended before the take-over has.
    func endSwap(of stage: StageState, isComplete: Bool) {
        guard let swap = stage.swap else { return }
        if isComplete {
            if swap.isProbation { return passProbation(swap, of: stage, "the new build has done all that was left") }
            stage.swap = nil
            return reply(swap.request, true, "stage \"\(stage.policy.name)\" has done all its work meanwhile")
        }
        stage.swap = nil
        if swap.isProbation {
            reply(swap.request, true, "the job has ended; when it goes on, the new build is on probation again")
        } else {
            deny(swap.request, "the job has ended before the new workers served")
        }
    }

    /// A stage that gives up ends its take-over: the next request is to find it ready.
    func cancelSwap(of stage: StageState, _ why: String) {
        guard let swap = stage.swap else { return }
        stage.swap = nil
        for worker in stage.workers where worker.isIncoming { kill(worker, for: nil) }
        reply(swap.request, false, "stage \"\(stage.policy.name)\" gave up: \(why)")
    }

    func reply(_ request: UInt64, _ ok: Bool, _ message: String) {
        actions.append(.reply(request, ok: ok, message: message, isLast: true))
    }

    private func deny(_ request: UInt64, _ message: String) { actions.append(.deny(request, message: message)) }
}
