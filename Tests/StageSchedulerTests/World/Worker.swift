import StageModel

@testable import StageScheduler

/// A simulated worker process with its plugin.
final class Worker {
    /// A `process` or `finish` request under way.
    final class Run {
        let dispatch: DispatchID
        let batch: UInt64
        let items: [Item]
        let isReplay: Bool
        let wantsCheckpoint: Bool
        var left: [UInt32]
        var begun: UInt32?
        /// Worked on, and not told yet.
        var untold: [Item] = []
        var lastBeat: UInt64 = 0
        var outcome = Outcome()
        var output: [(input: UInt32, item: Item)] = []
        var written: [Item] = []
        var someComeAgain = false

        init(
            _ dispatch: DispatchID, batch: UInt64, items: [Item], left: [UInt32], isReplay: Bool, wantsCheckpoint: Bool
        ) {
            self.dispatch = dispatch
            self.batch = batch
            self.items = items
            self.left = left
            self.isReplay = isReplay
            self.wantsCheckpoint = wantsCheckpoint
        }
    }

    let id: WorkerID
    let stage: Int
    let plan: StagePlan
    let build: Build
    let facts: PluginFacts
    unowned let world: World
    var isAlive = true
    var isOpened = false
    var isClosing = false
    var inbox: [(dispatch: DispatchID, request: Request, follows: Bool)] = []
    /// What a request that follows waits for.
    var endedWell = false
    var runs: [Run] = []
    var isBusy = false
    var lastSent: UInt64 = 0
    var position = 0
    var sum: UInt64 = 0
    var buffer: [(batch: UInt64, item: Item)] = []

    /// Requests until a build that dies of them does.
    var requestsLeft: Int?
    var residentBytes: UInt64 = 0
    /// Stopped: what should happen waits.
    var isStopped = false
    var wasStopped = false
    var waiting: [() -> Void] = []

    init(id: WorkerID, stage: Int, build: Int, world: World) {
        self.id = id
        self.stage = stage
        self.world = world
        plan = world.plan.stages[stage]
        self.build = plan.builds[build]
        facts = plan.facts(self.build)
        if case .diesAtRequest(let count) = self.build { requestsLeft = count }
    }

    func tell(_ event: Event) {
        lastSent = max(lastSent + 1, world.now + UInt64(world.chance.below(50_000)))
        world.schedule(at: lastSent) { [world] in world.feed(event) }
    }

    func later(_ nanoseconds: UInt64, _ body: @escaping () -> Void) {
        world.schedule(at: world.now + nanoseconds) { [self] in
            guard isAlive else { return }
            if isStopped { waiting.append(body) } else { body() }
        }
    }

    /// A signal stops the process; it goes on after a while, if it is still there.
    func stop(for nanoseconds: UInt64) {
        guard isAlive, !isStopped else { return }
        isStopped = true
        wasStopped = true
        world.schedule(at: world.now + nanoseconds) { [self] in
            isStopped = false
            let bodies = waiting
            waiting = []
            for body in bodies where isAlive { body() }
        }
    }

    /// All that was said to have passed. Nobody listens any more to a build that was sent back.
    var told: [Item] = []

    var pause: UInt64 { UInt64(world.chance.below(Int(plan.recordNanoseconds) + 1)) }

    // MARK: - Life and death

    func load() {
        later(1_000_000) { [self] in
            if world.misfortune(0.05) || build == .diesLoading { return die(.signal(11)) }
            tell(.loaded(id, facts))
        }
    }

    func open(_ checkpoint: OpenCheckpoint) {
        var found: Checkpoint?
        switch checkpoint {
        case .none: break
        case .payload(let payload): found = payload as? Checkpoint
        case .stored(let batch):
            found = world.disk.logs[0].first { $0.commit.batch == batch }?.commit.checkpoint as? Checkpoint
        }
        later(1_000_000) { [self] in
            if build == .diesOpening { return die(.signal(6)) }
            if case .refuses(let fatal) = build { return tell(.refused(id, fatal: fatal, message: "this build cannot")) }
            if world.misfortune(0.05) { return tell(.refused(id, fatal: false, message: "not now")) }
            if world.isFatalDue(plan.fatals) { return tell(.refused(id, fatal: true, message: "never")) }
            position = found?.position ?? Int(0)
            sum = found?.sum ?? 0
            if plan.policy.kind == .sink, plan.sink.hasPosition {
                world.expect(position <= world.store.rows.count, "the sink is opened behind the end of its file")
                world.store.cut(to: position)
            }
            isOpened = true
            tell(.ready(id))
        }
    }

    func close() {
        if world.plan.chaos.contains(.kills), world.chance.happens(0.05) { return }
        isClosing = true
        if isStopped { waiting.append { [self] in serve() } }
        serve()
    }

    /// Ends at once: all that it has said is heard, and then its death. `reason`: what the host killed it for.
    /// `isAccident`: no record has anything to do with it.
    func die(_ cause: DeathCause, for reason: DeathCause? = nil, isAccident: Bool = false) {
        guard isAlive else { return }
        let leftInPeace = isClosing && cause == .exit(0)
        if !leftInPeace { world.riskTaken += world.atRisk }
        isAlive = false
        let suspects = book(cause, reason, isAccident: isAccident || wasStopped)
        if case .garbage = cause { tell(.misbehaved(id, cause)) }
        let crumbs = runs.map { run in
            Breadcrumb(dispatch: run.dispatch, begun: IndexRanges(run.begun.map { [$0] } ?? []))
        }
        var said = cause
        if case .garbage = cause { said = .signal(9) }
        let state = world.scheduler.stages[stage]
        // Those that the stage has to answer for: not told to end, and not the newcomers of a take-over.
        let isEarly = state.swap == nil && world.scheduler.mode == .running && !state.isHeld && !isOpened
        lastSent = max(lastSent + 1, world.now + UInt64(world.chance.below(50_000)))
        world.schedule(at: lastSent) { [self, world, id, stage] in
            let wasTold = world.scheduler.worker(id).map { $0.phase == .dying && $0.killedFor == nil } ?? true
            if world.scheduler.worker(id)?.isSentBack ?? false { world.ledger.lost(told, stage) }
            // What a build does on probation is held against the build alone; it may have passed that since.
            let state = world.scheduler.stages[stage]
            let isNew = world.scheduler.worker(id).map { world.scheduler.isOnProbation($0, of: state) } ?? true
            let isOnTrial = isNew && state.swap.map { !$0.hasWorked } ?? false
            if build.isGood || !isOnTrial { for suspect in suspects { world.ledger.died(suspect.item, stage, isKill: suspect.isKill, isAccident: suspect.isAccident) } }
            if isEarly, !wasTold, state.swap == nil { world.earlyDeaths[stage, default: []].append(world.now) }
            world.feed(.exited(id, Death(cause: said, breadcrumbs: crumbs)))
            world.checkIntensity(of: stage)
        }
    }

    private struct Suspect {
        var item: Item
        var isKill: Bool
        var isAccident: Bool
    }

    /// What the world's books say of a death.
    private func book(_ cause: DeathCause, _ reason: DeathCause?, isAccident: Bool) -> [Suspect] {
        for run in runs { world.ledger.lost(run.untold, stage) }
        if world.scheduler.stages[stage].isAtomic { world.ledger.lostAll(stage) }
        let isHosts = cause == .signal(9) && !isAccident
        if reason == .timeout {
            let hangs = runs.contains { run in
                run.left.contains { world.plan.deed(of: run.items[Int($0)], at: stage) == .hang }
            }
            world.expect(wasStopped || hangs || runs.isEmpty, "a worker of stage \(stage) is killed that is only slow")
        }
        guard !isHosts || reason != nil else { return [] }
        let isKill = cause == .signal(9) && reason == nil
        var inHand: [Item] = []
        for run in runs where !run.isReplay {
            // Of garbage the records before are as suspect as the one in hand, also those that had passed and were not told of.
            if case .garbage = cause {
                inHand += run.left.map { run.items[Int($0)] } + run.untold
            } else {
                inHand += (run.begun.map { [$0] } ?? run.left).map { run.items[Int($0)] }
            }
        }
        if runs.isEmpty {
            for case (_, .process(_, let input, _, let ranges, _, false, _), false) in inbox {
                let items = Block.merged(input)
                inHand += ranges.indexes.map { items[Int($0)] }
            }
        }
        return inHand.map { Suspect(item: $0, isKill: isKill, isAccident: isAccident) }
    }

    // MARK: - Requests

    /// Whether a build that dies of requests dies of this one.
    func dies() -> Bool {
        guard let left = requestsLeft else { return false }
        requestsLeft = left - 1
        return left <= 1
    }

    func receive(_ dispatch: DispatchID, _ request: Request, follows: Bool = false) {
        world.expect(isOpened && !isClosing, "a request to a worker that is not open")
        inbox.append((dispatch, request, follows))
        if !isStopped { serve() } else if waiting.isEmpty { waiting.append { [self] in serve() } }
    }

    func serve() {
        guard isAlive, !isStopped else { return }
        while let (dispatch, request, follows) = inbox.first {
            if isBusy { return }
            if follows, runs.isEmpty, !endedWell {
                inbox.removeFirst()
                tell(.notBegun(id, dispatch))
                continue
            }
            switch request {
            case .process(let batch, let input, let count, let ranges, _, let replay, let wanted):
                guard runs.count < plan.policy.threads, !follows || runs.isEmpty else { return }
                let items = Block.merged(input)
                world.expect(items.count == Int(count), "a batch of another size than stated")
                world.disk.inputs[stage][batch] = items
                inbox.removeFirst()
                let run = Run(
                    dispatch, batch: batch, items: items, left: Array(ranges.indexes), isReplay: replay,
                    wantsCheckpoint: wanted)
                runs.append(run)
                later(pause) { [self] in begin(run) }
            default:
                guard runs.isEmpty else { return }
                inbox.removeFirst()
                isBusy = true
                later(pause) { [self] in
                    answer(dispatch, request)
                    isBusy = false
                    serve()
                }
            }
        }
        if isClosing, runs.isEmpty, !isBusy { die(.exit(0)) }
    }

    func answer(_ dispatch: DispatchID, _ request: Request) {
        switch request {
        case .read(_, let count, _, let first, let exact):
            world.expect(first == UInt64(position), "the source stands at \(position), and is told \(first)")
            read(dispatch, Int(count), exact)
        case .sync: sync(dispatch)
        case .finish: finish(dispatch)
        case .process: break
        }
    }

    func reply(_ dispatch: DispatchID, _ status: CallStatus, _ outcome: Outcome, milliseconds: UInt32 = 0) {
        tell(
            .result(id, dispatch, status, outcome, message: "", retryMilliseconds: milliseconds, busyNanoseconds: pause)
        )
    }

    func read(_ dispatch: DispatchID, _ count: Int, _ exact: Bool) {
        if world.misfortune(0.05) { return reply(dispatch, .retry, Outcome(), milliseconds: 5) }
        if world.misfortune(0.02, .poison) || dies() { return die(.signal(11)) }
        if !exact || world.chance.happens(0.5), world.chance.happens(0.05) { return reply(dispatch, .idle, Outcome()) }
        if !exact, world.chance.happens(0.05) { return reply(dispatch, .ok, Outcome()) }
        // The same position, the same records: also how many there are at hand is decided by the position.
        let hash = mixed(world.plan.seed, 5, UInt64(position))
        let wanted = exact || hash % 3 > 0 ? count : 1 + Int(hash / 3 % UInt64(max(count, 1)))
        let end = min(world.plan.records, position + min(wanted, count))
        var outcome = Outcome()
        var entries: [(input: UInt32, item: Item)] = []
        for index in position..<max(end, position) {
            if world.plan.isUnreadable(index) {
                outcome.unreadable.append(
                    UnreadableRecord(identifier: UInt64(index), key: [], value: [], message: "unreadable"))
            } else {
                entries.append((0, world.plan.sourceItem(index)))
            }
        }
        if !entries.isEmpty { outcome.output = Block(entries) }
        position = max(end, position)
        outcome.checkpoint = Checkpoint(position: position)
        let atEnd = position == world.plan.records && (hash % 2 == 0 || entries.isEmpty && outcome.unreadable.isEmpty)
        reply(dispatch, atEnd ? .end : .ok, outcome)
    }

    func sync(_ dispatch: DispatchID) {
        if world.misfortune(0.1) { return reply(dispatch, .retry, Outcome()) }
        var outcome = Outcome()
        switch plan.sink {
        case .buffering:
            for (_, item) in buffer { world.store.append(item) }
            buffer = []
            world.store.sync()
            outcome.checkpoint = Checkpoint(position: world.store.rows.count)
        case .lateTransactional:
            var start = 0
            while start < buffer.count {
                let batch = buffer[start].batch
                let end = buffer[start...].firstIndex { $0.batch != batch } ?? buffer.count
                world.store.commit(buffer[start..<end].map(\.item), batch: batch)
                start = end
            }
            buffer = []
        default:
            world.store.sync()
            if world.chance.happens(0.5) { outcome.checkpoint = Checkpoint(position: world.store.rows.count) }
        }
        reply(dispatch, .ok, outcome)
    }

    func finish(_ dispatch: DispatchID) {
        if dies() { return die(.signal(11)) }
        if world.misfortune(0.1) { return reply(dispatch, .retry, Outcome()) }
        if world.misfortune(0.1) { return die(.signal(11)) }
        var outcome = Outcome()
        let items = plan.policy.kind == .sink ? [] : world.plan.finishResults(at: stage, state: sum)
        if !items.isEmpty { outcome.output = Block(items.map { (0, $0) }) }
        if plan.policy.kind == .sink, plan.sink == .truncating {
            outcome.checkpoint = Checkpoint(position: world.store.rows.count)
        }
        reply(dispatch, .ok, outcome)
    }
}
