package import StageModel

/// Names a worker for as long as the job's host lives; never used twice.
package struct WorkerID: Sendable, Hashable, CustomStringConvertible {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
    package var description: String { "worker \(number)" }
}

/// Number of a request to a worker; 0 is none.
package typealias DispatchID = UInt64

/// What came in one answer of a worker, validated by the runtime against what was asked.
package struct Outcome {
    /// The indexes that have an outcome now; of a `read` or a `finish`: none.
    package var covered = IndexRanges()
    /// What was emitted; nil: nothing.
    package var output: Payload?
    /// Inputs that something was emitted for.
    package var passed: UInt64 = 0
    package var failures: [RecordFailure] = []
    package var unreadable: [UnreadableRecord] = []
    package var checkpoint: Payload?
    /// Amounts by name.
    package var metrics: [String: Double] = [:]
    /// Which of `covered` something was emitted for; nil: all, none, or nobody asked.
    package var emitted: IndexRanges?

    package init() {}
}

/// What a worker said of its plugin when it had loaded it.
package struct PluginFacts: Sendable, Equatable {
    /// The plugin's own id; empty when nobody asked.
    package var identifier: String
    package var kind: StageKind
    package var flags: PluginFlags
    package var functions: PluginFunctions
    /// 0: any number.
    package var maximumWorkers: Int

    package init(
        identifier: String = "", kind: StageKind, flags: PluginFlags, functions: PluginFunctions, maximumWorkers: Int
    ) {
        self.identifier = identifier
        self.kind = kind
        self.flags = flags
        self.functions = functions
        self.maximumWorkers = maximumWorkers
    }

    /// What a worker did since the last checkpoint does not survive it: see `StageState.isAtomic`.
    func isAtomic(as kind: StageKind) -> Bool {
        flags.contains(.stateful) || kind == .sink && (functions.contains(.sync) || maximumWorkers == 1)
    }
}

/// Why a worker ended.
package enum DeathCause: Sendable, Equatable {
    case signal(Int32)
    case exit(Int32)
    case timeout
    case memory
    /// It sent something that breaks the wire's rules.
    case garbage(String)
    /// It closed its pipes, or could not be started.
    case lost(String)
    /// The host itself died, so many times, and the workers with it.
    case host(times: UInt32)

    package static let hostName = "host"

    /// The name by which a pipeline file speaks of such a death.
    package var name: String {
        switch self {
        case .signal(let number): signalName(number)
        case .exit: "exit"
        case .timeout: "timeout"
        case .memory: "memory"
        case .garbage: "protocol"
        case .lost: "lost"
        case .host: Self.hostName
        }
    }

    /// The category of a dead letter that such a death leaves behind.
    package var category: String {
        switch self {
        case .signal, .lost: "crash"
        case .exit: "exit"
        case .timeout: "timeout"
        case .memory: "memory"
        case .garbage: "garbage"
        case .host: Self.hostName
        }
    }
}

/// What a dead worker left in its page about one request.
package struct Breadcrumb: Sendable, Equatable {
    package var dispatch: DispatchID
    /// Begun and not done.
    package var begun: IndexRanges

    package init(dispatch: DispatchID, begun: IndexRanges) {
        self.dispatch = dispatch
        self.begun = begun
    }
}

/// Everything known of a death.
package struct Death: Sendable {
    package var cause: DeathCause
    /// Requests that the worker was in the middle of; nil when nobody knows.
    package var breadcrumbs: [Breadcrumb]?
    /// For people: signal, address, frames, the tail of stderr.
    package var evidence: String

    package init(cause: DeathCause, breadcrumbs: [Breadcrumb]? = nil, evidence: String = "") {
        self.cause = cause
        self.breadcrumbs = breadcrumbs
        self.evidence = evidence
    }
}

/// What happens to the scheduler.
package enum Event {
    /// The first event of a run.
    case start
    /// A worker has loaded its plugin.
    case loaded(WorkerID, PluginFacts)
    /// A worker's `open` succeeded.
    case ready(WorkerID)
    /// The plugin was not accepted, or its `open` failed; `fatal`: no use in trying again. The process still lives.
    case refused(WorkerID, fatal: Bool, message: String)
    /// What the pipeline says of some stage is nothing that its plugin takes. Told instead of `loaded`.
    case misconfigured(String)
    /// Some records of a request have their outcome.
    case partial(WorkerID, DispatchID, Outcome)
    /// A request is done. `retryMilliseconds` and `message` belong to a status other than ok.
    case result(
        WorkerID, DispatchID, CallStatus, Outcome, message: String, retryMilliseconds: UInt32, busyNanoseconds: UInt64)
    /// A request that was sent behind another one was not begun, because that one did not end well.
    case notBegun(WorkerID, DispatchID)
    case heartbeat(WorkerID, DispatchID)
    /// The runtime has found that a worker breaks the rules; it will be killed.
    case misbehaved(WorkerID, DeathCause)
    /// A worker has ended and all that it had sent was handed in before.
    case exited(WorkerID, Death)
    /// Resident memory of a worker.
    case memory(WorkerID, bytes: UInt64)
    /// The output of a committed batch was read from a stage's log.
    case fetched(stage: Int, batch: UInt64, [Payload])
    /// A whole entry is in a stage's log.
    case appended(stage: Int, batch: UInt64)
    /// An entry about a part of a batch is in a stage's log. Need not be told; it makes `atRisk` exact.
    case partAppended(stage: Int, batch: UInt64)
    /// Everything appended before `flush` was asked for is durable.
    case flushed
    /// The logs cannot be written for now (a full disk); nothing is lost.
    case storageStalled(String)
    case storageRecovered
    /// The time of `nextDeadline` has come.
    case timer
    /// Stop handing out work, finish what is in hand, end the run as `interrupted`.
    case drain(reason: String)
    /// End at once: workers are killed, what is committed stays.
    case abandon
    /// New workers for a stage, of another build of its plugin or of the same; answered by `reply` actions.
    case restart(stage: String, build: Int?, request: UInt64)
    /// Nothing new is handed out. `release`: workers leave once what they have done is kept. Who asked (0: nobody waits for the
    /// answer) hears when nothing is in hand any more; a run that ends first answers nothing.
    case pause(release: Bool = false, request: UInt64 = 0)
    case unpause
    /// Dead letters of a stage are to be tried again; answered by `reply` actions.
    case retry(stage: Int, letters: LetterNumbers, request: UInt64)
    /// Answers `beginRetry`: the letters of the batches from `first` on, and those that were left for later.
    case retryBegun(
        first: UInt64, counts: [UInt32], rest: LetterNumbers, refused: UInt64, categories: [String: UInt64])
    /// The letters of a batch were read.
    case retryFetched(batch: UInt64, [Payload])
    /// Dead letters of a stage are given up for good; answered by a `reply` action.
    case discard(stage: Int, letters: LetterNumbers, request: UInt64)
    /// Answers `discard`.
    case discarded(stage: Int, letters: UInt64, refused: UInt64, categories: [String: UInt64], request: UInt64)
    /// What the machine has free, when it was measured; only told where a reserve is asked for.
    case availableMemory(bytes: UInt64)
    /// Other numbers for the stages that there are: rates, limits, retries, restarts, time, memory, workers, failures, budgets.
    /// Names, kinds, `durable`, `ordered`, `threads` and windows stay as they were, and so does all that is about batches.
    case policyChanged(JobPolicy)
}
