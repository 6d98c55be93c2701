import StageModel
import Testing

@testable import StageScheduler

@Suite struct FailureTests {
    private func transient(_ input: UInt32, after milliseconds: UInt32 = 0) -> RecordFailure {
        RecordFailure(input: input, kind: .transient, retryAfterMilliseconds: milliseconds, message: "busy")
    }

    @Test func `a record that fails transiently is tried again alone, after a pause, and idles no worker`() throws {
        let bench = Bench { policy, _ in policy.stages[1].retry.backoffNanoseconds = 500_000_000 }
        bench.start()
        try bench.read(10)
        try bench.answer(1, failures: [transient(3)])
        #expect(!bench.has(1))
        try bench.read(10)
        #expect(try bench.answer(1).count == 10)
        bench.wait(400)
        #expect(!bench.has(1))
        bench.wait(200)
        #expect(try bench.answer(1) == [3])
    }

    @Test func `what failed together is tried again together, and spread over the workers that are free`() throws {
        let bench = Bench { policy, _ in
            policy.stages[1].workers = 2
            policy.stages[1].threads = 2
            policy.stages[1].retry.backoffNanoseconds = 500_000_000
            policy.stages[1].retry.jitter = 0.5
            policy.stages[1].rate.decrease = 1
        }
        bench.start()
        try bench.read(10)
        try bench.answer(1, failures: [transient(1), transient(3), transient(4), transient(7), transient(8, after: 2000)])
        bench.wait(1000)
        #expect(try bench.answer(1) == [1, 3])
        #expect(try bench.answer(1) == [4, 7])
        #expect(!bench.has(1))
        bench.wait(1000)
        #expect(try bench.answer(1) == [8])
    }

    @Test func `what failed apart is tried again together once it is due, but a suspect stays alone`() throws {
        let bench = Bench { policy, _ in policy.stages[1].retry.backoffNanoseconds = 500_000_000 }
        bench.start()
        try bench.read(10)
        _ = try bench.die(1, on: [5])
        bench.wait(1)
        // The rest of the batch, then the suspect; both fail while the worker is busy with the next batch.
        let rest = try bench.answer(1, failures: [transient(2), transient(6)])
        #expect(rest == [0, 1, 2, 3, 4, 6, 7, 8, 9])
        #expect(try bench.answer(1, failures: [transient(5)]) == [5])
        bench.wait(60_000)
        var asked = [try bench.answer(1)]
        asked.append(try bench.answer(1))
        #expect(asked.sorted { $0.count < $1.count } == [[5], [2, 6]])
    }

    @Test func `the plugin's own retry-after wins over the backoff`() throws {
        let bench = Bench { policy, _ in policy.stages[1].retry.backoffNanoseconds = 1_000_000 }
        bench.start()
        try bench.read(10)
        try bench.answer(1, failures: [transient(3, after: 5000)])
        #expect(bench.deadline == 5000)
        bench.wait(4999)
        #expect(!bench.has(1))
        bench.wait(1)
        #expect(try bench.answer(1) == [3])
    }

    @Test func `after its last try a record is a dead letter with its number of tries`() throws {
        let bench = Bench { policy, _ in policy.stages[1].retry.attempts = 3 }
        bench.start()
        try bench.read(2)
        try bench.answer(1, failures: [transient(1)])
        for _ in 0..<2 {
            bench.wait(60_000)
            try bench.answer(1, failures: [transient(1)])
        }
        #expect(bench.letters.map(\.category) == ["transient"])
        #expect(bench.letters.map(\.attempts) == [3])
        #expect(bench.state(1).counts == Counts(inputs: 2, passed: 1, filtered: 0, failed: 1, outputs: 1))
    }

    @Test func `a permanent failure is a dead letter at once, with its message`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(2)
        try bench.answer(1, failures: [RecordFailure(input: 0, kind: .permanent, message: "not a PDF")])
        #expect(bench.letters.map(\.message) == ["not a PDF"])
        #expect(bench.letters.map(\.input) == [0])
    }

    @Test func `results do not wait unlogged for the record that is tried again`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(10)
        try bench.answer(1, failures: [transient(3)])
        let part = try #require(bench.commits.last { $0.stage == 1 })
        #expect(!part.isWhole)
        #expect(part.covered.count == 9)
        bench.wait(60_000)
        try bench.answer(1)
        let whole = try #require(bench.commits.last { $0.stage == 1 })
        #expect(whole.isWhole && whole.covered == IndexRanges([3]))
    }

    @Test func `a batch that cannot be taken now makes the whole stage wait`() throws {
        let bench = Bench { policy, _ in policy.stages[1].workers = 2 }
        bench.start()
        try bench.read(10)
        try bench.answer(1, .retry, milliseconds: 700)
        try bench.read(10)
        #expect(!bench.has(1))
        #expect(bench.deadline == 700)
        bench.wait(700)
        #expect(try bench.answer(1).count == 10)
    }

    @Test func `a rejected batch is set aside whole`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(4)
        try bench.answer(1, .reject)
        #expect(bench.letters.map(\.category) == Array(repeating: "permanent", count: 4))
    }

    @Test func `a fatal answer ends the run as refused, with the plugin's words`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(4)
        let request = try bench.take(1)
        bench.say(
            .result(
                request.worker, request.dispatch, .fatal, Outcome(), message: "no key", retryMilliseconds: 0,
                busyNanoseconds: 0))
        try bench.read(0, end: true)
        while bench.end == nil, !bench.closed.isEmpty || bench.flushes > 0 { bench.leave() }
        #expect(bench.end == .refused(stage: 1, message: "no key"))
    }

    @Test func `more dead letters than allowed stop the job`() throws {
        let bench = Bench { policy, _ in policy.failures.maximum = 1 }
        bench.start()
        try bench.read(4)
        try bench.answer(1, failures: [0, 1].map { RecordFailure(input: $0, kind: .permanent, message: "bad") })
        guard case .draining(.tooManyFailures, _) = bench.scheduler.mode else {
            Issue.record("it goes on: \(bench.scheduler.mode)")
            return
        }
    }

    @Test func `a higher share of dead letters than allowed stops the job, once there are enough to tell`() throws {
        let bench = Bench { policy, _ in
            policy.stages[1].failures.maximumRate = 0.1
            policy.stages[1].failures.minimumSample = 10
        }
        bench.start()
        let bad = RecordFailure(input: 0, kind: .permanent, message: "bad")
        try bench.read(5)
        try bench.answer(1, failures: [bad])
        #expect(bench.scheduler.mode == .running)
        try bench.read(5)
        try bench.answer(1, failures: [bad])
        guard case .draining(.tooManyFailures(let reason), _) = bench.scheduler.mode else {
            Issue.record("it goes on: \(bench.scheduler.mode)")
            return
        }
        #expect(reason.contains("2 of 10"))
    }

    @Test func `a record that had passed, and fails when it is done again, stops the stage instead of being lost`() throws {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        for stage in 0...1 {
            recovery.stages[stage].committed = CommittedSet(through: 1)
            recovery.stages[stage].counts = Counts(inputs: 5, passed: 5, filtered: 0, failed: 0, outputs: 5)
        }
        recovery.sourceCounts = [5]
        let bench = Bench({ policy, _ in policy.stages[1].durable = false }, recovery: recovery)
        bench.start()
        try bench.read(5)
        try bench.answer(1, failures: [RecordFailure(input: 2, kind: .permanent, message: "bad")])
        guard case .draining(.gaveUp(stage: 1, let message), _) = bench.scheduler.mode else {
            Issue.record("it goes on: \(bench.scheduler.mode)")
            return
        }
        #expect(message.contains("record 2 of batch 1 had passed"))
        #expect(bench.letters.isEmpty)
    }
}
