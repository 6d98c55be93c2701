import StageModel
import Testing

@testable import StageScheduler

/// A scheduler on a bench: its workers come up by themselves, everything else is said by the test.
final class Bench {
    let scheduler: Scheduler
    let facts: [PluginFacts]
    var milliseconds: UInt64 = 1
    /// Requests that have no answer yet, in the order in which they were sent.
    private(set) var out: [(worker: WorkerID, dispatch: DispatchID, request: Request)] = []
    private(set) var commits: [Commit] = []
    private(set) var notes: [Note] = []
    var killed: [WorkerID] = []
    private(set) var closed: [WorkerID] = []
    private(set) var opened: [(worker: WorkerID, stage: Int, checkpoint: OpenCheckpoint)] = []
    private(set) var flushes = 0
    private(set) var replies: [(request: UInt64, ok: Bool, message: String, isLast: Bool)] = []
    private(set) var started: [(worker: WorkerID, stage: Int, build: Int)] = []
    private(set) var end: RunEnd?
    var appendsAtOnce = true
    /// Stages whose workers come up.
    var comesUp: (Int) -> Bool = { _ in true }

    init(_ change: (inout JobPolicy, inout [PluginFacts]) -> Void = { _, _ in }, recovery: Recovery? = nil) {
        var policy = JobPolicy(stages: [
            StagePolicy(name: "source", kind: .source), StagePolicy(name: "work", kind: .transform),
            StagePolicy(name: "sink", kind: .sink),
        ])
        policy.batchRecords = 10
        var facts = [
            PluginFacts(kind: .source, flags: [], functions: .read, maximumWorkers: 1),
            PluginFacts(kind: .transform, flags: .recordByRecord, functions: .process, maximumWorkers: 0),
            PluginFacts(kind: .sink, flags: [], functions: [.process, .sync], maximumWorkers: 0),
        ]
        change(&policy, &facts)
        self.facts = facts
        scheduler = Scheduler(policy: policy, recovery: recovery)
    }

    func start() { say(.start) }

    func say(_ event: Event) {
        for action in scheduler.handle(event, at: Moment(nanoseconds: milliseconds * 1_000_000)) {
            switch action {
            case .start(let id, let stage, _, let build):
                started.append((id, stage, build))
                if comesUp(stage) { say(.loaded(id, facts[stage])) }
            case .open(let id, let stage, let checkpoint):
                opened.append((id, stage, checkpoint))
                if comesUp(stage) { say(.ready(id)) }
            case .send(let id, let dispatch, let request), .sendNext(let id, let dispatch, let request): out.append((id, dispatch, request))
            case .append(let commit):
                commits.append(commit)
                if appendsAtOnce, commit.isWhole { say(.appended(stage: commit.stage, batch: commit.batch)) }
            case .kill(let id, _): killed.append(id)
            case .close(let id): closed.append(id)
            case .flush: flushes += 1
            case .reply(let request, let ok, let message, let isLast): replies.append((request, ok, message, isLast))
            case .deny(let request, let message): replies.append((request, false, message, true))
            case .note(let note): notes.append(note)
            case .fetch, .beginRetry, .fetchRetry, .discard: break
            case .finished(let end): self.end = end
            }
        }
    }

    func wait(_ milliseconds: UInt64) {
        self.milliseconds += milliseconds
        say(.timer)
    }

    /// The next deadline, in milliseconds from now.
    var deadline: UInt64? {
        scheduler.nextDeadline(after: Moment(nanoseconds: milliseconds * 1_000_000)).map {
            $0.nanoseconds / 1_000_000 - milliseconds
        }
    }

    // MARK: - Answers

    /// The open request of a stage, taken out.
    func take(_ stage: Int, _ kind: Dispatch.Kind = .process) throws -> (
        worker: WorkerID, dispatch: DispatchID, request: Request
    ) {
        let position = try #require(
            out.firstIndex { item in
                guard scheduler.worker(item.worker)?.stage == stage else { return false }
                switch item.request {
                case .read: return kind == .read
                case .process: return kind == .process
                case .sync: return kind == .sync
                case .finish: return kind == .finish
                }
            }, "stage \(stage) has nothing to \(kind)")
        return out.remove(at: position)
    }

    func has(_ stage: Int, _ kind: Dispatch.Kind = .process) -> Bool {
        scheduler.stages[stage].workers.contains { $0.outstanding.contains { $0.kind == kind } }
    }

    func read(_ records: Int, end: Bool = false) throws {
        let request = try take(0, .read)
        var outcome = Outcome()
        if records > 0 { outcome.output = Block((0..<records).map { (0, Item(id: UInt64($0), value: 0)) }) }
        outcome.checkpoint = Checkpoint(position: 1)
        say(
            .result(
                request.worker, request.dispatch, end ? .end : .ok, outcome, message: "", retryMilliseconds: 0,
                busyNanoseconds: 1_000_000_000))
    }

    /// What a request asks to work on.
    func asked(_ request: Request) -> [UInt32] {
        guard case .process(_, _, _, let ranges, _, _, _) = request else { return [] }
        return Array(ranges.indexes)
    }

    /// Answers the next request of a stage: all that was asked for passes on, but for what fails.
    @discardableResult
    func answer(
        _ stage: Int, _ status: CallStatus = .ok, failures: [RecordFailure] = [], checkpoint: Payload? = nil,
        milliseconds: UInt32 = 0
    ) throws -> [UInt32] {
        let request = try take(stage)
        let asked = asked(request.request)
        var outcome = Outcome()
        if status == .ok {
            outcome = passed(asked, failures: failures, emits: stage < facts.count - 1)
            outcome.checkpoint = checkpoint
        }
        say(
            .result(
                request.worker, request.dispatch, status, outcome, message: "", retryMilliseconds: milliseconds,
                busyNanoseconds: 1_000_000_000))
        return asked
    }

    func passed(_ indexes: [UInt32], failures: [RecordFailure] = [], emits: Bool = true) -> Outcome {
        var outcome = Outcome()
        outcome.covered = IndexRanges(indexes)
        outcome.failures = failures
        let good = indexes.filter { index in !failures.contains { $0.input == index } }
        outcome.passed = UInt64(good.count)
        if emits, !good.isEmpty { outcome.output = Block(good.map { ($0, Item(id: UInt64($0), value: 0)) }) }
        return outcome
    }

    func answer(_ stage: Int, kind: Dispatch.Kind, _ status: CallStatus = .ok, checkpoint: Payload? = nil) throws {
        let request = try take(stage, kind)
        var outcome = Outcome()
        outcome.checkpoint = checkpoint
        say(
            .result(
                request.worker, request.dispatch, status, outcome, message: "", retryMilliseconds: 0,
                busyNanoseconds: 1_000))
    }

    /// The worker with the next request of a stage dies, seen last on some records. Returns what had been asked for.
    @discardableResult
    func die(_ stage: Int, on begun: [UInt32] = [], _ cause: DeathCause = .signal(11)) throws -> [UInt32] {
        let request = try take(stage)
        out.removeAll { $0.worker == request.worker }
        say(
            .exited(
                request.worker,
                Death(cause: cause, breadcrumbs: [Breadcrumb(dispatch: request.dispatch, begun: IndexRanges(begun))])))
        return asked(request.request)
    }

    /// Lets everybody leave who was asked to.
    func leave() {
        while let id = closed.popLast() { say(.exited(id, Death(cause: .exit(0)))) }
        while let id = killed.popLast() { say(.exited(id, Death(cause: .signal(9)))) }
        if flushes > 0 {
            flushes -= 1
            say(.flushed)
        }
    }

    var letters: [DeadLetter] { commits.flatMap(\.letters) }
    func state(_ stage: Int) -> StageState { scheduler.stages[stage] }
}
