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
    /// Of an atomic stage: what partial answers said, which stands only when the request is done.
    var provisional: [Outcome] = []
    /// When the worker can have begun it: sent, and fewer than `threads` requests before it. nil: it waits its turn.
    var startedAt: Moment?
    /// Last sign of life of this request.
    var aliveAt: Moment
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
    /// Of a stateful stage: the batches to replay before it may go on.
    var replaysLeft = 0
    var isStandby = false
    /// Its `open` has succeeded.
    var wasReady = false

    init(id: WorkerID, stage: Int, index: Int, since: Moment) {
        self.id = id
        self.stage = stage
        self.index = index
        self.since = since
    }

    var isAlive: Bool { phase != .dying }
    var canServe: Bool { phase == .ready && !isStandby }
}

/// A stage's place in the pipeline, its work and its workers.
final class StageState {
    let index: Int
    let policy: StagePolicy
    var facts: PluginFacts?

    /// What the log has, of this run and of earlier ones.
    var committed: CommittedSet
    /// Totals of everything that has an outcome, with what earlier runs left.
    var counts: Counts
    var metrics: [String: Double] = [:]

    /// The next batch to take, in order.
    var nextInput: UInt64
    /// In order of arrival, which is order of number.
    var works: [Work] = []
    var finished: [UInt64: Finished] = [:]
    /// Outputs that were fetched from the log for the next stage.
    var fetched: [UInt64: Finished] = [:]
    var fetching: Set<UInt64> = []
    /// Entries handed to the log and not yet in it.
    var appending: [UInt64: UInt64] = [:]
    /// Of a partly done batch, found at the start of a run.
    var recoveredPartials: [UInt64: RecoveredPartial] = [:]

    var workers: [WorkerState] = []
    var restartAt: Moment?
    /// Times of the deaths that count.
    var deaths: [Moment] = []
    var consecutiveDeaths = 0
    /// Batches that died, were searched and are now poor of one record: their first death is explained.
    var hasGivenUp = false
    var isHeld = false
    var giveUpMessage = ""
    /// The stage backs off as a whole until then.
    var notBefore: Moment?
    /// Verdicts since a record last passed.
    var verdictsInARow = 0
    var verdictBatches: Set<UInt64> = []

    // A sink: results that its log may not claim before the sink has made them durable.
    var unsynced: [Commit] = []
    var unsyncedSince: Moment?
    var syncing: (worker: WorkerID, count: Int)?

    // The last checkpoint: a source's position, a sink's position, a transform's state after `checkpointBatch`.
    var checkpoint: Payload?
    var checkpointBatch: UInt64 = 0
    /// Of a stateful stage: done batches after the last snapshot, kept to be replayed.
    var replayable: [Work] = []

    // For people.
    var batchesDone: UInt64 = 0
    var retries: UInt64 = 0
    var crashes: UInt64 = 0
    var restarts: UInt64 = 0
    var unexplained: UInt64 = 0
    var hadWorkerBefore = false
    /// Smoothed duration of a batch, in nanoseconds; nil until one is done.
    var typicalBatchNanoseconds: Double?
    var done = false

    init(index: Int, policy: StagePolicy, committed: CommittedSet, counts: Counts) {
        self.index = index
        self.policy = policy
        self.committed = committed
        self.counts = counts
        nextInput = 1
    }

    var isStateful: Bool { facts?.flags.contains(.stateful) ?? false }
    /// A partial effect of a batch does not survive the worker: its results count only when the batch is done.
    var isAtomic: Bool { isStateful || (policy.kind == .sink && facts?.functions.contains(.sync) ?? false) }
    var isPositional: Bool { policy.kind == .source || isAtomic }

    var wantedWorkers: Int {
        if isPositional { return 1 }
        guard let most = facts?.maximumWorkers, most > 0 else { return policy.workers }
        return min(policy.workers, most)
    }

    /// Batches that take room here.
    var held: Int { works.count + finished.count + fetched.count + fetching.count }
    var heldBytes: Int {
        works.reduce(0) { $0 + $1.bytes } + finished.values.reduce(0) { $0 + $1.bytes }
            + fetched.values.reduce(0) { $0 + $1.bytes } + replayable.reduce(0) { $0 + $1.bytes }
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
    /// The newest checkpoint and the batch that it came with.
    package var checkpoint: Payload?
    package var checkpointBatch: UInt64 = 0
    package var metrics: [String: Double] = [:]

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

    package init(stages: [RecoveredStage]) {
        self.stages = stages
    }
}
