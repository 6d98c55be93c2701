package import StageModel

/// The checkpoint that a worker is opened from.
package enum OpenCheckpoint {
    case none
    case payload(Payload)
    /// The one that the source's log has for this batch.
    case stored(batch: UInt64)
}

/// A request to a worker.
package enum Request {
    /// `count`: records at most; `exact`: a re-read, which must yield just so many.
    case read(batch: UInt64, count: UInt32, bytes: UInt64, firstIdentifier: UInt64, exact: Bool)
    case process(
        batch: UInt64, input: [Payload], inputCount: UInt32, ranges: IndexRanges, attempt: UInt32, replay: Bool,
        checkpointWanted: Bool)
    case sync
    case finish(batch: UInt64, firstIdentifier: UInt64)
}

/// A record set aside for good.
package struct DeadLetter: Sendable, Equatable {
    package var input: UInt32
    package var category: String
    package var message: String
    package var attempts: UInt32
    package var signal: Int32?
    /// Signal, address, frames, the tail of stderr; empty for ordinary failures.
    package var evidence: String
    /// Only for what a source could not read; otherwise the record is in the input of the batch.
    package var unreadable: UnreadableRecord?
    /// The worker that it failed in, and its share of that worker's time; nil where nobody can say.
    package var worker: WorkerID?
    package var nanoseconds: UInt64?
}

/// Records that have an outcome and did not fail, as one answer of a worker brought them.
package struct DoneRecords: Sendable {
    package var stage: Int
    package var batch: UInt64
    package var worker: WorkerID
    package var covered: IndexRanges
    /// Those of `covered` that something was emitted for, if that differs from record to record and was asked for.
    package var emitted: IndexRanges?
    package var passed: UInt64
    /// The time of the answer, shared among its records.
    package var nanosecondsEach: UInt64
    /// How often a record has been handed out, where that is not once.
    package var attempts: [UInt32: UInt32]
}

/// What a stage made of a batch, or of some of its records: an entry of its log.
package struct Commit {
    package var stage: Int
    package var batch: UInt64
    /// False: more entries of the same batch will come.
    package var isWhole: Bool
    /// Input records of the whole batch.
    package var inputs: UInt64
    /// The records that this entry is about.
    package var covered: IndexRanges
    package var passed: UInt64
    package var filtered: UInt64
    package var failed: UInt64
    /// Output records of this entry.
    package var outputs: UInt64
    package var output: [Payload]
    package var letters: [DeadLetter]
    /// The input of the batch, for the letters' keys and values.
    package var input: [Payload]
    package var checkpoint: Payload?
    package var metrics: [String: Double]
    /// The batch is the stage's last: its `finish`.
    package var isFinish: Bool
    /// The build of the plugin that made it: the one that answered last.
    package var build = 0
}

/// How a run ended.
package enum RunEnd: Sendable, Equatable {
    case complete
    /// Asked to stop, or out of time: resumable.
    case interrupted(String)
    case tooManyFailures(String)
    /// A budget is used up: resumable with a larger one.
    case overBudget(name: String, spent: Double, limit: Double)
    case gaveUp(stage: Int, message: String)
    /// A plugin cannot be used as configured: kind, schema, or its own word.
    case refused(stage: Int, message: String)
    /// The pipeline and the plugins do not fit each other: what a plugin says of itself forbids what the file wants.
    case misconfigured(String)
    /// The source does not deliver again what it has delivered before.
    case wrongInput(String)
    /// The counts do not add up, or another promise of our own is broken.
    case broken(String)
}

/// Things worth telling, for events, logs and people.
package enum Note: Sendable {
    case workerStarted(stage: Int, WorkerID)
    case workerReady(stage: Int, WorkerID)
    case workerDied(stage: Int, WorkerID, DeathCause, batch: UInt64?, evidence: String)
    case workerRefused(stage: Int, WorkerID, message: String)
    case workerRestarted(stage: Int, WorkerID)
    case recordFailed(stage: Int, batch: UInt64, DeadLetter)
    case recordRetried(stage: Int, batch: UInt64, input: UInt32, attempt: UInt32, message: String)
    case poisonFound(stage: Int, batch: UInt64, input: UInt32, DeathCause)
    case unexplainedDeath(stage: Int, batch: UInt64)
    /// A batch is in the log of a stage; so many records went into it.
    case batchDone(stage: Int, batch: UInt64, records: UInt64)
    case recordsDone(DoneRecords)
    /// A call into a plugin has returned; `records` were asked for, or read.
    case called(stage: Int, WorkerID, records: UInt64, nanoseconds: UInt64)
    case pluginSwapped(stage: Int, build: Int, isNew: Bool)
    /// Also of a build that never served.
    case swapRolledBack(stage: Int, build: Int, reason: String)
    case probationPassed(stage: Int, build: Int)
    case stageGaveUp(stage: Int, message: String)
    /// Answers ask for a pause: so many records per second from now on.
    case stageSlowed(stage: Int, recordsPerSecond: Double)
    /// That did not help: it is as fast as before, and answers that ask for a pause change nothing for some time.
    case stageNotSlowed(stage: Int)
    /// `ordered: false` was asked for, and the next stage cannot do with it.
    case orderKept(stage: Int, reason: String)
    case paused(String)
    case resumed
    case draining(String)
    case lettersRetried(stage: Int, batch: UInt64, letters: UInt64)
    case lettersDiscarded(stage: Int, letters: UInt64)
}

/// What the runtime is to do.
package enum Action {
    /// Start a process that loads a build of the stage's plugin; it is not opened yet.
    case start(WorkerID, stage: Int, index: Int, build: Int)
    case open(WorkerID, stage: Int, OpenCheckpoint)
    case send(WorkerID, DispatchID, Request)
    /// The same behind a request that the worker still has: it is begun only if that one ends well, or else a `notBegun`
    /// event follows. Ending well: status ok, no record to be tried again, and from a sink with `sync` a position.
    case sendNext(WorkerID, DispatchID, Request)
    /// Let it close the plugin and leave. An `exited` event follows.
    case close(WorkerID)
    /// An `exited` event follows.
    case kill(WorkerID, DeathCause?)
    /// Read the output of a committed batch from a stage's log; a `fetched` event follows.
    case fetch(stage: Int, batch: UInt64)
    /// Write an entry; an `appended` event follows when `isWhole`.
    case append(Commit)
    /// Write down for good, behind all that was appended so far, that some of these letters, those that are dead and of
    /// this stage, make up the batches from `firstBatch` on, each with at most so many records of about so many bytes; a
    /// `retryBegun` event follows.
    case beginRetry(
        stage: Int, letters: LetterNumbers, firstBatch: UInt64, lastBatch: UInt64?, records: UInt32, bytes: UInt64)
    /// Read the letters of such a batch; a `retryFetched` event follows.
    case fetchRetry(batch: UInt64)
    /// Write down for good that those of these letters that are dead are given up; a `discarded` event follows.
    case discard(stage: Int, letters: LetterNumbers, request: UInt64)
    /// Make everything appended so far durable; a `flushed` event follows.
    case flush
    case note(Note)
    /// Words for whoever made a request.
    case reply(UInt64, ok: Bool, message: String, isLast: Bool)
    /// The last words to a request that was not taken up: it may be made again later.
    case deny(UInt64, message: String)
    /// The last action of a run. All workers have ended.
    case finished(RunEnd)
}
