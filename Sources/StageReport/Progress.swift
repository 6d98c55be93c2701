package import StageScheduler

/// How fast a job goes and how long it will take, from what its status says over time.
package struct Progress: Sendable {
    private struct Sample {
        var seconds: Double
        var records: UInt64
    }

    /// The rate is that of the last so many seconds.
    private static let windowSeconds = 10.0

    private var samples: [Sample] = []
    /// Source records in all, if the source has said so or has ended.
    package var total: UInt64?
    package private(set) var elapsedSeconds = 0.0
    package private(set) var done: UInt64 = 0
    package private(set) var ratePerSecond = 0.0

    package init() {}

    /// Takes the status of a moment, `seconds` after the start of the run.
    package mutating func update(_ status: JobStatus, seconds: Double) {
        elapsedSeconds = seconds
        done = status.recordsDone
        if status.sourceHasEnded { total = status.read }
        samples.append(Sample(seconds: seconds, records: done))
        if let keepFrom = samples.lastIndex(where: { $0.seconds <= seconds - Self.windowSeconds }) {
            samples.removeFirst(keepFrom)
        }
        guard let first = samples.first, seconds - first.seconds > 0.05, done >= first.records else { return }
        ratePerSecond = Double(done - first.records) / (seconds - first.seconds)
    }

    package var share: Double? {
        guard let total, total > 0 else { return nil }
        return min(1, Double(done) / Double(total))
    }

    package var etaSeconds: Double? {
        guard let total, ratePerSecond > 0, total >= done else { return nil }
        return Double(total - done) / ratePerSecond
    }
}

extension JobStatus {
    /// Source records that are through: as many as were in the batches that the sink has committed, with the rest of the
    /// last batches estimated by their number.
    package var recordsDone: UInt64 {
        guard let source = stages.first, let sink = stages.last, source.committedThrough > 0 else { return 0 }
        let through = min(sink.committedThrough, source.committedThrough)
        return UInt64(Double(read) * Double(through) / Double(source.committedThrough))
    }
}
