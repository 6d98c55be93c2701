import StageModel

/// The pipeline as a state machine: events in, actions out, no I/O and no time of its own.
///
/// Every decision of the host is made here: who gets which batch, what is tried again and when, who is blamed for a
/// death, what a log may claim, when a run is over. Batches are numbered from 1. A stage takes them in order of their
/// numbers; behind the last batch of the source come the *finish batches*: number `last + s` is what stage `s` emits in
/// its `finish`, and exists for the stages from `s` on.
///
/// One thread. Not reentrant: actions are carried out after `handle` has returned.
package final class Scheduler {
    enum Mode: Equatable {
        case running
        case draining(RunEnd, since: Moment)
        /// Only waiting for workers to end.
        case ending(RunEnd, since: Moment)
        case over(RunEnd)
    }

    var policy: JobPolicy
    let stages: [StageState]
    let recoveredLast: UInt64
    let sourceCounts: [UInt32]
    let firstCounted: UInt64
    var mode = Mode.running
    var started = false
    /// The source's last batch number, once it has ended.
    var lastBatch: UInt64?
    /// Id of the next source record.
    var nextIdentifier: UInt64
    /// Source records still to be passed over before the first batch.
    var skipLeft: UInt64 = 0
    /// Records that earlier runs have read; and of those the ones from a batch on, summed up when first needed.
    let recoveredRecords: UInt64
    var countedBehind: [UInt64] = []
    var nextWorker: UInt64 = 1
    var nextDispatch: DispatchID = 1
    /// The request that was the last to be tried apart.
    var trial: (worker: WorkerState, dispatch: DispatchID)?
    var random: SplitMix64
    var pauseReason: String?
    /// Workers leave while it is paused.
    var isReleasing = false
    /// Who waits for a pause to come to rest.
    var pauseRequests: [PauseRequest] = []
    var stallReason: String?
    /// Why nothing is given out: the machine is short of memory.
    var memoryReason: String?
    /// By name.
    var limits: [String: SharedLimit] = [:]
    var idleUntil: Moment?
    /// What a stage wants, and what those above must keep for it, depends on the plugins.
    var isEveryPluginKnown = false
    var flushing = false
    var isFlushed = false
    // Dead letters that are tried again; see `SecondChances`.
    /// By number of their batch: all that ever began.
    var retries: [UInt64: RetryBatch]
    /// The greatest number of them; 0: none.
    var lastRetry: UInt64
    var retryWishes: [RetryWish] = []
    /// The number that letters are about to get.
    var beginningRetry: UInt64?
    /// Letters that were read, and wait for their stage to take them.
    var retryInputs: [UInt64: Finished] = [:]
    var fetchingRetries: Set<UInt64> = []
    /// Requests to discard letters that are on their way.
    var discarding = 0
    /// Source records delivered in this job, for the limit.
    var recordsRead: UInt64
    var actions: [Action] = []
    /// Whose answer is being booked, and how long each of its records took.
    var answer: (worker: WorkerID, nanosecondsEach: UInt64)?
    /// Time of the event that is being handled.
    var now = Moment(nanoseconds: 0)

    package init(policy: JobPolicy, recovery: Recovery? = nil) {
        self.policy = policy
        random = SplitMix64(seed: policy.seed)
        let recovered = recovery?.stages ?? policy.stages.map { _ in RecoveredStage() }
        stages = zip(policy.stages, recovered).enumerated().map { index, pair in
            let stage = StageState(
                index: index, policy: pair.0, committed: pair.1.committed, counts: pair.1.counts)
            stage.recoveredPartials = pair.1.partials
            stage.recoveredDead = pair.1.deadInputs
            stage.checkpoint = pair.1.checkpoint
            stage.checkpointBatch = pair.1.checkpointBatch
            stage.metrics = pair.1.metrics
            stage.discarded = pair.1.discarded
            stage.recoveredInterruptions = pair.1.interruptions
            stage.tally = pair.1.tally
            stage.tally.closeAll()
            stage.failedBy = pair.1.failedBy
            return stage
        }
        retries = recovery?.retries ?? [:]
        lastRetry = retries.keys.max() ?? 0
        recoveredLast = stages[0].committed.through
        sourceCounts = recovery?.sourceCounts ?? []
        firstCounted = recovery?.firstCounted ?? 1
        lastBatch = recovery?.lastBatch
        recordsRead = stages[0].counts.inputs
        // What is skipped keeps its ordinals.
        nextIdentifier = policy.skipRecords + stages[0].counts.inputs
        recoveredRecords = policy.skipRecords + stages[0].counts.inputs
        for limit in policy.limits { limits[limit.name] = SharedLimit(limit) }
    }

    /// Takes one event; returns what is to be done because of it, in order.
    package func handle(_ event: Event, at now: Moment) -> [Action] {
        if case .over = mode { return [] }
        self.now = max(self.now, now)
        actions.removeAll(keepingCapacity: true)
        switch event {
        case .start:
            started = true
        case .loaded(let id, let facts): workerLoaded(id, facts)
        case .ready(let id): workerReady(id)
        case .refused(let id, let fatal, let message): workerRefused(id, fatal: fatal, message: message)
        case .misconfigured(let message): fail(.misconfigured(message))
        case .partial(let id, let dispatch, let outcome): partialCame(id, dispatch, outcome)
        case .result(let id, let dispatch, let status, let outcome, let message, let retryMilliseconds, let busy):
            resultCame(
                id, dispatch, status, outcome, message: message, retryMilliseconds: retryMilliseconds,
                busyNanoseconds: busy)
        case .notBegun(let id, let dispatch): requestCameBack(id, dispatch)
        case .heartbeat(let id, let dispatch): heartbeatCame(id, dispatch)
        case .misbehaved(let id, let cause): if let worker = worker(id) { kill(worker, for: cause) }
        case .exited(let id, let death): workerExited(id, death)
        case .memory(let id, let bytes): memoryMeasured(id, bytes: bytes)
        case .fetched(let stage, let batch, let payloads): outputFetched(stage, batch, payloads)
        case .appended(let stage, let batch): entryAppended(stage, batch)
        case .partAppended(let stage, let batch): partAppended(stage, batch)
        case .flushed:
            flushing = false
            isFlushed = true
        case .storageStalled(let message):
            if stallReason == nil { note(.paused(message)) }
            stallReason = message
        case .storageRecovered:
            if stallReason != nil { note(.resumed) }
            stallReason = nil
        case .timer: break
        case .drain(let reason): beginDrain(.interrupted(reason))
        case .abandon: abandon()
        case .restart(let stage, let build, let request): restartAsked(stage: stage, build: build, request: request)
        case .retry(let stage, let letters, let request): retryAsked(stage: stage, letters: letters, request: request)
        case .retryBegun(let first, let counts, let rest, let refused, let categories):
            retryBegun(first: first, counts: counts, rest: rest, refused: refused, categories)
        case .retryFetched(let batch, let payloads): retryFetched(batch, payloads)
        case .discard(let stage, let letters, let request): discardAsked(stage: stage, letters: letters, request: request)
        case .discarded(let stage, let letters, let refused, let categories, let request):
            discarded(stage: stage, letters: letters, refused: refused, categories, request: request)
        case .pause(let release, let request): pauseAsked(release: release, request: request)
        case .unpause: unpauseAsked()
        case .availableMemory(let bytes): availableMemoryMeasured(bytes)
        case .policyChanged(let policy): policyChanged(policy)
        }
        advance()
        return actions
    }

    /// Brings everything up to date with the state: the one place where new work begins.
    private func advance() {
        guard started else { return }
        checkDeadlines()
        beginRetries()
        checkFailureLimits()
        checkBudget()
        if mode == .running {
            for stage in stages { advanceSwap(of: stage) }
            for stage in stages { maintainWorkers(of: stage) }
        }
        // Again while something moves: an empty batch is done as soon as it is taken, and no event will tell of it.
        var before: UInt64
        repeat {
            before = inputsTaken
            for stage in stages.reversed() {
                let goesOn = mode == .running && waitsFor == nil
                if goesOn { takeInput(stage) }
                // Before the next batch is given to it: the time between two batches is the only one for it.
                syncSink(stage)
                // What is done of a batch of an atomic stage would be lost in a drain: it is brought to its end.
                if goesOn || isFinishing(stage) { dispatchWork(of: stage) }
            }
        } while inputsTaken != before
        if mode == .running {
            for stage in stages { refillStandbys(of: stage) }
        }
        settlePause()
        checkEnd()
    }

    private var inputsTaken: UInt64 { stages.reduce(0) { $0 + $1.nextInput + UInt64($1.takenAhead.count) } }

    /// Why nothing new is given out in a job that runs; nil: nothing is in the way.
    var waitsFor: String? { pauseReason ?? stallReason ?? memoryReason }

    func note(_ note: Note) { actions.append(.note(note)) }

    func worker(_ id: WorkerID) -> WorkerState? {
        for stage in stages {
            if let worker = stage.worker(id) { return worker }
        }
        return nil
    }

    func newDispatch() -> DispatchID {
        defer { nextDispatch += 1 }
        return nextDispatch
    }

    var sink: StageState { stages[stages.count - 1] }

    /// Bytes of all payloads that are referred to.
    var heldBytes: Int { stages.reduce(0) { $0 + $1.heldBytes } }
}
