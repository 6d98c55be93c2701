package import StageModel

/// A request that is out.
struct Dispatch {
    enum Kind: Equatable { case read, process, sync, finish }

    var id: DispatchID
    var kind: Kind
    var batch: UInt64
    /// Still without an outcome in this request.
    var ranges: IndexRanges
    var work: Work?
    var isSearch = false
    var sentAt: Moment
    /// Of an atomic stage: what partial answers said, which stands only when the request is done.
    var provisional: [Outcome] = []
    /// When the worker can have begun it: sent, and fewer than `threads` requests before it. nil: it waits its turn.
    var startedAt: Moment?
    /// Records that were asked for; of a read: 0.
    var records = 0
    /// Last sign of life of this request.
    var aliveAt: Moment
    /// When the last part of an answer came; nil: none yet.
    var answeredAt: Moment?
}

/// A worker as the scheduler sees it. Up (the process exists) is not ready (it said so).
final class WorkerState {
    enum Phase: Equatable {
        case loading
        /// The plugin is loaded but not opened: it waits for a checkpoint or for its turn.
        case loaded
        case opening
        case ready
        /// Asked to leave when it has answered what is out.
        case leaving
        /// Killed, or found dead; its `exited` event is to come.
        case dying
    }

    let id: WorkerID
    let stage: Int
    let index: Int
    var phase = Phase.loading
    var outstanding: [Dispatch] = []
    var since: Moment
    var killedFor: DeathCause?
    var batchesServed: UInt64 = 0
    var residentBytes: UInt64 = 0
    /// Of a source: the batch that it read last, or was opened behind.
    var position: UInt64 = 0
    var isStandby = false
    /// It is to take over in a hot restart, and does not serve yet.
    var isIncoming = false
    /// The build of the plugin that it has loaded.
    var build = 0
    /// Another one is to take its place: it gets nothing new, and leaves when it has answered what is out.
    var isRetiring = false
    /// Its build was sent back: what it still answers counts no more.
    var isSentBack = false
    /// Its `open` has succeeded.
    var wasReady = false
    /// When it was asked to leave.
    var leavingSince: Moment?

    init(id: WorkerID, stage: Int, index: Int, since: Moment) {
        self.id = id
        self.stage = stage
        self.index = index
        self.since = since
    }

    var isAlive: Bool { phase != .dying }
    var canServe: Bool { phase == .ready && !isStandby && !isIncoming && !isRetiring }
    /// Counts towards the workers that the stage is to have.
    var isServing: Bool { isAlive && !isStandby && !isIncoming && phase != .leaving && !isRetiring }
}

/// A stage's place in the pipeline, its work and its workers.
final class StageState {
    let index: Int
    var policy: StagePolicy
    var facts: PluginFacts?

    /// What the log has, of this run and of earlier ones.
    var committed: CommittedSet
    /// Totals of everything that has an outcome, with what earlier runs left.
    var counts: Counts
    /// Dead letters that somebody has given up for good; no longer among the failed.
    var discarded: UInt64 = 0
    var metrics: [String: Double] = [:]

    /// The next batch to take, in order.
    var nextInput: UInt64
    /// Those above it that were taken before their turn.
    var takenAhead: Set<UInt64> = []
    /// In order of number.
    var works: [Work] = []
    var finished: [UInt64: Finished] = [:]
    /// Outputs that were fetched from the log for the next stage.
    var fetched: [UInt64: Finished] = [:]
    var fetching: Set<UInt64> = []
    /// Whole entries handed to the log and not yet in it, with their input records; and those of parts of a batch.
    var appending: [UInt64: UInt64] = [:]
    var appendingParts: [UInt64: [UInt64]] = [:]
    /// Of a partly done batch, found at the start of a run.
    var recoveredPartials: [UInt64: RecoveredPartial] = [:]
    /// Dead letters of earlier runs, of batches that may have to be done again.
    var recoveredDead: [UInt64: IndexRanges] = [:]

    /// Records that were in hand when earlier hosts died.
    var recoveredInterruptions: [UInt64: [UInt32: Interruption]] = [:]

    var workers: [WorkerState] = []
    /// The build of the plugin that workers are started with; 0 is the one that the run began with.
    var build = 0
    var swap: Swap?
    var restartAt: Moment?
    /// No standby is started before.
    var standbyNotBefore: Moment?
    /// Times of the deaths that count.
    var deaths: [Moment] = []
    var consecutiveDeaths = 0
    /// Deaths in a row of workers that were never ready.
    var deathsBeforeReady = 0
    /// Deaths in a row of workers that had work, with nothing new in the log in between.
    var fruitlessDeaths = 0
    /// Records and batches in the log at the last of them.
    var progressAtDeath: UInt64?
    var hasGivenUp = false
    var isHeld = false
    var giveUpMessage = ""
    /// The stage backs off as a whole until then.
    var notBefore: Moment?
    let throttle: Throttle
    /// When its rate lets go on what waits for it.
    var pacedUntil: Moment?
    /// Verdicts since a record last passed.
    var verdictsInARow = 0
    var verdictBatches: Set<UInt64> = []
    /// Deaths that records may be to blame for, since one last passed.
    var suspectDeathsInARow = 0

    // A sink: results that its log may not claim before the sink has made them durable.
    var unsynced: [Work] = []
    var unsyncedSince: Moment?
    var syncing: WorkerID?
    var syncNotBefore: Moment?
    var syncRetries: UInt32 = 0
    /// It was synced, and neither said then where it stands nor with its batches.
    var hasNoPosition = false
    /// It handed back its position with the last batch.
    var givesPositions = false

    // The last checkpoint: a source's position, a sink's position, a transform's state after `checkpointBatch`.
    var checkpoint: Payload?
    var checkpointBatch: UInt64 = 0
    /// Of a stateful stage: done batches after the last snapshot, kept to be replayed.
    var replayable: [Work] = []
    /// Batches that came back without the snapshot that was wished for, since the last one came.
    var snapshotsMissed = 0

    // For people.
    /// Over all hosts of the job.
    var tally = StageTally()
    var retries: UInt64 {
        get { tally.retries }
        set { tally.retries = newValue }
    }
    var crashes: UInt64 {
        get { tally.crashes }
        set { tally.crashes = newValue }
    }
    var restarts: UInt64 {
        get { tally.restarts }
        set { tally.restarts = newValue }
    }
    var unexplained: UInt64 { tally.unexplained }
    var hadWorkerBefore = false
    /// Workers that are yet to come and take nobody's place: more are wanted than before.
    var newPlaces = 0
    /// Smoothed duration of a batch, in nanoseconds; nil until one is done.
    var typicalBatchNanoseconds: Double?
    /// The same of a record.
    var typicalRecordNanoseconds: Double?
    var done = false
    /// Dead letters by their category, with what earlier runs left.
    var failedBy: [String: UInt64] = [:]

    init(index: Int, policy: StagePolicy, committed: CommittedSet, counts: Counts) {
        self.index = index
        self.policy = policy
        throttle = Throttle(policy.rate)
        self.committed = committed
        self.counts = counts
        nextInput = 1
    }

    var isStateful: Bool { facts?.flags.contains(.stateful) ?? false }
    /// A sink whose effect is certain only after its `sync`.
    var syncsItself: Bool { policy.kind == .sink && facts?.functions.contains(.sync) ?? false }
    /// The effect of a batch does not survive the worker before the batch is complete: a new worker opens at the last
    /// checkpoint, and all that came after it is done (or shown) again, in order. True of stateful transforms and of
    /// sinks that have a position: those that sync, and those that allow one worker only.
    var isAtomic: Bool { facts?.isAtomic(as: policy.kind) ?? false }
    var isPositional: Bool { policy.kind == .source || isAtomic }
    /// Whether the log has the outputs. What depends on earlier batches cannot be computed again from one batch alone.
    var isDurable: Bool { policy.durable || isStateful || policy.kind != .transform }

    var wantedWorkers: Int {
        // How many it may be says the plugin; until it has spoken, one is enough.
        guard !isPositional, let facts else { return 1 }
        return facts.maximumWorkers > 0 ? min(policy.workers, facts.maximumWorkers) : policy.workers
    }

    /// Nobody has a batch in hand, and none is half done: what waits of a batch has had no effect.
    var isBetweenBatches: Bool { !works.contains { $0.inHand > 0 || $0.resolvedInputs > $0.failed } }

    /// Batches that take room here.
    var held: Int { works.count + finished.count + fetched.count + fetching.count }
    /// Without what waits for a snapshot: nothing that the source does makes that less.
    var heldBytes: Int {
        works.reduce(0) { $0 + $1.bytes } + finished.values.reduce(0) { $0 + $1.bytes }
            + fetched.values.reduce(0) { $0 + $1.bytes } + unsyncedBytes
    }
    /// Whether something is done of which only a `sync` can tell where it left the sink. Each entry must have its own
    /// position: a log that ends between two entries of one position would claim more than the position holds.
    var lacksPosition: Bool {
        syncsItself && !hasNoPosition && unsynced.contains { $0.hasEffect && $0.checkpoint == nil }
    }
    /// Of an atomic stage: some records of a batch are done, and stand nowhere but with the worker.
    var isWithinBatch: Bool { isAtomic && works.contains { $0.resolvedInputs > $0.failed } }
    var replayableBytes: Int { replayable.reduce(0) { $0 + $1.bytes } }
    var unsyncedBytes: Int { unsynced.reduce(0) { $0 + $1.bytes } }

    func learnPace(_ nanoseconds: UInt64, records: Int) {
        guard records > 0 else { return }
        let each = Double(nanoseconds) / Double(records)
        typicalRecordNanoseconds = (typicalRecordNanoseconds ?? each) * 0.8 + each * 0.2
    }

    /// What the next worker must do again, or be shown again, when it opens at the last checkpoint.
    func takeBack() {
        guard isAtomic else { return }
        works = unsynced + works
        unsynced = []
        unsyncedSince = nil
        for work in works { work.startOver() }
        for work in replayable { work.replay() }
    }

    func work(_ batch: UInt64) -> Work? {
        works.first { $0.batch == batch }
    }

    func worker(_ id: WorkerID) -> WorkerState? {
        workers.first { $0.id == id }
    }
}

/// What a log has of a batch that is not whole.
package struct RecoveredPartial {
    package var covered: IndexRanges
    package var passed: UInt64
    package var failed: UInt64
    package var outputs: [Payload]

    package init(covered: IndexRanges, passed: UInt64, failed: UInt64, outputs: [Payload]) {
        self.covered = covered
        self.passed = passed
        self.failed = failed
        self.outputs = outputs
    }
}

/// What a stage's log says at the start of a run.
package struct RecoveredStage {
    package var committed = CommittedSet()
    /// Totals of everything in the log that will not be done again, partial entries included.
    package var counts = Counts()
    package var partials: [UInt64: RecoveredPartial] = [:]
    /// Records that are dead letters, of the batches that may be handed out again: those after the stage's checkpoint,
    /// and those that the sink has not committed.
    package var deadInputs: [UInt64: IndexRanges] = [:]
    /// The newest checkpoint and the batch that it came with.
    package var checkpoint: Payload?
    package var checkpointBatch: UInt64 = 0
    package var metrics: [String: Double] = [:]
    /// Dead letters that were given up for good.
    package var discarded: UInt64 = 0
    /// Records without an outcome that were in hand when earlier hosts died, by batch and index.
    package var interruptions: [UInt64: [UInt32: Interruption]] = [:]
    /// What earlier hosts have counted.
    package var tally = StageTally()
    /// Dead letters by category.
    package var failedBy: [String: UInt64] = [:]

    package init() {}
}

/// What all logs say at the start of a run.
package struct Recovery {
    package var stages: [RecoveredStage]
    /// Records of source batch `firstCounted + n`: for re-reads.
    package var sourceCounts: [UInt32] = []
    package var firstCounted: UInt64 = 1
    /// The source's last batch, if it had ended.
    package var lastBatch: UInt64?
    /// Batches of dead letters that are tried again, by number.
    package var retries: [UInt64: RetryBatch] = [:]

    /// The last number that there is for a stage; nil while the source has not ended.
    package func finalInput(of stage: Int) -> UInt64? {
        guard let lastBatch else { return nil }
        let lastRetry = retries.keys.max() ?? 0
        return lastRetry >= lastBatch + UInt64(stages.count) ? lastRetry : lastBatch + UInt64(stage)
    }

    package init(stages: [RecoveredStage]) {
        self.stages = stages
    }
}
