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
        for budget in pipeline.budget { policy.budget[budget.name] = budget.amount.value }
        policy.limits = pipeline.limits.map { limit in
            var shared = LimitPolicy(name: limit.name)
            shared.rate = rate(limit.rate)
            shared.concurrency = limit.concurrency.value
            return shared
        }
        policy.memoryReserveBytes = pipeline.memoryReserve.value.map { UInt64(clamping: $0) }
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
        policy.retry.on = Set(stage.retry.on.value.compactMap { RetryCause(rawValue: $0.rawValue) })
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
        policy.rate = rate(stage.rate)
        policy.limit = stage.limit.value
        policy.ordered = stage.ordered.value
        return policy
    }

    private static func rate(_ settings: RateSettings) -> RatePolicy {
        var policy = RatePolicy()
        policy.recordsPerSecond = settings.recordsPerSecond.value
        policy.burst = settings.burst.value
        policy.minimum = settings.minimum.value
        policy.decrease = settings.decrease.value
        policy.increase = settings.increase.value
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
