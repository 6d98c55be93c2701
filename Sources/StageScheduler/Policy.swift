package import StageModel

/// How often and how soon a record that failed transiently is tried again.
package struct RetryPolicy: Sendable, Equatable {
    /// Tries in all, the first included.
    package var attempts: UInt32 = 3
    package var backoffNanoseconds: UInt64 = 200_000_000
    package var factor: Double = 2
    package var maximumNanoseconds: UInt64 = 10_000_000_000
    /// Share of the pause that is random, either way: 0.1 means 90 % to 110 %.
    package var jitter: Double = 0.1
    /// What is tried again: failures that the plugin calls transient, and records that workers die on.
    package var on: Set<RetryCause> = [.transient]

    package init() {}
}

/// Why a record may be tried again.
package enum RetryCause: String, Sendable {
    case transient
    /// A death by a signal, an exit or garbage on the pipe; beyond the two deaths that it takes to blame a record.
    case crash
    case timeout, memory
}

/// How fast records may be handed out, over all workers.
package struct RatePolicy: Sendable, Equatable {
    /// The full rate; nil: any, until answers ask for a pause.
    package var recordsPerSecond: Double?
    /// Records that may go at once after a quiet time; nil: a tenth of a second's worth.
    package var burst: Int?
    /// Answers that ask for a pause never slow it below this many records per second.
    package var minimum: Double = 1
    /// What an answer that asks for a pause multiplies the rate by; 1: such answers change nothing.
    package var decrease: Double = 0.5
    /// Records per second that come back each second; nil: a twentieth of what it was slowed to, and more and more.
    package var increase: Double?

    package init() {}
}

/// A limit that several stages share.
package struct LimitPolicy: Sendable, Equatable {
    package var name: String
    package var rate = RatePolicy()
    /// Records in hand at once, over all stages that share the limit; nil: any number.
    package var concurrency: Int?

    package init(name: String) { self.name = name }
}

/// How often and how soon a worker that died is replaced.
package struct RestartPolicy: Sendable, Equatable {
    /// Deaths within `withinNanoseconds` that a stage survives.
    package var maximum: Int = 5
    package var withinNanoseconds: UInt64 = 30_000_000_000
    package var backoffNanoseconds: UInt64 = 50_000_000
    package var factor: Double = 2
    package var maximumBackoffNanoseconds: UInt64 = 5_000_000_000
    /// Share of the pause that is random, either way.
    package var jitter: Double = 0.1
    /// A worker that has lived so long when it dies begins a new count of pauses.
    package var resetAfterNanoseconds: UInt64 = 60_000_000_000

    package init() {}
}

/// What the death of a worker leads to.
package enum DeathPolicy: String, Sendable {
    /// Restart; if it happens again, find the record that causes it.
    case poison
    /// Restart, and never blame a record.
    case restart
    /// The stage gives up: the job stops, or it waits for somebody.
    case stop, hold
}

/// What happens when a stage has used up its restart intensity.
package enum GiveUpPolicy: String, Sendable { case stop, hold }

/// How many dead letters are too many.
package struct FailurePolicy: Sendable, Equatable {
    package var maximum: UInt64?
    package var maximumRate: Double?
    /// Records that must have an outcome before the rate is looked at.
    package var minimumSample: UInt64 = 100

    package init() {}
}

/// What the scheduler knows of one stage's configuration.
package struct StagePolicy: Sendable {
    package var name: String
    package var kind: StageKind
    package var workers = 1
    package var threads = 1
    package var standby = 0
    package var durable = true
    /// Batches that may be held by the stage at once: waiting, in work, or done and not yet taken by the next stage.
    package var window = 64
    /// Longest time that a batch (or a record) may take without a heartbeat; nil: for ever.
    package var timeoutNanoseconds: UInt64?
    package var timeoutPerRecord = false
    /// Resident memory at which a worker is killed; nil: none.
    package var memoryBytes: UInt64?
    /// Resident memory, or number of batches, after which a worker is replaced between two batches.
    package var softMemoryBytes: UInt64?
    package var recycleAfterBatches: UInt64?
    package var snapshotEveryBatches: UInt64 = 64
    /// First batches of a swapped plugin during which the old build may come back; 0: none.
    package var probationBatches: UInt64 = 16
    package var retry = RetryPolicy()
    package var restart = RestartPolicy()
    package var onGiveUp = GiveUpPolicy.stop
    /// By cause: the name of a signal, "timeout", "memory", "exit" or "protocol"; what is not here is `poison`.
    package var onDeath: [String: DeathPolicy] = [:]
    package var failures = FailurePolicy()
    package var rate = RatePolicy()
    /// The name of one of the job's limits.
    package var limit: String?
    /// False: what is finished passes on, also before an earlier batch.
    package var ordered = true

    package init(name: String, kind: StageKind) {
        self.name = name
        self.kind = kind
    }
}

/// When logs are made durable.
package enum SyncPolicy: Sendable, Equatable {
    case never
    case everyBatch
    case interval(nanoseconds: UInt64)
}

/// What the scheduler knows of the job's configuration.
package struct JobPolicy: Sendable {
    package var stages: [StagePolicy]
    package var batchRecords: UInt32 = 100
    /// `batchRecords` is only the beginning: batches grow as long as the slowest stage is quick with them.
    package var adaptsBatches = false
    package var batchBytes: UInt64 = 1 << 20
    package var sync = SyncPolicy.interval(nanoseconds: 200_000_000)
    package var failures = FailurePolicy()
    /// What all stages together may cost, by the name under which plugins report it.
    package var budget: [String: Double] = [:]
    /// By stage: what the failure limits leave out, because the job was taken up again after they had stopped it.
    package var forgiven: [Counts] = []
    package var limits: [LimitPolicy] = []
    /// Free memory of the machine below which nothing new is given out and no worker is started; nil: none.
    package var memoryReserveBytes: UInt64?
    /// Bytes of payloads in the host above which nothing new is read from the source.
    package var memoryBudgetBytes = 24 << 20
    /// Source records to read at most; nil: all.
    package var recordLimit: UInt64?
    /// Source records to pass over before the first.
    package var skipRecords: UInt64 = 0
    /// How long a drain waits for the batches in hand.
    package var drainGraceNanoseconds: UInt64 = 10_000_000_000
    package var seed: UInt64 = 0

    package init(stages: [StagePolicy]) {
        self.stages = stages
    }
}
