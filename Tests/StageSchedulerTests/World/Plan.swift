import StageModel

@testable import StageScheduler

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
    var restarts = 0

    init(seed: UInt64, chaos: Chaos) {
        var chance = Chance(seed: seed)
        self.seed = seed
        self.chaos = chaos
        let isLarge = chance.happens(0.03)
        records = isLarge ? chance.between(200, 1500) : chance.happens(0.08) ? chance.below(2) : chance.between(1, 80)
        let transforms = isLarge ? chance.below(3) : chance.below(7)
        var source = StagePlan(policy: StagePolicy(name: "source", kind: .source))
        source.functions = [.read]
        source.maximumWorkers = 1
        stages = [source]
        for index in 0..<transforms { stages.append(Self.transform(index + 1, &chance, chaos, isLarge)) }
        stages.append(Self.sinkStage(&chance, chaos))
        if isLarge { stages[stages.count - 1].oddDeeds = min(stages[stages.count - 1].oddDeeds, 0.01) }
        for index in stages.indices { Self.rule(&stages[index], &chance, chaos) }
        if chaos.contains(.poison), chance.happens(0.1) {
            let start = UInt64(chance.below(records + 1))
            // More, and a stage that keeps no part of a batch is rightly taken to be broken, again and again.
            let isInOrder = stages[1].isStateful || stages[1].policy.kind == .sink || !stages[1].policy.durable
            stages[1].poisonRun = start..<start + UInt64(chance.between(2, isInOrder ? 9 : 40))
            stages[1].policy.onDeath = [:]
        }
        // Under a name of its own: what follows is meant for the plan.
        var paced = JobPolicy(stages: [])
        for index in stages.indices { Self.pace(&stages, index, &paced, &chance) }
        paced.stages = stages.map(\.policy)
        job = paced
        job.batchRecords = UInt32(
            isLarge ? chance.between(100, 1000) : chance.happens(0.1) ? 1 : chance.between(2, 50))
        job.sync = chance.one(of: [
            .never, .everyBatch, .interval(nanoseconds: 20_000_000), .interval(nanoseconds: 200_000_000),
        ])
        if chance.happens(0.2) { job.memoryBudgetBytes = chance.between(16, 4000) }
        if chance.happens(0.1) { job.recordLimit = UInt64(chance.below(100)) }
        if chance.happens(0.1) { job.skipRecords = UInt64(chance.below(records + 10)) }
        job.seed = seed
        if chaos.contains(.failures) { unreadable = chance.one(of: [0, 0, 0.05, 0.5]) }
        if chaos.contains(.kills) { kills = chance.between(0, 12) }
        if !chaos.isDisjoint(with: [.hostDeaths, .powerLoss]) { hostDeaths = chance.between(0, 4) }
        if chaos.contains(.swaps) { restarts = chance.between(1, 8) }
        if chaos.contains(.limits), chance.happens(0.3) {
            job.failures.maximum = UInt64(chance.below(6))
            if chance.happens(0.3) { job.failures.maximumRate = 0.1 }
            job.failures.minimumSample = UInt64(chance.between(1, 50))
        }
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

    private static func transform(_ index: Int, _ chance: inout Chance, _ chaos: Chaos, _ isLarge: Bool) -> StagePlan {
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
        plan.oddDeeds = isLarge ? 0.02 : chance.one(of: [0, 0.1, 0.4])
        plan.deeds = [.filter, .emit(2), .emit(3)]
        if index == 1, chance.happens(0.1) { plan.deeds.append(.emit(isLarge ? 5 : 20)) }
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
        // A sink that skips what it has by batch number must give the same outcome when asked again.
        let mayVary = !plan.sink.isTransactional
        if chaos.contains(.failures) {
            if chance.happens(0.5) { plan.deeds.append(.permanent) }
            if chance.happens(0.5), !plan.showsState, mayVary {
                plan.deeds += [.transient(1), .transient(3), .transient(6)]
            }
            if chance.happens(0.3) { plan.retries = 0.1 }
        }
        if chaos.contains(.poison) {
            if chance.happens(0.4) { plan.deeds.append(.poison) }
            if chance.happens(0.4) { plan.deeds.append(.flaky) }
        }
        if chaos.contains(.hangs), chance.happens(0.5) {
            plan.deeds += [.hang, .slow]
            plan.policy.timeoutNanoseconds = 3_000_000_000
            plan.policy.timeoutPerRecord = chance.happens(0.5)
        }
        if chaos.contains(.memory), chance.happens(0.5) {
            if chance.happens(0.5) {
                plan.deeds.append(.balloon)
                plan.policy.memoryBytes = 1 << 30
            }
            if chance.happens(0.5) { plan.policy.softMemoryBytes = 1 << 20 }
        }
        // More, and the scheduler is right to blame the plugin.
        if plan.deeds.contains(where: \.isDeadly) { plan.oddDeeds = min(plan.oddDeeds, 0.15) }
        if chaos.contains(.verdicts) {
            if chance.happens(0.2), mayVary, plan.policy.kind == .transform || plan.sink != .unordered { plan.rejects = 0.02 }
            if chance.happens(0.2) { plan.fatals = 0.01 }
            if chance.happens(0.3), !plan.deeds.contains(where: \.isDeadly) {
                for name in ["SIGSEGV", "SIGKILL", "exit"] where chance.happens(0.4) {
                    plan.policy.onDeath[name] = chance.one(of: [.restart, .stop, .hold])
                }
            }
        }
    }

    /// What somebody has written into the pipeline file for a stage.
    private static func rule(_ plan: inout StagePlan, _ chance: inout Chance, _ chaos: Chaos) {
        plan.policy.window = chance.between(1, 16)
        plan.policy.standby = chance.happens(0.3) ? chance.between(1, 2) : 0
        plan.policy.restart.maximum = 100_000
        plan.policy.retry.attempts = UInt32(chance.between(2, 5))
        plan.policy.retry.backoffNanoseconds = UInt64(chance.between(1, 500)) * 1_000_000
        plan.recordNanoseconds = chance.one(of: [1_000, 200_000, 5_000_000])
        if chance.happens(0.2) { plan.policy.recycleAfterBatches = UInt64(chance.between(1, 6)) }
        if chaos.contains(.limits) {
            if chance.happens(0.4) { plan.policy.restart.maximum = chance.between(1, 6) }
            if chance.happens(0.5) { plan.policy.onGiveUp = .hold }
            if chance.happens(0.1) { plan.policy.failures.maximum = UInt64(chance.below(4)) }
        }
        guard chaos.contains(.swaps) else { return }
        // A build that dies of its work again and again may pass its probation where that is short: somebody must be called.
        if plan.policy.restart.maximum == 100_000 {
            plan.policy.restart.maximum = 30
            plan.policy.onGiveUp = .hold
        }
        plan.policy.probationBatches = UInt64(chance.one(of: [0, 4, 16]))
        let isPlain = plan.policy.kind != .source
        plan.builds += [.good, isPlain ? .goodOther : .good]
        guard plan.policy.probationBatches > 0 else { return }
        plan.builds += [
            .diesLoading, .diesOpening, .refuses(fatal: true), .refuses(fatal: false), .wrongKind,
            .diesAtRequest(chance.between(1, 3)),
        ]
        let mayVary = plan.policy.kind == .transform || plan.sink.hasPosition
        if isPlain, mayVary { plan.builds.append(.failsMore) }
    }

    /// Whether the sink can be asked for a batch again that it has, and get other records: after a power loss, a record
    /// that had been set aside above may pass, or the other way round. A sink that has no position is ahead of the logs then, unless each of
    /// their entries is durable at once.
    var surprisesSink: Bool {
        let hasNoWayBack = stages.last.map { !$0.sink.hasPosition } ?? false
        return hasNoWayBack && job.sync != .everyBatch
            && !chaos.isDisjoint(with: [.failures, .poison, .kills, .hangs, .memory, .swaps, .verdicts])
    }

    func deed(of item: Item, at stage: Int) -> Deed {
        let plan = stages[stage]
        if plan.poisonRun.contains(item.value), stage == 1 { return .poison }
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

    /// Source records that belong to the job.
    var range: Range<Int> {
        let start = min(Int(job.skipRecords), records)
        return start..<(job.recordLimit.map { min(records, start + Int($0)) } ?? records)
    }

    /// The content of the sink after a run in which just these records failed, batch by batch.
    func expected(dead: Set<Letter>) -> [Item] {
        var flow = range.filter { !isUnreadable($0) }.map(sourceItem)
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

extension Deed {
    var isDeadly: Bool { self == .poison || self == .hang || self == .balloon }
}
