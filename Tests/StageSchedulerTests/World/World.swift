import StageModel

@testable import StageScheduler

/// A hostile world for one scheduler after the other: workers, disk, sink, clock and operator, all from one seed.
final class World {
    let plan: Plan
    var chance: Chance
    var now: UInt64 = 1
    var store = Store()
    let disk: Disk
    private(set) var scheduler: Scheduler
    private(set) var end: RunEnd?
    /// The first promise that was found broken.
    private(set) var complaint: String?
    /// Records that may be done twice, by what `atRisk` said at every death; and those that were.
    var riskTaken: UInt64 = 0
    private(set) var repeated: UInt64 = 0
    private(set) var powerWasLost = false
    private(set) var deathsOfHost = 0
    private(set) var killed = 0

    /// With `STAGEHOST_TRACE=1` every event and its actions are printed.
    let isTraced = SimulationTests.environment["STAGEHOST_TRACE"] != nil
    private var heap = Timeline()
    private var epoch = 0
    private var workers: [Worker] = []
    private var stepsLeft = 60_000
    private var timersInPlace = 0
    private var successes: [Letter: Int] = [:]
    private var tried: [Letter: Int] = [:]
    private var firstTimes: Set<Letter> = []
    private var retriesGiven: [Int: Int] = [:]
    private var isPaused = false
    private var isStalled = false
    private var lastWrite: UInt64 = 0

    init(_ plan: Plan) {
        self.plan = plan
        chance = Chance(seed: plan.seed &+ 1)
        disk = Disk(stages: plan.stages.count)
        scheduler = Scheduler(policy: plan.job)
    }

    func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
        if !condition, complaint == nil { complaint = message() }
    }

    // MARK: - The clock

    func schedule(at time: UInt64, _ body: @escaping () -> Void) {
        let scheduled = epoch
        heap.add(time) { [self] in if epoch == scheduled { body() } }
    }

    func run() {
        traceStart()
        feed(.start)
        while end == nil, complaint == nil {
            stepsLeft -= 1
            if stepsLeft < 0 { return expect(false, "it does not come to an end: \(describe())") }
            let due = scheduler.nextDeadline(after: Moment(nanoseconds: now))?.nanoseconds
            if let due, due <= heap.next ?? .max {
                timersInPlace = due == now ? timersInPlace + 1 : 0
                expect(timersInPlace < 20, "the timer is set to the same moment again and again")
                now = max(now, due)
                feed(.timer)
            } else if let (time, body) = heap.take() {
                timersInPlace = 0
                now = max(now, time)
                body()
            } else {
                return expect(false, "nothing is due, nothing is out, and work is left: \(describe())")
            }
            if end == nil { strike() }
        }
    }

    func feed(_ event: Event) {
        guard end == nil else { return }
        let actions = scheduler.handle(event, at: Moment(nanoseconds: now))
        if isTraced { trace(event, actions) }
        for action in actions { carryOut(action) }
        checkBounds()
    }

    // MARK: - Actions

    private func carryOut(_ action: Action) {
        switch action {
        case .start(let id, let stage, _, _):
            let worker = Worker(id: id, stage: stage, world: self)
            workers.append(worker)
            worker.load()
        case .open(let id, _, let checkpoint): worker(id)?.open(checkpoint)
        case .send(let id, let dispatch, let request):
            checkPromise(id, request)
            worker(id)?.receive(dispatch, request)
        case .sendNext(let id, let dispatch, let request):
            checkPromise(id, request)
            worker(id)?.receive(dispatch, request, follows: true)
        case .close(let id): worker(id)?.close()
        case .kill(let id, _): worker(id)?.die(.signal(9))
        case .fetch(let stage, let batch): fetch(stage, batch)
        case .append(let commit): append(commit)
        case .flush:
            lastWrite = max(lastWrite, now) + 1
            schedule(at: lastWrite) { [self] in
                disk.sync()
                feed(.flushed)
            }
        case .note, .reply: break
        case .finished(let result): finished(result)
        }
    }

    private func worker(_ id: WorkerID) -> Worker? {
        workers.removeAll { !$0.isAlive && $0.id != id }
        return workers.first { $0.id == id && $0.isAlive }
    }

    private func append(_ commit: Commit) {
        expect(
            !disk.whole[commit.stage].contains(commit.batch),
            "batch \(commit.batch) is logged twice by stage \(commit.stage)")
        disk.queue.append(commit)
        lastWrite = max(lastWrite, now) + UInt64(chance.below(chance.happens(0.05) ? 50_000_000 : 100_000))
        schedule(at: lastWrite) { [self] in
            let commit = disk.queue.removeFirst()
            disk.write(commit, synced: plan.job.sync == .everyBatch)
            feed(
                commit.isWhole
                    ? .appended(stage: commit.stage, batch: commit.batch)
                    : .partAppended(stage: commit.stage, batch: commit.batch))
        }
    }

    private func fetch(_ stage: Int, _ batch: UInt64) {
        schedule(at: now + UInt64(chance.below(1_000_000))) { [self] in
            guard let output = disk.output(of: batch, stage: stage) else {
                return expect(false, "batch \(batch) is fetched from stage \(stage), whose log does not have it")
            }
            feed(.fetched(stage: stage, batch: batch, output))
        }
    }

    private func finished(_ result: RunEnd) {
        expect(workers.allSatisfy { !$0.isAlive }, "the run ended before its workers")
        if case .interrupted = result {
            begin(after: { _ in })
        } else {
            end = result
        }
    }

    // MARK: - Misfortune

    /// Something that goes wrong now and then, where failures are wanted.
    func misfortune(_ probability: Double) -> Bool {
        plan.chaos.contains(.failures) && chance.happens(probability)
    }

    private func strike() {
        if plan.chaos.contains(.kills), killed < plan.kills, chance.happens(0.01) {
            let victims = workers.filter(\.isAlive)
            if !victims.isEmpty {
                killed += 1
                chance.one(of: victims).die(.signal(9))
            }
        }
        if deathsOfHost < plan.hostDeaths, chance.happens(0.004) {
            deathsOfHost += 1
            riskTaken += atRisk
            if plan.chaos.contains(.powerLoss), !plan.surprisesSink, chance.happens(0.5) {
                powerWasLost = true
                begin { world in
                    world.disk.losePower(&world.chance)
                    world.store.losePower(&world.chance)
                }
            } else {
                begin { $0.disk.crash(&$0.chance, everySynced: $0.plan.job.sync == .everyBatch) }
            }
        }
        if plan.chaos.contains(.operators), chance.happens(0.005) { operate() }
        if plan.chaos.contains(.storage), chance.happens(isStalled ? 0.1 : 0.002) {
            isStalled.toggle()
            feed(isStalled ? .storageStalled("no room") : .storageRecovered)
        }
        if isPaused || isStalled, heap.next == nil { resume() }
        if chance.happens(0.01) { disk.sync() }
    }

    private func operate() {
        switch chance.below(8) {
        case 0: feed(.drain(reason: "asked to"))
        case 1 where deathsOfHost < plan.hostDeaths: feed(.abandon)
        case 2...4:
            isPaused = true
            feed(.pause)
        default: resume()
        }
    }

    private func resume() {
        if isPaused { feed(.unpause) }
        if isStalled { feed(.storageRecovered) }
        isPaused = false
        isStalled = false
    }

    /// A new host takes over.
    private func begin(after disaster: (World) -> Void) {
        epoch += 1
        heap = Timeline()
        for worker in workers { worker.isAlive = false }
        workers = []
        isPaused = false
        isStalled = false
        disaster(self)
        disk.queue = []
        now += 1_000_000
        lastWrite = now
        scheduler = Scheduler(policy: plan.job, recovery: disk.recover(plan))
        feed(.start)
    }

    // MARK: - What plugins remember

    func isFirstTime(_ stage: Int, _ item: Item) -> Bool {
        firstTimes.insert(Letter(stage: stage, id: item.id)).inserted
    }

    func failsAgain(_ stage: Int, _ item: Item, _ times: Int) -> Bool {
        let letter = Letter(stage: stage, id: item.id)
        tried[letter, default: 0] += 1
        return tried[letter, default: 0] <= times
    }

    func isRetryDue(_ stage: Int, _ probability: Double) -> Bool {
        guard chance.happens(probability), retriesGiven[stage, default: 0] < 8 else { return false }
        retriesGiven[stage, default: 0] += 1
        return true
    }

    func succeeded(_ stage: Int, _ item: Item) {
        let letter = Letter(stage: stage, id: item.id)
        successes[letter, default: 0] += 1
        if successes[letter, default: 0] > 1, plan.stages[stage].policy.durable || plan.stages[stage].isStateful {
            repeated += 1
        }
    }

    // MARK: - Promises, while it runs

    var atRisk: UInt64 { scheduler.status.atRisk }

    private func checkBounds() {
        for (index, stage) in scheduler.stages.enumerated() {
            let limit =
                plan.stages[index].policy.window + (index == plan.stages.count - 1 ? 4096 : Int(Scheduler.fetchAhead))
            expect(stage.held <= limit, "stage \(index) holds \(stage.held) batches, its window is \(limit)")
        }
    }

    /// What is committed is never handed out again, and nothing is in two hands.
    private func checkPromise(_ id: WorkerID, _ request: Request) {
        guard case .process(let batch, _, let count, let ranges, _, let replay, _) = request,
            let stage = worker(id)?.stage
        else { return }
        expect(!ranges.isEmpty && ranges.last ?? 0 < count, "an empty request")
        let inHand = scheduler.stages[stage].workers.flatMap(\.outstanding).filter {
            $0.batch == batch && $0.kind == .process
        }
        expect(
            inHand.reduce(0) { $0 + $1.ranges.intersecting(ranges).count } == ranges.count,
            "records of batch \(batch) of stage \(stage) are in two hands")
        guard !replay, plan.stages[stage].policy.durable || plan.stages[stage].isStateful else { return }
        expect(!disk.whole[stage].contains(batch), "stage \(stage) is handed batch \(batch), which it has committed")
        let known = disk.parts[stage][batch] ?? IndexRanges()
        expect(
            known.intersecting(ranges).isEmpty,
            "stage \(stage) is handed records of batch \(batch) that it has committed")
    }

    func describe() -> String {
        scheduler.stages.map { stage in
            "[\(stage.index) next \(stage.nextInput) works \(stage.works.map { "\($0.batch):\($0.unresolved.count)/\($0.portions.count)/\($0.inHand)" }) finished \(stage.finished.keys.sorted()) fetched \(stage.fetched.keys.sorted()) fetching \(stage.fetching.sorted()) unsynced \(stage.unsynced.map(\.batch)) replay \(stage.replayable.map { "\($0.batch):\($0.portions.count)" }) committed \(stage.committed.through) workers \(stage.workers.map { "\($0.phase)\($0.outstanding.count)\($0.isStandby ? "s" : "")" }) appending \(stage.appending.keys.sorted())]"
        }.joined(separator: " ")
            + " last \(scheduler.lastBatch.map { "\($0)" } ?? "-") mode \(scheduler.mode) recovered \(scheduler.recoveredLast)"
    }
}

/// What is to happen, by time.
struct Timeline {
    private var entries: [(time: UInt64, order: UInt64, body: () -> Void)] = []
    private var count: UInt64 = 0

    var next: UInt64? { entries.first?.time }

    mutating func add(_ time: UInt64, _ body: @escaping () -> Void) {
        count += 1
        entries.append((time, count, body))
        var child = entries.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func take() -> (UInt64, () -> Void)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && isBefore(child, least) {
                    least = child
                }
                if least == parent { break }
                entries.swapAt(parent, least)
                parent = least
            }
        }
        return (first.time, first.body)
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (entries[left].time, entries[left].order) < (entries[right].time, entries[right].order)
    }
}
