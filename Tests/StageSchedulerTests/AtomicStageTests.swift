import StageModel
import Testing

@testable import StageScheduler

/// Sinks with a position, and stateful transforms: what a worker had not made certain is done again in order.
@Suite struct AtomicStageTests {
    @Test func `a sink's log claims nothing before its sync, and the sync is asked for between two batches`() throws {
        let bench = Bench { policy, _ in policy.sync = .interval(nanoseconds: 200_000_000) }
        bench.start()
        try bench.read(5)
        try bench.answer(1)
        try bench.answer(2, checkpoint: Checkpoint(position: 5))
        #expect(!bench.commits.contains { $0.stage == 2 })
        bench.wait(200)
        try bench.answer(2, kind: .sync)
        let commit = try #require(bench.commits.last)
        #expect(commit.stage == 2 && (commit.checkpoint as? Checkpoint)?.position == 5)
    }

    @Test func `a sink's unsynced batches are done again from the last claimed position when its worker dies`() throws {
        let bench = Bench()
        bench.start()
        for _ in 0..<3 {
            try bench.read(5)
            try bench.answer(1)
        }
        try bench.answer(2, checkpoint: Checkpoint(position: 5))
        try bench.answer(2, checkpoint: Checkpoint(position: 10))
        try bench.die(2, on: [1], .signal(9))
        guard case .none = try #require(bench.opened.last).checkpoint else {
            Issue.record("it was opened at a position that no log claims")
            return
        }
        for _ in 0..<2 { #expect(try bench.answer(2, checkpoint: Checkpoint(position: 5)) == [0, 1, 2, 3, 4]) }
    }

    @Test func `a sink that knows its position only when synced is synced after each batch`() throws {
        let bench = Bench()
        bench.start()
        for _ in 0..<2 {
            try bench.read(5)
            try bench.answer(1)
        }
        try bench.answer(2)
        #expect(!bench.has(2))
        try bench.answer(2, kind: .sync, checkpoint: Checkpoint(position: 5))
        #expect(bench.has(2))
        #expect((bench.commits.last?.checkpoint as? Checkpoint)?.position == 5)
    }

    @Test func `a search in a sink keeps the order of records`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(5)
        try bench.answer(1)
        try bench.die(2, on: [2])
        #expect(try bench.answer(2) == [0, 1])
        #expect(try bench.answer(2) == [2])
        #expect(try bench.answer(2) == [3, 4])
    }

    @Test func `what is answered with retry stays in front of the later records of its batch`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(5)
        try bench.answer(1)
        try bench.die(2, on: [2])
        try bench.answer(2, .retry, milliseconds: 10)
        bench.wait(10)
        #expect(try bench.answer(2) == [0, 1])
        #expect(try bench.answer(2) == [2])
    }

    @Test func `empty batches that a sink has taken back do not stand in its way`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(1)
        try bench.answer(1, failures: [RecordFailure(input: 0, kind: .permanent, message: "bad")])
        try bench.read(2)
        try bench.answer(1)
        try bench.die(2, on: [0], .signal(9))
        #expect(try bench.answer(2) == [0])
        #expect(try bench.answer(2) == [1])
    }

    @Test func `the finish of a stage without stored outputs is not logged again after a restart`() throws {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        recovery.stages[0].committed = CommittedSet(through: 1)
        recovery.stages[1].committed = CommittedSet(through: 2)
        recovery.sourceCounts = [0]
        recovery.lastBatch = 1
        let bench = Bench(
            { policy, facts in
                policy.stages[1].durable = false
                facts[1].functions.insert(.finish)
            }, recovery: recovery)
        bench.start()
        try bench.answer(1, kind: .finish)
        #expect(!bench.commits.contains { $0.stage == 1 })
    }

    @Test func `one worker starts where it is not known yet how many there may be`() {
        let bench = Bench { policy, _ in policy.stages[2].workers = 4 }
        bench.start()
        #expect(bench.state(2).workers.count == 1)
    }

    @Test func `a new worker of a stateful stage is shown what came after the snapshot, without the dead`() throws {
        let bench = Bench { policy, facts in
            facts[1].flags = [.stateful]
            policy.stages[1].snapshotEveryBatches = 100
        }
        bench.start()
        for _ in 0..<3 { try bench.read(3) }
        try bench.answer(1, checkpoint: Checkpoint(sum: 1))
        try bench.answer(1, failures: [RecordFailure(input: 1, kind: .permanent, message: "bad")])
        try bench.die(1, on: [0], .signal(9))
        guard case .payload(let payload) = try #require(bench.opened.last).checkpoint else {
            Issue.record("it was opened without its snapshot")
            return
        }
        #expect((payload as? Checkpoint)?.sum == 1)
        let replay = try bench.take(1)
        guard case .process(let batch, _, _, let ranges, _, let isReplay, _) = replay.request else { return }
        #expect(batch == 2 && isReplay && ranges == IndexRanges([0, 2]))
    }

    @Test func `a worker that has only been shown replays is not recycled`() throws {
        let bench = Bench { policy, facts in
            facts[1].flags = [.stateful]
            policy.stages[1].recycleAfterBatches = 2
        }
        bench.start()
        for _ in 0..<4 { try bench.read(3) }
        // The third was in its pipe already when it had served long enough.
        for _ in 0..<2 { try bench.answer(1) }
        #expect(bench.closed.isEmpty, "the next one is only being loaded")
        try bench.answer(1)
        bench.leave()
        for _ in 0..<3 { try bench.answer(1) }
        #expect(bench.closed.isEmpty)
        #expect(bench.has(1))
    }

    @Test func `a batch that stood behind one that did not end well comes again after it`() throws {
        let bench = Bench { _, facts in facts[1].flags = [.stateful] }
        bench.start()
        for _ in 0..<2 { try bench.read(3) }
        let first = try bench.take(1)
        let second = try bench.take(1)
        var outcome = Outcome()
        outcome.covered = IndexRanges(count: 3)
        outcome.failures = [RecordFailure(input: 1, kind: .transient, retryAfterMilliseconds: 0, message: "busy")]
        bench.say(
            .result(first.worker, first.dispatch, .ok, outcome, message: "", retryMilliseconds: 0, busyNanoseconds: 1000))
        bench.wait(300)
        // It is due, but what stands in the pipe comes after it.
        #expect(!bench.out.contains { bench.scheduler.worker($0.worker)?.stage == 1 })
        bench.say(.notBegun(second.worker, second.dispatch))
        let again = try bench.take(1)
        guard case .process(let batch, _, _, let ranges, _, _, _) = again.request else { return }
        #expect(batch == 1 && Array(ranges.indexes) == [1])
    }

    @Test func `a sink that says where it stands has the next batch in its pipe, until a sync is due`() throws {
        let bench = Bench()
        bench.start()
        for _ in 0..<4 { try bench.read(3) }
        for _ in 0..<4 { try bench.answer(1) }
        let first = try bench.take(2)
        #expect(!bench.out.contains { bench.scheduler.worker($0.worker)?.stage == 2 }, "nothing is known of its positions")
        func answer(_ request: (worker: WorkerID, dispatch: DispatchID, request: Request)) {
            var outcome = Outcome()
            outcome.covered = IndexRanges(count: 3)
            outcome.checkpoint = Checkpoint(position: 1)
            bench.say(
                .result(
                    request.worker, request.dispatch, .ok, outcome, message: "", retryMilliseconds: 0, busyNanoseconds: 1000))
        }
        answer(first)
        let second = try bench.take(2)
        _ = try bench.take(2)
        bench.wait(1000)
        answer(second)
        #expect(!bench.out.contains { bench.scheduler.worker($0.worker)?.stage == 2 }, "the sync is due")
    }

    @Test func `a sink gets a batch only when the logs above have it`() throws {
        let bench = Bench()
        bench.appendsAtOnce = false
        bench.start()
        try bench.read(3)
        try bench.answer(1)
        #expect(!bench.has(2))
        bench.say(.appended(stage: 0, batch: 1))
        #expect(!bench.has(2))
        bench.say(.appended(stage: 1, batch: 1))
        #expect(bench.has(2))
    }
}
