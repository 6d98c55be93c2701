import StageModel

@testable import StageScheduler

/// A hostile world for one scheduler after the other: workers, disk, sink, clock and operator, all from one seed.
final class World {
    let plan: Plan
    /// The job as it is configured now: an operator may raise its limits.
    var job: JobPolicy
    var chance: Chance
    var now: UInt64 = 1
    var store = Store()
    let disk: Disk
    var ledger: Ledger
    var scheduler: Scheduler
    private(set) var end: RunEnd?
    /// The first promise that was found broken.
    private(set) var complaint: String?
    /// Records that may be done twice, by what `atRisk` said at every death.
    var riskTaken: UInt64 = 0
    var powerWasLost = false
    /// Hosts that were killed, and all there were.
    var deathsOfHost = 0
    private(set) var hosts = 1
    /// What has happened, for those who want to know that everything does.
    var tally: [String: Int] = [:]

    /// With `STAGEHOST_TRACE=1` every event and its actions are printed.
    let isTraced = SimulationTests.environment["STAGEHOST_TRACE"] != nil
    var heap = Timeline()
    private var epoch = 0
    var workers: [Worker] = []
    private var stepsLeft: Int
    private var timersInPlace = 0
    var lastWrite: UInt64 = 0

    // What the operator and the disk are at.
    var killed = 0
    var drains = 0
    var restartsAsked = 0
    /// Requests without a last answer.
    var openRequests: Set<UInt64> = []
    var isPaused = false
    var pausesAsked = 0
    var isStalled = false
    /// The machine has no memory left.
    var isShort = false
    /// Entries that could not be written at their time.
    var missedWrites = 0
    var missedFlush = false
    var drainingSince: UInt64?
    /// Deaths before a worker was open, since the stage's last new beginning.
    var earlyDeaths: [Int: [UInt64]] = [:]
    var fatalAnswers = 0
    // What plugins remember.
    var tried: [Letter: Int] = [:]
    var firstTimes: Set<Letter> = []
    var retriesGiven: [Int: Int] = [:]

    init(_ plan: Plan) {
        self.plan = plan
        job = plan.job
        chance = Chance(seed: plan.seed &+ 1)
        disk = Disk(stages: plan.stages.count)
        ledger = Ledger(stages: plan.stages.count)
        scheduler = Scheduler(policy: plan.job)
        stepsLeft = 60_000 + 1000 * plan.records
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
            } else if !somebodyHelps() {
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
        case .start(let id, let stage, _, let build):
            let worker = Worker(id: id, stage: stage, build: build, world: self)
            workers.append(worker)
            worker.load()
        case .open(let id, let stage, let checkpoint):
            checkExclusive(id, stage)
            worker(id)?.open(checkpoint)
        case .send(let id, let dispatch, let request):
            checkPromise(id, request)
            worker(id)?.receive(dispatch, request)
        case .sendNext(let id, let dispatch, let request):
            checkPromise(id, request)
            worker(id)?.receive(dispatch, request, follows: true)
        case .close(let id): worker(id)?.close()
        case .kill(let id, let cause): worker(id)?.die(.signal(9), for: cause)
        case .fetch(let stage, let batch): fetch(stage, batch)
        case .append(let commit): append(commit)
        case .flush:
            lastWrite = max(lastWrite, now) + 1
            schedule(at: lastWrite) { [self] in if isStalled { missedFlush = true } else { flush() } }
        case .deny(let request, _): expect(openRequests.remove(request) != nil, "a request was answered twice")
        case .note(let note): heard(note)
        case .reply(let request, let ok, _, let isLast) where request > Self.firstPause:
            if isLast { pauseAnswered(ok) }
        case .reply(let request, _, _, let isLast):
            expect(openRequests.contains(request), "a request was answered twice")
            if isLast { openRequests.remove(request) }
        case .beginRetry, .fetchRetry, .discard: expect(false, "nobody here asks for letters")
        case .finished(let result): finished(result)
        }
    }

    func worker(_ id: WorkerID) -> Worker? {
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
            // A full disk: it is written when there is room.
            if isStalled { missedWrites += 1 } else { write() }
        }
    }

    /// The oldest entry that waits gets into its log.
    func write() {
        guard !disk.queue.isEmpty else { return }
        let commit = disk.queue.removeFirst()
        ledger.commit(disk.write(commit, synced: job.sync == .everyBatch), commit.stage)
        feed(
            commit.isWhole
                ? .appended(stage: commit.stage, batch: commit.batch)
                : .partAppended(stage: commit.stage, batch: commit.batch))
    }

    func flush() {
        disk.sync()
        feed(.flushed)
    }

    private func fetch(_ stage: Int, _ batch: UInt64) {
        schedule(at: now + UInt64(chance.below(1_000_000))) { [self] in
            guard let output = disk.output(of: batch, stage: stage) else {
                return expect(false, "batch \(batch) is fetched from stage \(stage), whose log does not have it")
            }
            feed(.fetched(stage: stage, batch: batch, output))
        }
    }

    /// The end of a run; unless the job is complete, somebody sees to the cause and runs it again.
    private func finished(_ result: RunEnd) {
        expect(workers.allSatisfy { !$0.isAlive }, "the run ended before its workers")
        expect(openRequests.isEmpty, "requests \(openRequests) were never answered")
        expect(disk.queue.isEmpty, "the run ended before its log was written")
        if let since = drainingSince {
            expect(now - since < 18_000_000_000, "a drain took \((now - since) / 1_000_000) ms")
        }
        var goesOn = false
        switch result {
        case .interrupted: goesOn = true
        case .gaveUp: goesOn = true
        case .refused(_, let message):
            goesOn = fatalAnswers > 0 || message.contains("cannot be loaded")
        case .tooManyFailures:
            let status = scheduler.status
            let limits = [job.failures] + job.stages.map(\.failures)
            goesOn = limits.contains { $0.maximum != nil || $0.maximumRate != nil } && status.failed > 0
            job.failures = FailurePolicy()
            for index in job.stages.indices { job.stages[index].failures = FailurePolicy() }
        default: break
        }
        if result != .complete { count("run ended: \(result)".prefix { $0 != "(" && $0 != "\"" }) }
        guard goesOn, hosts < 300 else { return end = result }
        begin { _ in }
    }

    /// A new host takes over.
    func begin(after disaster: (World) -> Void) {
        epoch += 1
        hosts += 1
        heap = Timeline()
        for worker in workers { worker.isAlive = false }
        workers = []
        openRequests = []
        earlyDeaths = [:]
        drainingSince = nil
        isPaused = false
        isStalled = false
        missedWrites = 0
        missedFlush = false
        isShort = false
        disaster(self)
        disk.queue = []
        now += 1_000_000
        lastWrite = now
        let recovery = disk.recover(plan)
        ledger.begin(disk.logs)
        scheduler = Scheduler(policy: job, recovery: recovery)
        if isTraced { print("--- host \(hosts)") }
        feed(.start)
    }

    func count(_ what: some StringProtocol) { tally[String(what), default: 0] += 1 }
}
