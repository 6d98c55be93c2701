import StageModel

// Hot restart and hot swap: new workers, of the same build of the plugin or of another, take over while the job runs.
//
// Where workers are independent, the new ones are opened beside the old ones, which leave once all new ones are ready. Where
// there is one worker with a position or a state, the new one is loaded, the old one finishes what it has in hand, and only
// then the new one is opened: two of them never stand at the same place. If the new build cannot be opened, the old one goes
// on. A new build is on probation for its first batches: if it does worse than the old one, the old one comes back.

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
    /// On probation: a batch was done since the build died last.
    var hasWorked = false
    var isOnProbation: Bool {
        if case .probation = phase { return true }
        return false
    }
    /// Counts of the stage when the new build took over.
    var before = Counts()
}

extension Scheduler {
    /// An operator asks for new workers of a stage; `build` is another build of its plugin.
    func restartAsked(stage name: String, build: Int?, request: UInt64) {
        guard let stage = stages.first(where: { $0.policy.name == name }) else {
            let names = stages.map(\.policy.name).joined(separator: ", ")
            return reply(request, false, "there is no stage \"\(name)\"; the stages are: \(names)")
        }
        guard mode == .running, !stage.hasGivenUp else { return reply(request, false, "the job is ending") }
        guard stage.swap == nil else { return reply(request, false, "another restart of \"\(name)\" is under way") }
        guard !stage.done else { return reply(request, false, "stage \"\(name)\" has done all its work") }
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
            stage.verdictsInARow = 0
            stage.verdictBatches = []
            stage.restartAt = nil
            for worker in stage.workers { kill(worker, for: nil) }
            return
        }
        stage.swap = swap
        for _ in 0..<stage.wantedWorkers { start(stage, asStandby: false, incoming: true) }
    }

    /// A new worker has loaded its plugin: it opens beside the old ones, or waits for the only one to finish.
    func incomingLoaded(_ worker: WorkerState, _ facts: PluginFacts, of stage: StageState) {
        guard stage.swap != nil else { return kill(worker, for: nil) }
        if let why = mismatch(of: facts, with: stage) { return abortSwap(of: stage, why) }
        stage.swap?.newFacts = facts
        worker.phase = .loaded
        if stage.isPositional {
            stage.swap?.phase = .draining
        } else {
            worker.phase = .opening
            actions.append(.open(worker.id, stage: stage.index, .none))
        }
    }

    /// Why a build cannot stand where another has stood; nil: it can.
    func mismatch(of facts: PluginFacts, with stage: StageState) -> String? {
        guard let swap = stage.swap, let old = swap.oldFacts else { return nil }
        let isStateful = facts.flags.contains(.stateful)
        guard facts.kind == stage.policy.kind, isStateful == old.flags.contains(.stateful) else {
            return "the new build is a \(isStateful ? "stateful " : "")\(facts.kind.name), the old one is not"
        }
        return nil
    }

    /// Takes the next step of a take-over as soon as it is possible.
    func advanceSwap(of stage: StageState) {
        guard let swap = stage.swap else { return }
        if stage.done {
            // A source that has nothing left to read needs no new worker.
            stage.swap = nil
            return reply(swap.request, true, "stage \"\(stage.policy.name)\" has done all its work meanwhile")
        }
        switch swap.phase {
        case .loading:
            let incoming = stage.workers.filter { $0.isIncoming }
            guard !incoming.isEmpty, incoming.allSatisfy({ $0.phase == .ready }) else { return }
            takeOver(stage)
        case .draining:
            // What one that is dying has in hand comes back with its end, and must not be taken back twice.
            guard stage.workers.allSatisfy({ $0.isIncoming || $0.outstanding.isEmpty }) else { return }
            let old = stage.workers.filter { !$0.isIncoming && $0.isAlive }
            let isBetweenBatches = stage.unsynced.isEmpty && !stage.isWithinBatch
            guard isBetweenBatches || !old.contains(where: \.canServe) else { return }
            if stage.isStateful {
                guard let new = stage.workers.first(where: { $0.isIncoming && $0.phase == .loaded }) else { return }
                stage.swap?.phase = .opening
                open(new, of: stage)
            } else if old.isEmpty, !stage.workers.contains(where: { !$0.isIncoming }) {
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
        guard swap.newBuild != swap.oldBuild, stage.policy.probationBatches > 0 else {
            stage.swap = nil
            return reply(swap.request, true, "stage \"\(stage.policy.name)\" has new workers")
        }
        swap.phase = .probation(batchesLeft: stage.policy.probationBatches)
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
        if worker.isIncoming {
            abortSwap(of: stage, why)
            return true
        }
        guard swap.phase == .opening, worker.build == swap.newBuild, !worker.wasReady else { return false }
        abortSwap(of: stage, why)
        if swap.wasHeld {
            stage.isHeld = true
            stage.giveUpMessage = why
        }
        return true
    }

    private func abortSwap(of stage: StageState, _ why: String) {
        guard let swap = stage.swap else { return }
        stage.swap = nil
        stage.build = swap.oldBuild
        stage.facts = swap.oldFacts ?? stage.facts
        for worker in stage.workers where worker.isIncoming || worker.build != swap.oldBuild { kill(worker, for: nil) }
        note(.swapRolledBack(stage: stage.index, build: swap.oldBuild, reason: why))
        reply(swap.request, false, "the old build stays: \(why)")
    }

    /// Looks at the probation after a batch of the new build.
    func batchOnProbation(by worker: WorkerState, of stage: StageState) {
        guard let swap = stage.swap, case .probation(let left) = swap.phase, worker.build == swap.newBuild else { return }
        stage.swap?.hasWorked = true
        let inputs = stage.counts.inputs - swap.before.inputs
        let failed = stage.counts.failed - swap.before.failed
        let oldShare = swap.before.inputs == 0 ? 0 : Double(swap.before.failed) / Double(swap.before.inputs)
        if Double(failed) > 2 * oldShare * Double(inputs) + Self.probationFailuresForgiven {
            return rollBack(stage, "\(failed) of its first \(inputs) records failed")
        }
        guard left > 1 else {
            stage.swap = nil
            return reply(swap.request, true, "the new build has passed its probation")
        }
        stage.swap?.phase = .probation(batchesLeft: left - 1)
    }

    /// Whether a death is held against a build on probation: unless the old one had died of the same batch, and the new one
    /// has done something right since it died last.
    func isBuildsFault(_ worker: WorkerState, of stage: StageState, batchHadDied: Bool) -> Bool {
        guard let swap = stage.swap, case .probation = swap.phase, worker.build == swap.newBuild else { return false }
        return !(batchHadDied && swap.hasWorked)
    }

    func rollBack(_ stage: StageState, _ why: String) {
        guard let swap = stage.swap else { return }
        stage.swap = nil
        stage.build = swap.oldBuild
        stage.facts = swap.oldFacts ?? stage.facts
        for worker in stage.workers where worker.build == swap.newBuild {
            if worker.outstanding.isEmpty { leave(worker) } else { kill(worker, for: nil) }
        }
        note(.swapRolledBack(stage: stage.index, build: swap.oldBuild, reason: why))
        if swap.wasHeld {
            stage.isHeld = true
            stage.giveUpMessage = why
        }
        reply(swap.request, false, "rolled back to the old build: \(why)")
    }

    /// A stage that gives up ends its take-over: the next request is to find it ready.
    func endSwap(of stage: StageState, _ why: String) {
        guard let swap = stage.swap else { return }
        stage.swap = nil
        for worker in stage.workers where worker.isIncoming { kill(worker, for: nil) }
        reply(swap.request, false, "stage \"\(stage.policy.name)\" gave up: \(why)")
    }

    /// The job ends: nobody is to wait for what does not come.
    func answerSwaps() {
        for stage in stages {
            guard let swap = stage.swap else { continue }
            stage.swap = nil
            reply(swap.request, true, "the job ended first")
        }
    }

    func reply(_ request: UInt64, _ ok: Bool, _ message: String) {
        actions.append(.reply(request, ok: ok, message: message, isLast: true))
    }
}
