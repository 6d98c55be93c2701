/// When results are made durable.
package enum SyncPolicy: Sendable, Hashable {
    /// At the latest after this time, all batches since then together.
    case interval(Duration)
    /// After every batch: nothing is lost in a power failure.
    case everyBatch
    /// Only when the system likes to.
    case never
}

/// How many records make a batch.
package enum BatchSize: Sendable, Hashable {
    case records(Int)
    /// As many as suit the stages, measured while the job runs.
    case automatic
}

/// Which outcomes of records the event file lists.
package enum RecordLog: String, Sendable, CaseIterable { case failures, all, none }

/// How often the event file tells of progress.
package enum ProgressPace: Sendable, Hashable {
    /// A line for each stage after so many records, at most a hundred a second.
    case records(Int)
    /// A line for each stage after this time.
    case time(Duration)
}

/// What the deadline of a stage counts for.
package enum TimeoutScope: String, Sendable, CaseIterable { case batch, record }

/// What happens when a stage gives up.
package enum GiveUpAction: String, Sendable, CaseIterable {
    /// The others drain, and the job ends.
    case stop
    /// The job waits for somebody to restart the stage.
    case hold
}

/// What the death of a worker leads to.
package enum DeathAction: String, Sendable, CaseIterable {
    /// Restart, and if it happens again find the record that causes it.
    case poison
    /// Restart, and never blame a record.
    case restart
    /// The stage gives up, and the job stops.
    case stop
    /// The stage gives up, and the job waits.
    case hold
}

/// Why a record may be tried again.
package enum RetryCategory: String, Sendable, CaseIterable { case transient, crash, timeout, memory }

package struct RetrySettings: Sendable {
    /// Tries in all, the first included.
    package var attempts: Setting<Int>
    package var backoff: Setting<Duration>
    package var factor: Setting<Double>
    package var max: Setting<Duration>
    /// Share of the pause that chance may add or take away.
    package var jitter: Setting<Double>
    package var on: Setting<[RetryCategory]>
}

package struct RestartSettings: Sendable {
    /// Deaths within `within` that a stage may have before it gives up.
    package var max: Setting<Int>
    package var within: Setting<Duration>
    package var backoff: Setting<Duration>
    package var factor: Setting<Double>
    package var maxBackoff: Setting<Duration>
    package var jitter: Setting<Double>
    /// A worker that lives this long resets the pause.
    package var resetAfter: Setting<Duration>
}

package struct FailureLimits: Sendable {
    /// Dead letters that are too many; nil: any number is fine.
    package var max: Setting<Int?>
    /// Share of dead letters that is too much.
    package var maxRate: Setting<Double?>
    /// Records after which `maxRate` begins to count.
    package var minimumSample: Setting<Int>
}

package struct RateSettings: Sendable {
    package var recordsPerSecond: Setting<Double?>
    /// Records that may go at once after a quiet time.
    package var burst: Setting<Int?>
    /// Throttling never slows the stage below this many records per second.
    package var minimum: Setting<Double>
    /// What one throttling answer multiplies the rate by; 1: nothing changes.
    package var decrease: Setting<Double>
    /// Records per second that come back every second; nil: a twentieth of what it was slowed to, and more and more.
    package var increase: Setting<Double?>
}

/// A limit that several stages share.
package struct SharedLimit: Sendable {
    package var name: String
    package var rate: RateSettings
    /// Records in hand at once, over all stages that share the limit.
    package var concurrency: Setting<Int?>
}

/// An amount of something that stages report, at which the job pauses.
package struct Budget: Sendable {
    package var name: String
    package var amount: Setting<Double>
}

/// What happens on one cause of death.
package struct DeathRule: Sendable {
    /// A signal such as "SIGSEGV", or "timeout", "memory", "exit", "protocol".
    package var cause: String
    package var action: Setting<DeathAction>
}
