import CBench
import StageModel
import StageScheduler

/// The scheduler against workers and a storage that answer at once.
enum SchedulerParts {
    static func table(_ rounds: Int) throws(BenchError) -> ResultTable {
        var table = ResultTable(
            "scheduler, batches of 100", subject: "pipeline",
            [
                .init("events_per_second", "events/s", digits: 0), .init("microseconds", "us an event", digits: 2),
                .init("batches_per_second", "batches/s", digits: 0), .init("events_per_batch", "events a batch", digits: 1),
            ])
        for (stages, workers, durable) in [(3, 1, true), (5, 1, true), (5, 1, false), (5, 4, true), (16, 1, true)] {
            var samples: [Double] = []
            var events = 0
            let batches = 20_000
            for _ in 0..<rounds {
                let world = InstantWorld(stages: stages, workers: workers, durable: durable, batches: UInt64(batches))
                let begun = cbench_spent()
                try world.run()
                samples.append(Double(cbench_spent() - begun) / 1e9)
                events = world.events
            }
            let seconds = Statistics.median(samples)
            table.add(
                "\(stages) stages, \(workers) workers, \(durable ? "all durable" : "transforms not durable")",
                [
                    Double(events) / seconds, seconds / Double(events) * 1e6, Double(batches) / seconds,
                    Double(events) / Double(batches),
                ])
        }
        return table
    }
}

/// A world in which everything that the scheduler asks for has happened when it asks next.
private final class InstantWorld {
    private let scheduler: Scheduler
    private let batches: UInt64
    private let kinds: [StageKind]
    private var stageOf: [WorkerID: Int] = [:]
    private var waiting: [Event] = []
    private var now = Moment(nanoseconds: 1)
    private var end: RunEnd?
    private(set) var events = 0

    init(stages: Int, workers: Int, durable: Bool, batches: UInt64) {
        kinds = (0..<stages).map { $0 == 0 ? .source : $0 == stages - 1 ? .sink : .transform }
        let policies = kinds.enumerated().map { index, kind in
            var policy = StagePolicy(name: "stage\(index)", kind: kind)
            policy.workers = kind == .transform ? workers : 1
            policy.durable = kind == .transform ? durable : true
            return policy
        }
        scheduler = Scheduler(policy: JobPolicy(stages: policies))
        self.batches = batches
    }

    func run() throws(BenchError) {
        var current: [Event] = [.start]
        while end == nil {
            for event in current where end == nil {
                events += 1
                now = now.advanced(by: 1000)
                for action in scheduler.handle(event, at: now) { perform(action) }
            }
            swap(&current, &waiting)
            waiting.removeAll(keepingCapacity: true)
            if current.isEmpty, end == nil {
                guard let due = scheduler.nextDeadline(after: now) else { throw .failed("scheduler: waits for nothing") }
                now = max(now, due)
                current.append(.timer)
            }
        }
        guard end == .complete else { throw .failed("scheduler: found \(String(describing: end)), expected complete") }
    }

    private func perform(_ action: Action) {
        switch action {
        case .start(let id, let stage, _, _):
            stageOf[id] = stage
            let facts = PluginFacts(kind: kinds[stage], flags: [], functions: [.read, .process, .sync], maximumWorkers: 0)
            waiting.append(.loaded(id, facts))
        case .open(let id, _, _): waiting.append(.ready(id))
        case .send(let id, let dispatch, let request), .sendNext(let id, let dispatch, let request): waiting.append(answer(id, dispatch, request))
        case .close(let id): waiting.append(.exited(id, Death(cause: .exit(0))))
        case .kill(let id, _): waiting.append(.exited(id, Death(cause: .signal(9))))
        case .fetch(let stage, let batch): waiting.append(.fetched(stage: stage, batch: batch, [Self.payload(100)]))
        case .append(let commit): if commit.isWhole { waiting.append(.appended(stage: commit.stage, batch: commit.batch)) }
        case .flush: waiting.append(.flushed)
        case .note, .reply, .deny, .beginRetry, .fetchRetry, .discard: break
        case .finished(let end): self.end = end
        }
    }

    private func answer(_ id: WorkerID, _ dispatch: DispatchID, _ request: Request) -> Event {
        var outcome = Outcome()
        var status = CallStatus.ok
        switch request {
        case .read(let batch, let count, _, _, _):
            if batch > batches {
                status = .end
            } else {
                outcome.output = Self.payload(UInt64(count))
                outcome.checkpoint = Payload(recordCount: 0, byteCount: 32)
            }
        case .process(_, _, _, let ranges, _, _, _):
            outcome.covered = ranges
            outcome.passed = UInt64(ranges.count)
            if stageOf[id].map({ kinds[$0] }) == .sink {
                outcome.checkpoint = Payload(recordCount: 0, byteCount: 32)
            } else {
                outcome.output = Self.payload(UInt64(ranges.count))
            }
        case .sync, .finish: break
        }
        return .result(id, dispatch, status, outcome, message: "", retryMilliseconds: 0, busyNanoseconds: 1000)
    }

    private static func payload(_ records: UInt64) -> Payload { Payload(recordCount: records, byteCount: Int(records) * 324) }
}
