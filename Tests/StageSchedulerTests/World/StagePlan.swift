import StageModel

@testable import StageScheduler

/// What may go wrong in a world.
struct Chaos: OptionSet {
    let rawValue: Int
    static let failures = Chaos(rawValue: 1 << 0)
    static let poison = Chaos(rawValue: 1 << 1)
    static let kills = Chaos(rawValue: 1 << 2)
    static let hostDeaths = Chaos(rawValue: 1 << 3)
    static let powerLoss = Chaos(rawValue: 1 << 4)
    static let operators = Chaos(rawValue: 1 << 5)
    static let storage = Chaos(rawValue: 1 << 6)
    /// Records and workers that hang or are stopped, and slow ones that only seem to.
    static let hangs = Chaos(rawValue: 1 << 7)
    /// Hot restarts and swaps, also to builds that do not work.
    static let swaps = Chaos(rawValue: 1 << 8)
    /// Records that blow up the memory, and leaks.
    static let memory = Chaos(rawValue: 1 << 9)
    /// Stages that give up, and too many failures.
    static let limits = Chaos(rawValue: 1 << 10)
    /// Batches that are rejected, plugins that say that they cannot go on, and other policies than usual for deaths.
    static let verdicts = Chaos(rawValue: 1 << 11)
    static let everything: Chaos = [
        .failures, .poison, .kills, .hostDeaths, .powerLoss, .operators, .storage, .hangs, .swaps, .memory, .limits,
        .verdicts,
    ]
}

/// How a sink keeps the sink contract.
enum SinkKind: CaseIterable {
    /// Cut back to the checkpoint of each batch; synced.
    case truncating
    /// Buffers, and knows its position only when synced.
    case buffering
    /// Cut back to the checkpoint; needs no sync; one worker.
    case writeThrough
    /// Commits the batch number with the data; one worker.
    case transactional
    /// The same, but commits at sync.
    case lateTransactional
    /// No position at all: at least once.
    case unordered

    var isTransactional: Bool { self == .transactional || self == .lateTransactional }
    var hasPosition: Bool { self == .truncating || self == .buffering || self == .writeThrough }
}

/// What a stage does with one record.
enum Deed: Equatable {
    case pass, filter, permanent
    case emit(Int)
    case transient(Int)
    case poison
    case hang
    /// Takes longer than the timeout, with heartbeats.
    case slow
    /// Needs more memory than the limit.
    case balloon
    /// Kills its worker the first time only.
    case flaky
}

/// What is wrong with another build of a stage's plugin.
enum Build: Equatable {
    case good
    /// Works batch-wise where the first build works record-wise, and the other way round.
    case goodOther
    case diesLoading, diesOpening, wrongKind
    case refuses(fatal: Bool)
    /// At so many requests of one worker.
    case diesAtRequest(Int)
    case failsMore

    var isGood: Bool { self == .good || self == .goodOther }
}

/// One stage of a world.
struct StagePlan {
    var policy: StagePolicy
    var flags: PluginFlags = []
    var functions: PluginFunctions = [.process]
    var maximumWorkers = 0
    var sink = SinkKind.truncating
    var isStateful = false
    /// The state shows in every record, and not only at the end.
    var showsState = false
    var finishes = false
    var givesPartials = 0.0
    var oddDeeds = 0.0
    var deeds: [Deed] = []
    /// Of the first stage after the source: records that kill, one beside the other.
    var poisonRun: Range<UInt64> = 0..<0
    var retries = 0.0
    var rejects = 0.0
    var fatals = 0.0
    var snapshots = 1.0
    var recordNanoseconds: UInt64 = 1_000_000
    /// Builds that an operator may swap in; number 0 is the one that every host starts with.
    var builds: [Build] = [.good]

    /// Whether what is done again in this stage counts as paid work.
    var keepsResults: Bool { policy.durable || isStateful || policy.kind != .transform }

    func facts(_ build: Build) -> PluginFacts {
        var flags = flags
        if build == .goodOther { flags.formSymmetricDifference(.recordByRecord) }
        let kind = build != .wrongKind ? policy.kind : policy.kind == .sink ? .transform : .sink
        return PluginFacts(kind: kind, flags: flags, functions: functions, maximumWorkers: maximumWorkers)
    }
}

/// A dead letter, as the world knows it; also the name of a record at a stage.
struct Letter: Hashable {
    var stage: Int
    var id: UInt64
}
