import StageModel
import Testing

@testable import StageScheduler

/// What may be tried again, how much may fail, and what is counted.
@Suite struct LimitTests {
    private func bad(_ input: UInt32) -> RecordFailure { RecordFailure(input: input, kind: .permanent, message: "bad") }

    private func stoppedFor(_ bench: Bench) -> String? {
        guard case .draining(.tooManyFailures(let reason), _) = bench.scheduler.mode else { return nil }
        return reason
    }

    // MARK: - retry.on

    @Test func `a transient failure is final where it is not to be tried again`() throws {
        let bench = Bench { policy, _ in policy.stages[1].retry.on = [] }
        bench.start()
        try bench.read(10)
        try bench.answer(1, failures: [RecordFailure(input: 3, kind: .transient, message: "busy")])
        #expect(bench.letters.map(\.category) == ["transient"])
        #expect(bench.letters.map(\.attempts) == [1])
    }

    @Test(arguments: [(DeathCause.signal(11), RetryCause.crash), (.timeout, .timeout), (.memory, .memory), (.exit(0), .crash)])
    func `a record that workers die on has all its tries where deaths are to be tried again`(
        _ cause: DeathCause, _ word: RetryCause
    ) throws {
        let bench = Bench { policy, _ in
            policy.stages[1].retry.on = [word]
            policy.stages[1].retry.attempts = 4
            policy.stages[1].retry.backoffNanoseconds = 1_000_000_000
        }
        bench.start()
        try bench.read(10)
        try bench.die(1, on: [3], cause)
        #expect(try bench.answer(1) == [0, 1, 2, 4, 5, 6, 7, 8, 9])
        try bench.die(1, on: [3], cause)
        for _ in 0..<2 {
            bench.wait(500)
            #expect(!bench.has(1) && bench.letters.isEmpty)
            bench.wait(5_000)
            try bench.die(1, on: [3], cause)
        }
        #expect(bench.letters.map(\.input) == [3])
        #expect(bench.letters.map(\.attempts) == [4])
    }

    @Test func `two deaths are enough for any other cause`() throws {
        let bench = Bench { policy, _ in
            policy.stages[1].retry.on = [.timeout]
            policy.stages[1].retry.attempts = 9
        }
        bench.start()
        try bench.read(10)
        try bench.die(1, on: [3])
        try bench.answer(1)
        try bench.die(1, on: [3])
        #expect(bench.letters.map(\.category) == ["crash"])
    }

    @Test func `what had an outcome before a batch was rejected keeps it`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(6)
        let request = try bench.take(1)
        var outcome = bench.passed([0, 1, 2], failures: [bad(2)])
        outcome.covered = IndexRanges([0, 1, 2])
        bench.say(
            .result(
                request.worker, request.dispatch, .reject, outcome, message: "broken", retryMilliseconds: 0,
                busyNanoseconds: 1_000))
        #expect(bench.letters.map(\.input) == [2, 3, 4, 5])
        #expect(bench.letters.map(\.message) == ["bad", "broken", "broken", "broken"])
        #expect(bench.state(1).counts == Counts(inputs: 6, passed: 2, filtered: 0, failed: 4, outputs: 2))
    }

    // MARK: - failures

    /// Batches of ten, of which so many fail.
    private func run(_ bench: Bench, batches: Int, failing: Int) throws {
        for _ in 0..<batches where stoppedFor(bench) == nil {
            try bench.read(10)
            try bench.answer(1, failures: (0..<UInt32(failing)).map(bad))
        }
    }

    @Test func `the rate of failures counts from the minimum sample on`() throws {
        let bench = Bench { policy, _ in
            policy.failures.maximumRate = 0.05
            policy.failures.minimumSample = 50
        }
        bench.start()
        try run(bench, batches: 4, failing: 1)
        #expect(stoppedFor(bench) == nil)
        try run(bench, batches: 1, failing: 1)
        #expect(stoppedFor(bench) == "5 of 50 records failed, more than failures.max_rate = 0.05")
    }

    @Test func `records that were read and have no outcome are no sample`() throws {
        let bench = Bench { policy, _ in
            policy.failures.maximumRate = 0.05
            policy.failures.minimumSample = 50
        }
        bench.start()
        for _ in 0..<20 { try bench.read(10) }
        try bench.answer(1, failures: (0..<10).map(bad))
        #expect(stoppedFor(bench) == nil)
    }

    @Test func `a stage has limits of its own`() throws {
        let bench = Bench { policy, _ in policy.stages[1].failures.maximum = 3 }
        bench.start()
        try run(bench, batches: 1, failing: 3)
        #expect(stoppedFor(bench) == nil)
        try run(bench, batches: 1, failing: 1)
        #expect(stoppedFor(bench) == "stage \"work\": 4 dead letters, more than failures.max = 3")
    }

    @Test func `what has stopped the job before is forgiven when it is taken up again`() throws {
        var counts = Counts()
        counts.inputs = 100
        counts.failed = 50
        counts.passed = 50
        let bench = Bench({ policy, _ in
            policy.failures.maximum = 10
            policy.failures.maximumRate = 0.2
            policy.forgiven = [Counts(), counts, Counts()]
        }, recovery: {
            var recovery = Recovery(stages: (0..<3).map { _ in RecoveredStage() })
            recovery.stages[1].counts = counts
            return recovery
        }())
        bench.start()
        try run(bench, batches: 9, failing: 1)
        #expect(stoppedFor(bench) == nil)
        try run(bench, batches: 1, failing: 2)
        #expect(stoppedFor(bench) == "11 dead letters, more than failures.max = 10")
    }

    @Test func `dead letters are counted by category`() throws {
        let bench = Bench { policy, _ in policy.stages[1].retry.attempts = 1 }
        bench.start()
        try bench.read(10)
        try bench.answer(1, failures: [bad(0), bad(1), RecordFailure(input: 2, kind: .transient, message: "busy")])
        try bench.read(10)
        try bench.die(1, on: [5])
        try bench.answer(1)
        try bench.die(1, on: [5])
        #expect(bench.scheduler.status.stages[1].failedBy == ["permanent": 2, "transient": 1, "crash": 1])
    }

    // MARK: - memory_reserve

    @Test func `short of memory, nothing new is given out and nobody is started, until there is more than enough`() throws {
        let bench = Bench { policy, _ in policy.memoryReserveBytes = 1 << 30 }
        bench.start()
        try bench.read(10)
        bench.say(.availableMemory(bytes: 1 << 29))
        #expect(bench.scheduler.status.state == "paused")
        #expect(bench.scheduler.status.waitsFor?.contains("memory_reserve") == true)
        let started = bench.started.count
        try bench.die(1, on: [3])
        bench.wait(10_000)
        #expect(bench.started.count == started)
        try bench.read(10)
        #expect(!bench.has(0, .read))
        bench.say(.availableMemory(bytes: 1 << 30))
        #expect(!bench.has(0, .read))
        bench.say(.availableMemory(bytes: 3 << 30))
        #expect(bench.scheduler.status.state == "running")
        #expect(bench.started.count == started + 1)
        #expect(bench.has(0, .read) && bench.has(1))
    }

    @Test func `without a reserve the memory of the machine is nobody's business`() throws {
        let bench = Bench()
        bench.start()
        bench.say(.availableMemory(bytes: 0))
        #expect(bench.has(0, .read))
        #expect(bench.scheduler.status.state == "running")
    }
}
