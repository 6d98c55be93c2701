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
    static let everything: Chaos = [.failures, .poison, .kills, .hostDeaths, .powerLoss, .operators, .storage]
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
}

/// What a stage does with one record.
enum Deed: Equatable {
    case pass, filter, permanent
    case emit(Int)
    case transient(Int)
    case poison
    case hang
    /// Kills its worker the first time only.
    case flaky
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
    var retries = 0.0
    var snapshots = 1.0
    var recordNanoseconds: UInt64 = 1_000_000

    var facts: PluginFacts {
        PluginFacts(kind: policy.kind, flags: flags, functions: functions, maximumWorkers: maximumWorkers)
    }
}

/// A whole world, made from a seed.
struct Plan {
    let seed: UInt64
    var stages: [StagePlan] = []
    var job: JobPolicy
    var records = 0
    var unreadable = 0.0
    var chaos: Chaos
    var hostDeaths = 0
    var kills = 0

    init(seed: UInt64, chaos: Chaos) {
        var chance = Chance(seed: seed)
        self.seed = seed
        self.chaos = chaos
        records = chance.happens(0.08) ? chance.below(2) : chance.between(1, 80)
        let transforms = chance.below(7)
        var source = StagePlan(policy: StagePolicy(name: "source", kind: .source))
        source.functions = [.read]
        source.maximumWorkers = 1
        stages = [source]
        for index in 0..<transforms { stages.append(Self.transform(index + 1, &chance, chaos)) }
        stages.append(Self.sinkStage(&chance, chaos))
        for index in stages.indices {
            stages[index].policy.window = chance.between(1, 16)
            stages[index].policy.standby = chance.happens(0.3) ? chance.between(1, 2) : 0
            stages[index].policy.restart.maximum = 100_000
            stages[index].policy.retry.attempts = UInt32(chance.between(2, 5))
            stages[index].policy.retry.backoffNanoseconds = UInt64(chance.between(1, 500)) * 1_000_000
            stages[index].recordNanoseconds = chance.one(of: [1_000, 200_000, 5_000_000])
            if chance.happens(0.2) { stages[index].policy.recycleAfterBatches = UInt64(chance.between(1, 6)) }
        }
        var job = JobPolicy(stages: [])
        for index in stages.indices { Self.pace(&stages, index, &job, &chance) }
        job.stages = stages.map(\.policy)
        self.job = job
        job.batchRecords = UInt32(chance.happens(0.1) ? 1 : chance.between(2, 50))
        job.sync = chance.one(of: [
            .never, .everyBatch, .interval(nanoseconds: 20_000_000), .interval(nanoseconds: 200_000_000),
        ])
        if chance.happens(0.2) { job.memoryBudgetBytes = chance.between(16, 4000) }
        if chance.happens(0.1) { job.recordLimit = UInt64(chance.below(100)) }
        job.seed = seed
        if chaos.contains(.failures) { unreadable = chance.one(of: [0, 0, 0.05, 0.5]) }
        if chaos.contains(.kills) { kills = chance.between(0, 12) }
        if !chaos.isDisjoint(with: [.hostDeaths, .powerLoss]) { hostDeaths = chance.between(0, 4) }
    }

    /// Rates, shared limits, and order that need not be kept.
    private static func pace(_ stages: inout [StagePlan], _ index: Int, _ job: inout JobPolicy, _ chance: inout Chance) {
        var rate = RatePolicy()
        rate.minimum = 20
        if chance.happens(0.2) { rate.recordsPerSecond = Double(chance.one(of: [30, 200, 5_000])) }
        if chance.happens(0.5) { rate.burst = chance.between(1, 40) }
        if chance.happens(0.1) { rate.decrease = 1 }
        stages[index].policy.rate = rate
        if chance.happens(0.15) {
            if job.limits.isEmpty || chance.happens(0.3) {
                var limit = LimitPolicy(name: "limit\(job.limits.count)")
                limit.rate.minimum = 20
                if chance.happens(0.5) { limit.rate.recordsPerSecond = Double(chance.between(30, 1000)) }
                if chance.happens(0.6) { limit.concurrency = chance.between(1, 30) }
                job.limits.append(limit)
            }
            stages[index].policy.limit = job.limits.last?.name
        }
        stages[index].policy.ordered = chance.happens(0.6)
        if chance.happens(0.15) { stages[index].policy.retry.on = chance.one(of: [[], [.crash], [.transient, .timeout, .crash]]) }
        job.memoryReserveBytes = 1 << 20
    }

    private static func transform(_ index: Int, _ chance: inout Chance, _ chaos: Chaos) -> StagePlan {
        var plan = StagePlan(policy: StagePolicy(name: "t\(index)", kind: .transform))
        plan.policy.workers = chance.between(1, 4)
        plan.policy.threads = chance.between(1, 3)
        plan.policy.durable = chance.happens(0.7)
        plan.policy.snapshotEveryBatches = UInt64(chance.between(1, 8))
        plan.isStateful = chance.happens(0.25)
        plan.showsState = plan.isStateful && chance.happens(0.5)
        plan.snapshots = chance.one(of: [1, 0.5])
        plan.finishes = chance.happens(plan.isStateful ? 0.8 : 0.3)
        if plan.isStateful { plan.flags.insert(.stateful) }
        if plan.finishes { plan.functions.insert(.finish) }
        if chance.happens(0.2) { plan.maximumWorkers = chance.between(1, 3) }
        plan.givesPartials = chance.one(of: [0, 0.1, 0.6])
        plan.oddDeeds = chance.one(of: [0, 0.1, 0.4])
        plan.deeds = [.filter, .emit(2), .emit(3)]
        hurt(&plan, &chance, chaos)
        return plan
    }

    private static func sinkStage(_ chance: inout Chance, _ chaos: Chaos) -> StagePlan {
        var plan = StagePlan(policy: StagePolicy(name: "sink", kind: .sink))
        plan.sink = chance.one(of: SinkKind.allCases)
        plan.policy.workers = chance.between(1, 3)
        plan.givesPartials = chance.one(of: [0, 0.3])
        plan.finishes = chance.happens(0.3)
        if plan.finishes { plan.functions.insert(.finish) }
        switch plan.sink {
        case .truncating, .buffering, .lateTransactional: plan.functions.insert(.sync)
        case .writeThrough, .transactional: plan.maximumWorkers = 1
        case .unordered: break
        }
        plan.oddDeeds = chance.one(of: [0, 0, 0.1])
        hurt(&plan, &chance, chaos)
        return plan
    }

    /// Gives a stage its bad habits.
    private static func hurt(_ plan: inout StagePlan, _ chance: inout Chance, _ chaos: Chaos) {
        if chance.happens(0.6) { plan.flags.insert(.recordByRecord) }
        if chaos.contains(.failures) {
            if chance.happens(0.5) { plan.deeds.append(.permanent) }
            // A sink that skips what it has by batch number must give the same outcome when asked again.
            if chance.happens(0.5), !plan.showsState, !plan.sink.isTransactional {
                plan.deeds += [.transient(1), .transient(3), .transient(6)]
            }
            if chance.happens(0.3) { plan.retries = 0.1 }
        }
        if chaos.contains(.poison) {
            if chance.happens(0.4) { plan.deeds.append(.poison) }
            if chance.happens(0.4) { plan.deeds.append(.flaky) }
            if chance.happens(0.3) {
                plan.deeds.append(.hang)
                plan.policy.timeoutNanoseconds = 3_000_000_000
            }
            // More, and the scheduler is right to blame the plugin.
            if plan.deeds.contains(.poison) || plan.deeds.contains(.hang) { plan.oddDeeds = min(plan.oddDeeds, 0.15) }
        }
    }

    /// Whether the sink can be asked for a batch again that it has, and get other records: after a power loss, a record
    /// that had been set aside above may pass. A sink that commits by itself is ahead of the logs then, unless each of
    /// their entries is durable at once.
    var surprisesSink: Bool {
        let isSelfCommitting = stages.last?.sink.isTransactional ?? false
        return isSelfCommitting && job.sync != .everyBatch && !chaos.isDisjoint(with: [.failures, .poison, .kills])
    }

    func deed(of item: Item, at stage: Int) -> Deed {
        let plan = stages[stage]
        let hash = mixed(seed, UInt64(stage), item.id)
        guard !plan.deeds.isEmpty, Double(hash >> 11) * 0x1p-53 < plan.oddDeeds else { return .pass }
        return plan.deeds[Int(mixed(hash) % UInt64(plan.deeds.count))]
    }

    /// What is emitted for a record that is neither failed nor filtered.
    func results(of item: Item, at stage: Int, state: UInt64) -> [Item] {
        let shown = stages[stage].showsState ? state : 0
        let value = mixed(item.value, UInt64(stage), shown)
        switch deed(of: item, at: stage) {
        case .emit(let count):
            return (0..<count).map { Item(id: mixed(item.id, UInt64(stage), UInt64($0)), value: value) }
        case .filter: return []
        default: return [Item(id: item.id, value: value)]
        }
    }

    func finishResults(at stage: Int, state: UInt64) -> [Item] {
        guard stages[stage].finishes else { return [] }
        return (0..<Int(mixed(seed, UInt64(stage)) % 4)).map {
            Item(id: mixed(seed, UInt64(stage), UInt64($0)), value: mixed(state, UInt64($0)))
        }
    }

    func sourceItem(_ index: Int) -> Item { Item(id: mixed(seed, UInt64(index)), value: UInt64(index)) }
    func isUnreadable(_ index: Int) -> Bool { Double(mixed(seed, 77, UInt64(index)) >> 11) * 0x1p-53 < unreadable }

    /// The content of the sink after a run in which just these records failed, batch by batch.
    func expected(dead: Set<Letter>) -> [Item] {
        let count = job.recordLimit.map { min(records, Int($0)) } ?? records
        var flow = (0..<count).filter { !isUnreadable($0) }.map(sourceItem)
        for stage in stages.indices.dropFirst().dropLast() {
            var state: UInt64 = 0
            var next: [Item] = []
            for item in flow where !dead.contains(Letter(stage: stage, id: item.id)) {
                next += results(of: item, at: stage, state: state)
                state = stages[stage].isStateful ? state &+ item.value : 0
            }
            flow = next + finishResults(at: stage, state: state)
        }
        let sink = stages.count - 1
        return flow.filter { !dead.contains(Letter(stage: sink, id: $0.id)) && deed(of: $0, at: sink) != .filter }
    }
}

/// A dead letter, as the world knows it.
struct Letter: Hashable {
    var stage: Int
    var id: UInt64
}
