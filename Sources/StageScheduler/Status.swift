package import StageModel

/// A stage as `status` shows it.
package struct StageStatus: Sendable {
    package var name: String
    package var kind: StageKind
    package var state: String
    package var workers: Int
    package var batches: UInt64
    package var counts: Counts
    /// Dead letters that were given up for good.
    package var discarded: UInt64
    /// Over all hosts of the job.
    package var tally: StageTally
    package var residentBytes: UInt64
    /// All batches up to here are committed.
    package var committedThrough: UInt64
    package var committedBeyond: Int
    package var metrics: [String: Double]
    package var message: String
    /// Dead letters by category: their sum is `counts.failed`, once what is on its way to the log is there.
    package var failedBy: [String: UInt64]
    /// nil: nothing limits the rate.
    package var rate: RateStatus?

    package var retries: UInt64 { tally.retries }
    package var crashes: UInt64 { tally.crashes }
    package var restarts: UInt64 { tally.restarts }
    package var unexplainedDeaths: UInt64 { tally.unexplained }
}

/// How fast a stage may go now, by its own rate or by a limit that it shares.
package struct RateStatus: Sendable, Equatable {
    package var recordsPerSecond: Double
    /// What is configured; nil: nothing is.
    package var full: Double?
    /// Answers have asked for a pause, and the full rate is not reached again.
    package var isSlowed: Bool
    /// Answers that asked for a pause.
    package var refusals: UInt64
}

/// A job as `status` shows it.
package struct JobStatus: Sendable {
    package var state: String
    package var stages: [StageStatus]
    /// Records whose result is not yet in a log: what a death of everything can repeat.
    package var atRisk: UInt64
    package var read: UInt64
    package var written: UInt64
    package var filtered: UInt64
    package var failed: UInt64
    package var discarded: UInt64
    /// Sums over all stages of what their plugins report, by name.
    package var costs: [String: Double]
    /// Whether the source has come to its end.
    package var sourceHasEnded: Bool
    /// Why nothing new is given out, in a job that is paused.
    package var waitsFor: String?
}

extension Scheduler {
    package var status: JobStatus {
        JobStatus(
            state: stateName, stages: stages.map(status(of:)), atRisk: atRisk, read: stages[0].counts.inputs,
            written: sink.counts.passed, filtered: stages.reduce(0) { $0 + $1.counts.filtered },
            failed: stages.reduce(0) { $0 + $1.counts.failed }, discarded: stages.reduce(0) { $0 + $1.discarded },
            costs: costs, sourceHasEnded: lastBatch != nil, waitsFor: mode == .running ? waitsFor : nil)
    }

    private var stateName: String {
        switch mode {
        case .running:
            if stages.contains(where: \.isHeld) { return "holding" }
            return waitsFor != nil ? "paused" : "running"
        case .draining(let end, _), .ending(let end, _), .over(let end):
            switch end {
            case .complete: return "complete"
            case .interrupted, .overBudget: return "interrupted"
            default: return "failed"
            }
        }
    }

    /// Records in hand, and those whose results are on their way to a log.
    private var atRisk: UInt64 {
        var sum: UInt64 = 0
        for stage in stages {
            for worker in stage.workers {
                for request in worker.outstanding where request.kind == .process { sum += UInt64(request.ranges.count) }
            }
            for inputs in stage.appending.values { sum += inputs }
            for parts in stage.appendingParts.values { for inputs in parts { sum += inputs } }
            guard stage.isAtomic else { continue }
            for work in stage.unsynced { sum += UInt64(work.inputCount) }
            for work in stage.works { sum += work.resolvedInputs - work.failed }
        }
        return sum
    }

    private func status(of stage: StageState) -> StageStatus {
        let ready = stage.workers.count { $0.phase == .ready && !$0.isStandby }
        let state: String
        if stage.hasGivenUp {
            state = "gave up"
        } else if stage.isHeld {
            state = "held"
        } else if hasTakenAll(stage), stage.works.isEmpty {
            state = "done"
        } else if ready == 0 {
            state = isReleased(stage) ? "released" : stage.restartAt == nil ? "starting" : "restarting"
        } else {
            state = stage.works.isEmpty && stage.policy.kind != .source ? "waiting" : "running"
        }
        return StageStatus(
            name: stage.policy.name, kind: stage.policy.kind, state: state, workers: ready,
            batches: stage.committed.through + UInt64(stage.committed.beyond.count), counts: stage.counts,
            discarded: stage.discarded, tally: stage.tally, residentBytes: stage.workers.reduce(0) { $0 + $1.residentBytes },
            committedThrough: stage.committed.through, committedBeyond: stage.committed.beyond.count,
            metrics: stage.metrics, message: stage.giveUpMessage, failedBy: stage.failedBy, rate: rateStatus(of: stage))
    }
}
