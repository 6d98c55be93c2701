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
    unowned let world: World
    var isAlive = true
    var isOpened = false
    private var isClosing = false
    private var inbox: [(dispatch: DispatchID, request: Request, follows: Bool)] = []
    /// What a request that follows waits for.
    private var endedWell = false
    private var runs: [Run] = []
    private var isBusy = false
    private var lastSent: UInt64 = 0
    private var position = 0
    private var sum: UInt64 = 0
    private var buffer: [(batch: UInt64, item: Item)] = []

    init(id: WorkerID, stage: Int, world: World) {
        self.id = id
        self.stage = stage
        self.world = world
        plan = world.plan.stages[stage]
    }

    private func tell(_ event: Event) {
        lastSent = max(lastSent + 1, world.now + UInt64(world.chance.below(50_000)))
        world.schedule(at: lastSent) { [world] in world.feed(event) }
    }

    private func later(_ nanoseconds: UInt64, _ body: @escaping () -> Void) {
        world.schedule(at: world.now + nanoseconds) { [self] in if isAlive { body() } }
    }

    private var pause: UInt64 { UInt64(world.chance.below(Int(plan.recordNanoseconds) + 1)) }

    // MARK: - Life and death

    func load() {
        later(1_000_000) { [self] in
            if world.misfortune(0.05) { return die(.signal(11)) }
            tell(.loaded(id, plan.facts))
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
            if world.misfortune(0.05) { return tell(.refused(id, fatal: false, message: "not now")) }
            position = found?.position ?? 0
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
        serve()
    }

    /// Ends at once: all that it has said is heard, and then its death.
    func die(_ cause: DeathCause) {
        guard isAlive else { return }
        world.riskTaken += world.atRisk
        isAlive = false
        if case .garbage = cause { tell(.misbehaved(id, cause)) }
        let crumbs = runs.map { run in
            Breadcrumb(dispatch: run.dispatch, begun: IndexRanges(run.begun.map { [$0] } ?? []))
        }
        if case .garbage = cause {
            tell(.exited(id, Death(cause: .signal(9), breadcrumbs: crumbs)))
        } else {
            tell(.exited(id, Death(cause: cause, breadcrumbs: crumbs)))
        }
    }

    // MARK: - Requests

    func receive(_ dispatch: DispatchID, _ request: Request, follows: Bool = false) {
        world.expect(isOpened && !isClosing, "a request to a worker that is not open")
        world.expect(!follows || !runs.isEmpty || !inbox.isEmpty || lastSent > world.now, "a request that follows nothing")
        inbox.append((dispatch, request, follows))
        serve()
    }

    private func serve() {
        guard isAlive else { return }
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

    private func answer(_ dispatch: DispatchID, _ request: Request) {
        switch request {
        case .read(_, let count, _, _, let exact): read(dispatch, Int(count), exact)
        case .sync: sync(dispatch)
        case .finish: finish(dispatch)
        case .process: break
        }
    }

    private func reply(_ dispatch: DispatchID, _ status: CallStatus, _ outcome: Outcome, milliseconds: UInt32 = 0) {
        tell(
            .result(id, dispatch, status, outcome, message: "", retryMilliseconds: milliseconds, busyNanoseconds: pause)
        )
    }

    private func read(_ dispatch: DispatchID, _ count: Int, _ exact: Bool) {
        if world.misfortune(0.05) { return reply(dispatch, .retry, Outcome(), milliseconds: 5) }
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

    private func sync(_ dispatch: DispatchID) {
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

    private func finish(_ dispatch: DispatchID) {
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

    // MARK: - Records

    private func begin(_ run: Run) {
        if world.isRetryDue(stage, plan.retries) {
            runs.removeAll { $0 === run }
            endedWell = false
            reply(run.dispatch, .retry, Outcome(), milliseconds: world.chance.happens(0.5) ? 20 : 0)
            return serve()
        }
        if plan.flags.contains(.recordByRecord) {
            step(run)
        } else {
            later(pause) { [self] in
                for index in run.left {
                    if isFatal(run.items[Int(index)]) { return }
                }
                for index in run.left { work(on: index, run) }
                end(run)
            }
        }
    }

    private func step(_ run: Run) {
        guard let index = run.left.first else { return end(run) }
        run.begun = index
        later(pause) { [self] in
            if isFatal(run.items[Int(index)]) { return }
            work(on: index, run)
            run.left.removeFirst()
            run.begun = nil
            if world.chance.happens(plan.givesPartials), !run.left.isEmpty { sendPartial(run) }
            step(run)
        }
    }

    /// Dies or hangs, if the record makes it.
    private func isFatal(_ item: Item) -> Bool {
        switch world.plan.deed(of: item, at: stage) {
        case .poison: die(world.chance.one(of: [.signal(11), .signal(6), .exit(0), .exit(3), .garbage("nonsense")]))
        case .flaky where world.isFirstTime(stage, item): die(.signal(11))
        case .hang: break
        default: return false
        }
        return true
    }

    private func work(on index: UInt32, _ run: Run) {
        let item = run.items[Int(index)]
        run.outcome.covered.insert(index)
        switch world.plan.deed(of: item, at: stage) {
        case .permanent:
            run.outcome.failures.append(RecordFailure(input: index, kind: .permanent, message: "bad"))
            return
        case .transient(let times) where world.failsAgain(stage, item, times):
            run.someComeAgain = true
            run.outcome.failures.append(
                RecordFailure(
                    input: index, kind: .transient, retryAfterMilliseconds: world.chance.happens(0.3) ? 30 : 0,
                    message: "busy"))
            return
        default: break
        }
        if !run.isReplay { world.succeeded(stage, item) }
        if plan.policy.kind == .sink {
            run.written.append(item)
            switch plan.sink {
            case .truncating: world.store.append(item)
            case .writeThrough, .unordered:
                world.store.append(item)
                world.store.sync()
            case .buffering, .lateTransactional: buffer.append((run.batch, item))
            case .transactional: break
            }
            return
        }
        let results = world.plan.results(of: item, at: stage, state: sum)
        if plan.isStateful { sum = sum &+ item.value }
        if !results.isEmpty {
            run.outcome.passed += 1
            if !run.isReplay { run.output += results.map { (index, $0) } }
        }
    }

    private func takeOutcome(_ run: Run) -> Outcome {
        var outcome = run.outcome
        run.outcome = Outcome()
        if !run.output.isEmpty { outcome.output = Block(run.output) }
        run.output = []
        return outcome
    }

    private func sendPartial(_ run: Run) {
        tell(.partial(id, run.dispatch, takeOutcome(run)))
    }

    private func end(_ run: Run) {
        var outcome = takeOutcome(run)
        if plan.isStateful, world.chance.happens(run.wantsCheckpoint ? plan.snapshots : 0.05) {
            outcome.checkpoint = Checkpoint(sum: sum)
        }
        if plan.policy.kind == .sink {
            if plan.sink == .transactional { world.store.commit(run.written, batch: run.batch) }
            if plan.sink == .truncating || plan.sink == .writeThrough {
                outcome.checkpoint = Checkpoint(position: world.store.rows.count)
            }
        }
        runs.removeAll { $0 === run }
        endedWell =
            !run.someComeAgain
            && (plan.policy.kind != .sink || !plan.functions.contains(.sync) || outcome.checkpoint != nil)
        reply(run.dispatch, .ok, outcome)
        serve()
    }
}
