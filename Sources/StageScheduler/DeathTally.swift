/// One death of a worker, for people: what happened, when, and whether it is known why.
package struct DeathRecord: Sendable, Equatable {
    package enum Time: Sendable, Equatable {
        case now(Moment)
        /// Of an earlier host, as it wrote it down.
        case earlier(String)
    }

    package enum Explanation: Sendable, Equatable {
        /// The batch is not done: its records are still being tried.
        case open
        /// A record was found that kills workers.
        case found
        /// The build was on probation, and went again.
        case build
        /// It did not repeat, or had nothing to do with a record.
        case unexplained
    }

    package var time: Time
    /// The name by which a pipeline file speaks of such a death; "host" where the host died.
    package var cause: String
    package var message: String
    /// The signal's name.
    package var signal: String?
    package var exitCode: Int32?
    package var batch: UInt64?
    /// The record that was in hand, where it was one.
    package var index: UInt32?
    package var worker: UInt64
    package var explanation = Explanation.open
    /// Batches that may yet explain it.
    var pending: Set<UInt64> = []

    package init(
        time: Time, cause: String, message: String, signal: String? = nil, exitCode: Int32? = nil, batch: UInt64? = nil,
        index: UInt32? = nil, worker: UInt64
    ) {
        self.time = time
        self.cause = cause
        self.message = message
        self.signal = signal
        self.exitCode = exitCode
        self.batch = batch
        self.index = index
        self.worker = worker
    }
}

/// What happened to a stage's workers, over all hosts of the job.
package struct StageTally: Sendable, Equatable {
    package var retries: UInt64 = 0
    package var crashes: UInt64 = 0
    package var restarts: UInt64 = 0
    /// Deaths that no record was found for.
    package var unexplained: UInt64 = 0
    /// The last ones, oldest first; at most `kept`.
    package private(set) var deaths: [DeathRecord] = []

    package static let kept = 20

    package init() {}

    /// Adds a death. One that is pushed out unexplained stays so.
    package mutating func add(_ death: DeathRecord) {
        deaths.append(death)
        while deaths.count > Self.kept {
            let oldest = deaths.removeFirst()
            if oldest.explanation == .open, oldest.cause != DeathCause.hostName { unexplained += 1 }
        }
    }

    /// The newest death waits for the outcome of a batch.
    mutating func wait(for batch: UInt64) {
        guard let last = deaths.indices.last, deaths[last].explanation == .open else { return }
        deaths[last].pending.insert(batch)
    }

    /// The newest death waits for nothing: then it is unexplained.
    mutating func settleNewest() {
        guard let last = deaths.indices.last, deaths[last].explanation == .open, deaths[last].pending.isEmpty else { return }
        deaths[last].explanation = .unexplained
        unexplained += 1
    }

    /// The newest death was the end of a build's probation.
    mutating func blameBuild() {
        guard let last = deaths.indices.last else { return }
        deaths[last].explanation = .build
    }

    /// A record of the batch was found to kill workers.
    mutating func explain(_ batch: UInt64) {
        for index in deaths.indices where deaths[index].pending.contains(batch) {
            deaths[index].pending = []
            deaths[index].explanation = .found
        }
    }

    /// The batch is done: what it has not explained by now, it will not.
    mutating func close(_ batch: UInt64) {
        for index in deaths.indices where deaths[index].pending.remove(batch) != nil && deaths[index].pending.isEmpty {
            deaths[index].explanation = .unexplained
            unexplained += 1
        }
    }

    /// What an earlier host left undecided stays unexplained.
    mutating func closeAll() {
        for index in deaths.indices where deaths[index].explanation == .open && deaths[index].cause != DeathCause.hostName {
            deaths[index].explanation = .unexplained
            unexplained += 1
        }
    }
}
