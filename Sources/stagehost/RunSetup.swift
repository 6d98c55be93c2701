import LinuxIO
import StageCommand
import StageConfig
import StageModel
import StageRuntime
import StageScheduler

/// From a resolved pipeline to what the scheduler and the runtime want to know.
enum RunSetup {
    static func policy(_ pipeline: Pipeline, limit: UInt64?, skip: UInt64) -> JobPolicy {
        var policy = JobPolicy(
            stages: pipeline.stages.enumerated().map { index, stage in
                let kind: StageKind = index == 0 ? .source : index == pipeline.stages.count - 1 ? .sink : .transform
                return stagePolicy(stage, kind, in: pipeline)
            })
        switch pipeline.batch.records.value {
        case .records(let count): policy.batchRecords = UInt32(clamping: count)
        case .automatic: policy.adaptsBatches = true
        }
        policy.batchBytes = UInt64(clamping: pipeline.batch.bytes.value)
        switch pipeline.sync.value {
        case .interval(let duration): policy.sync = .interval(nanoseconds: duration.nanoseconds)
        case .everyBatch: policy.sync = .everyBatch
        case .never: policy.sync = .never
        }
        policy.failures = failures(pipeline.failures)
        policy.recordLimit = limit
        policy.skipRecords = skip
        policy.seed = monotonicNanoseconds()
        return policy
    }

    private static func stagePolicy(_ stage: StageSettings, _ kind: StageKind, in pipeline: Pipeline) -> StagePolicy {
        var policy = StagePolicy(name: stage.name.value, kind: kind)
        policy.workers = stage.workers.value
        policy.threads = stage.threads.value
        policy.standby = stage.standby.value
        policy.durable = stage.durable.value
        policy.window = pipeline.window(of: stage)
        let timeout = stage.timeout.value.nanoseconds
        policy.timeoutNanoseconds = timeout == 0 ? nil : timeout
        policy.timeoutPerRecord = stage.timeoutScope.value == .record
        policy.memoryBytes = stage.memory.value.map { UInt64(clamping: $0) }
        policy.softMemoryBytes = stage.memorySoft.value.map { UInt64(clamping: $0) }
        policy.recycleAfterBatches = stage.recycleAfter.value.map { UInt64(clamping: $0) }
        policy.snapshotEveryBatches = UInt64(clamping: stage.snapshotEvery.value)
        policy.retry.attempts = UInt32(clamping: stage.retry.attempts.value)
        policy.retry.backoffNanoseconds = stage.retry.backoff.value.nanoseconds
        policy.retry.factor = stage.retry.factor.value
        policy.retry.maximumNanoseconds = stage.retry.max.value.nanoseconds
        policy.retry.jitter = stage.retry.jitter.value
        policy.restart.maximum = stage.restart.max.value
        policy.restart.withinNanoseconds = stage.restart.within.value.nanoseconds
        policy.restart.backoffNanoseconds = stage.restart.backoff.value.nanoseconds
        policy.restart.factor = stage.restart.factor.value
        policy.restart.maximumBackoffNanoseconds = stage.restart.maxBackoff.value.nanoseconds
        policy.restart.jitter = stage.restart.jitter.value
        policy.restart.resetAfterNanoseconds = stage.restart.resetAfter.value.nanoseconds
        policy.probationBatches = UInt64(clamping: stage.probation.value)
        for rule in stage.on { policy.onDeath[rule.cause] = DeathPolicy(rawValue: rule.action.value.rawValue) }
        policy.onGiveUp = stage.onGiveUp.value == .hold ? .hold : .stop
        policy.failures = failures(stage.failures)
        return policy
    }

    private static func failures(_ limits: FailureLimits) -> FailurePolicy {
        var policy = FailurePolicy()
        policy.maximum = limits.max.value.map { UInt64(clamping: $0) }
        policy.maximumRate = limits.maxRate.value
        policy.minimumSample = UInt64(clamping: limits.minimumSample.value)
        return policy
    }

    /// The worker program: beside this one.
    static var workerProgram: String { Surroundings.executableDirectory + "/stagehost-worker" }
}

extension Duration {
    /// The whole duration in nanoseconds; what is negative counts as nothing.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product + UInt64(attoseconds / 1_000_000_000)
    }
}
