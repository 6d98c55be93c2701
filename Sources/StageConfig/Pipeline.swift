/// A pipeline in which every value has been decided: read, checked and ready to run.
package struct Pipeline: Sendable {
    /// The file it was read from, as it was named.
    package var file: String
    /// The folder that relative paths start from.
    package var directory: String

    package var name: Setting<String>
    package var description: Setting<String?>
    package var batch: BatchSettings
    package var sync: Setting<SyncPolicy>
    /// Batches in flight per stage.
    package var window: Setting<Int>
    /// Whether log segments stay when nobody needs them any more.
    package var keep: Setting<Bool>
    package var progressInterval: Setting<ProgressPace>
    package var recordLog: Setting<RecordLog>
    /// File for metrics in OpenMetrics text.
    package var metrics: Setting<String?>
    package var failures: FailureLimits
    package var limits: [SharedLimit]
    package var budget: [Budget]
    package var timeLimit: Setting<Duration?>
    /// Free memory of the machine below which nothing new is given out.
    package var memoryReserve: Setting<Int?>
    /// At least two: the first is the source, the last is the sink.
    package var stages: [StageSettings]

    /// Every value with its origin, in the order of the documentation.
    package var resolved: [ResolvedValue]

    package struct BatchSettings: Sendable {
        package var records: Setting<BatchSize>
        package var bytes: Setting<Int>
    }

    /// The file of `metrics`: relative paths start from the folder of the pipeline file.
    package var metricsPath: String? { metrics.value.map { $0.hasPrefix("/") ? $0 : directory + "/" + $0 } }

    package func stage(named name: String) -> StageSettings? { stages.first { $0.name.value == name } }

    /// Batches in flight of one stage: its own window, or that of the pipeline.
    package func window(of stage: StageSettings) -> Int { stage.window.value ?? window.value }
}

/// One stage of a pipeline.
package struct StageSettings: Sendable {
    package var name: Setting<String>
    /// The name of a plugin, or a path with a slash in it.
    package var plugin: Setting<String>
    /// The plugin's own configuration, with places for diagnostics.
    package var with: ConfigNode
    package var workers: Setting<Int>
    package var threads: Setting<Int>
    package var standby: Setting<Int>
    package var durable: Setting<Bool>
    package var ordered: Setting<Bool>
    /// Zero: no deadline.
    package var timeout: Setting<Duration>
    package var timeoutScope: Setting<TimeoutScope>
    /// Whether a worker that crashes or hangs leaves a core.
    package var core: Setting<Bool>
    package var memory: Setting<Int?>
    package var memorySoft: Setting<Int?>
    /// Batches after which a worker is replaced.
    package var recycleAfter: Setting<Int?>
    package var snapshotEvery: Setting<Int>
    /// First batches of a swapped plugin during which the old build may come back.
    package var probation: Setting<Int>
    package var retry: RetrySettings
    package var restart: RestartSettings
    package var on: [DeathRule]
    package var onGiveUp: Setting<GiveUpAction>
    package var rate: RateSettings
    /// The name of a shared limit.
    package var limit: Setting<String?>
    package var failures: FailureLimits
    package var window: Setting<Int?>

    /// The plugin's configuration as strict JSON text.
    package var withJSON: String { with.plain.json() }

    /// What a death of this cause leads to.
    package func action(onDeathBy cause: String) -> DeathAction {
        on.first { $0.cause == cause }?.action.value ?? .poison
    }
}
