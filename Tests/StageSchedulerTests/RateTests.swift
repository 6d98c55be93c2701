import StageModel
import Testing

@testable import StageScheduler

@Suite struct RateTests {
    private func rate(_ perSecond: Double?, burst: Int? = nil) -> RatePolicy {
        var rate = RatePolicy()
        rate.recordsPerSecond = perSecond
        rate.burst = burst
        return rate
    }

    /// A busy stage for so many milliseconds: everything handed out is answered at once. Returns the records handed out.
    private func serve(_ bench: Bench, _ stage: Int = 1, milliseconds: Int, failing: (UInt32) -> RecordFailure? = { _ in nil }) throws
        -> Int
    {
        var records = 0
        for _ in 0..<milliseconds {
            while bench.has(0, .read) { try bench.read(100) }
            while bench.has(stage), bench.out.contains(where: { bench.isProcess($0.request, of: stage, by: $0.worker) }) {
                let asked = bench.peek(stage)
                records += try bench.answer(stage, failures: asked.compactMap(failing)).count
            }
            bench.wait(1)
        }
        return records
    }

    @Test func `a batch goes out in pieces where the rate is lower than a batch a second`() throws {
        let bench = Bench { [self] policy, _ in policy.stages[1].rate = rate(10) }
        bench.start()
        try bench.read(100)
        #expect(try bench.answer(1).count == 1)
        #expect(!bench.has(1))
        #expect(bench.deadline == 100)
        bench.wait(99)
        #expect(!bench.has(1))
        bench.wait(2)
        #expect(try bench.answer(1) == [1])
    }

    @Test(arguments: [7.0, 50, 400, 3000]) func `the rate holds over all workers together`(_ perSecond: Double) throws {
        let bench = Bench { [self] policy, _ in
            policy.stages[1].rate = rate(perSecond)
            policy.stages[1].workers = 4
            policy.stages[1].window = 1000
        }
        bench.start()
        let records = Double(try serve(bench, milliseconds: 3000))
        #expect(records <= perSecond * 3 + max(1, perSecond / 10) + 1)
        #expect(records >= perSecond * 2.9 - 1)
    }

    @Test func `what is saved up in a quiet time is the burst, and no more`() throws {
        let bench = Bench { [self] policy, _ in
            policy.stages[1].rate = rate(10, burst: 30)
            policy.batchRecords = 100
        }
        bench.start()
        bench.wait(60_000)
        try bench.read(100)
        #expect(try bench.answer(1).count == 30)
        bench.wait(100)
        #expect(try bench.answer(1).count <= 2)
    }

    @Test func `stages that share a limit have its rate together`() throws {
        let bench = Bench { [self] policy, facts in
            var limit = LimitPolicy(name: "api")
            limit.rate = rate(100)
            policy.limits = [limit]
            for stage in [1, 2] { policy.stages[stage].limit = "api" }
            policy.stages[1].ordered = false
            facts[2] = PluginFacts(kind: .sink, flags: [], functions: .process, maximumWorkers: 0)
        }
        bench.start()
        var records = 0
        for _ in 0..<2000 {
            while bench.has(0, .read) { try bench.read(10) }
            for stage in [1, 2] where bench.has(stage) { records += try bench.answer(stage).count }
            bench.wait(1)
        }
        #expect(bench.state(2).counts.inputs > 0)
        #expect((195...212).contains(records), "\(records)")
    }

    @Test func `no more records are in hand than a limit allows, and every worker has some`() throws {
        let bench = Bench { policy, _ in
            var limit = LimitPolicy(name: "api")
            limit.concurrency = 8
            policy.limits = [limit]
            policy.stages[1].limit = "api"
            policy.stages[1].workers = 4
        }
        bench.start()
        try bench.read(10)
        try bench.read(10)
        let requests = bench.out.filter { bench.isProcess($0.request, of: 1, by: $0.worker) }
        #expect(requests.map { bench.asked($0.request).count } == [2, 2, 2, 2])
        #expect(Set(requests.map(\.worker)).count == 4)
        try bench.answer(1)
        #expect(bench.out.filter { bench.isProcess($0.request, of: 1, by: $0.worker) }.count == 4)
    }

    @Test func `a stage that works in order gets its batches whole, and pays afterwards`() throws {
        let sink = PluginFacts(kind: .sink, flags: [], functions: .process, maximumWorkers: 1)
        let bench = Bench { [self] policy, facts in
            policy.stages[2].rate = rate(100)
            facts[2] = sink
        }
        bench.start()
        for _ in 0..<3 {
            try bench.read(10)
            try bench.answer(1)
        }
        var sent: [Int] = []
        for _ in 0..<300 {
            if bench.has(2) { sent.append(try bench.answer(2).count) }
            bench.wait(1)
        }
        #expect(sent == [10, 10, 10])
        let again = Bench { [self] policy, facts in
            policy.stages[2].rate = rate(10)
            facts[2] = sink
        }
        again.start()
        for _ in 0..<2 {
            try again.read(10)
            try again.answer(1)
        }
        #expect(try again.answer(2).count == 10)
        again.wait(800)
        #expect(!again.has(2))
        again.wait(300)
        #expect(again.has(2))
    }

    @Test func `a source reads the next batch when the one before is paid for`() throws {
        let bench = Bench { [self] policy, _ in policy.stages[0].rate = rate(10) }
        bench.start()
        try bench.read(10)
        #expect(!bench.has(0, .read))
        bench.wait(900)
        #expect(!bench.has(0, .read))
        bench.wait(200)
        #expect(bench.has(0, .read))
    }

    // MARK: - Answers that ask for a pause

    private func busy(_ input: UInt32) -> RecordFailure {
        RecordFailure(input: input, kind: .transient, retryAfterMilliseconds: 10, message: "429")
    }

    @Test func `an answer that asks for a pause slows the whole stage, once for all that was handed out before`() throws {
        let bench = Bench { [self] policy, _ in
            policy.stages[1].rate = rate(100, burst: 20)
            policy.stages[1].rate.decrease = 0.5
            policy.stages[1].workers = 2
        }
        bench.start()
        try bench.read(10)
        try bench.read(10)
        bench.wait(50)
        try bench.answer(1, failures: [busy(0), busy(1)])
        try bench.answer(1, failures: [busy(0)])
        let status = try #require(bench.scheduler.status.stages[1].rate)
        #expect(status.recordsPerSecond == 50 && status.full == 100 && status.isSlowed && status.refusals == 3)
        #expect(bench.notes.count { if case .stageSlowed(1, 50) = $0 { true } else { false } } == 1)
    }

    @Test func `it recovers by its increase up to the full rate, and does not sink below its minimum`() throws {
        let bench = Bench { [self] policy, _ in
            policy.stages[1].rate = rate(100)
            policy.stages[1].rate.increase = 10
            policy.stages[1].rate.minimum = 20
            policy.stages[1].retry.attempts = 1000
        }
        bench.start()
        _ = try serve(bench, milliseconds: 2000) { [self] in busy($0) }
        // Refused all the time, it would be at 1 by now.
        let low = try #require(bench.scheduler.status.stages[1].rate).recordsPerSecond
        #expect((20...35).contains(low), "\(low)")
        _ = try serve(bench, milliseconds: 4000)
        let middle = try #require(bench.scheduler.status.stages[1].rate).recordsPerSecond
        #expect((low + 35...low + 45).contains(middle), "\(middle)")
        _ = try serve(bench, milliseconds: 6000)
        #expect(bench.scheduler.status.stages[1].rate == RateStatus(recordsPerSecond: 100, full: 100, isSlowed: false, refusals: bench.state(1).throttle.refusals))
    }

    @Test(arguments: [nil, 1000.0]) func `it settles at what the service takes`(_ full: Double?) throws {
        let bench = Bench { [self] policy, _ in
            policy.stages[1].rate = rate(full)
            policy.stages[1].retry.attempts = 1000
            policy.stages[1].workers = 4
        }
        bench.start()
        // A service that takes 50 records a second.
        var tokens = 5.0
        var last = bench.milliseconds
        func answer(_ input: UInt32) -> RecordFailure? {
            tokens = min(5, tokens + Double(bench.milliseconds - last) * 0.05)
            last = bench.milliseconds
            if tokens < 1 { return busy(input) }
            tokens -= 1
            return nil
        }
        _ = try serve(bench, milliseconds: 15_000, failing: answer)
        let before = (bench.state(1).throttle.refusals, bench.scheduler.stages[1].counts.passed)
        let asked = try serve(bench, milliseconds: 10_000, failing: answer)
        let passed = bench.scheduler.stages[1].counts.passed - before.1
        #expect((450...505).contains(passed), "\(passed) of \(asked)")
        #expect(asked <= 550, "\(asked)")
        #expect(bench.letters.isEmpty)
    }

    @Test func `with a decrease of 1 nothing slows a stage`() throws {
        let bench = Bench { policy, _ in policy.stages[1].rate.decrease = 1 }
        bench.start()
        try bench.read(10)
        try bench.answer(1, failures: [busy(0)])
        #expect(bench.scheduler.status.stages[1].rate == nil)
        try bench.read(10)
        #expect(try bench.answer(1).count == 10)
    }

    // MARK: - Other numbers at run time

    @Test func `another policy takes effect at once`() throws {
        let bench = Bench { [self] policy, _ in
            policy.stages[1].rate = rate(1)
            policy.stages[1].workers = 3
        }
        bench.start()
        try bench.read(100)
        #expect(try bench.answer(1).count == 1)
        #expect(!bench.has(1))
        var policy = bench.scheduler.policy
        policy.stages[1].rate = rate(1000)
        policy.stages[1].workers = 1
        bench.say(.policyChanged(policy))
        #expect(bench.closed.count == 2)
        bench.wait(100)
        #expect(try bench.answer(1).count == 99)
        policy.stages[1].rate = rate(nil)
        policy.stages[1].workers = 2
        bench.say(.policyChanged(policy))
        try bench.read(100)
        #expect(try bench.answer(1).count == 100)
        #expect(bench.started.count { $0.stage == 1 } == 4)
    }
}

extension Bench {
    func isProcess(_ request: Request, of stage: Int, by worker: WorkerID) -> Bool {
        guard case .process = request else { return false }
        return scheduler.worker(worker)?.stage == stage
    }

    /// What the next request of a stage asks to work on.
    func peek(_ stage: Int) -> [UInt32] {
        out.first { isProcess($0.request, of: stage, by: $0.worker) }.map { asked($0.request) } ?? []
    }
}
