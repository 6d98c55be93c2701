import StageModel
import Testing

@testable import StageScheduler

@Suite struct OrderTests {
    private let busy = RecordFailure(input: 3, kind: .transient, message: "busy")

    /// A bench whose sink has no position.
    private func bench(ordered: Bool, window: Int = 64) -> Bench {
        let bench = Bench { policy, facts in
            policy.stages[1].ordered = ordered
            policy.stages[1].retry.backoffNanoseconds = 60_000_000_000
            policy.stages[1].retry.maximumNanoseconds = 60_000_000_000
            for stage in policy.stages.indices { policy.stages[stage].window = window }
            facts[2] = PluginFacts(kind: .sink, flags: [], functions: .process, maximumWorkers: 0)
        }
        bench.start()
        return bench
    }

    private func batch(_ bench: Bench, failing: Bool = false) throws {
        try bench.read(10)
        try bench.answer(1, failures: failing ? [busy] : [])
    }

    private func batchesOfSink(_ bench: Bench) throws -> [UInt64] {
        var batches: [UInt64] = []
        while let (_, _, request) = bench.out.first(where: { bench.isProcess($0.request, of: 2, by: $0.worker) }),
            case .process(let batch, _, _, _, _, _, _) = request
        {
            batches.append(batch)
            try bench.answer(2)
        }
        return batches
    }

    @Test func `a record that waits holds later batches up before the next stage, and its own stage goes on`() throws {
        let bench = bench(ordered: true)
        try batch(bench, failing: true)
        for _ in 0..<20 { try batch(bench) }
        #expect(try batchesOfSink(bench).isEmpty)
        bench.wait(70_000)
        try bench.answer(1)
        #expect(try batchesOfSink(bench) == Array(1...21))
    }

    @Test func `not more than a window of batches is done while a record waits`() throws {
        let bench = bench(ordered: true, window: 5)
        try batch(bench, failing: true)
        for _ in 0..<4 { try batch(bench) }
        while bench.has(0, .read) { try bench.read(10) }
        #expect(!bench.has(1))
        bench.wait(70_000)
        try bench.answer(1)
        #expect(bench.has(1))
    }

    @Test func `without order, batches pass the one that waits, and it follows`() throws {
        let bench = bench(ordered: false)
        try batch(bench, failing: true)
        for _ in 0..<20 { try batch(bench) }
        #expect(try batchesOfSink(bench) == Array(2...21))
        bench.wait(70_000)
        try bench.answer(1)
        #expect(try batchesOfSink(bench) == [1])
        try bench.read(0, end: true)
        for stage in [1, 2] { if bench.has(stage, .finish) { try bench.answer(stage, kind: .finish) } }
        while bench.end == nil, !bench.closed.isEmpty || bench.flushes > 0 { bench.leave() }
        #expect(bench.end == .complete)
        #expect(bench.state(2).counts.passed == 210)
    }

    @Test func `without order, far more than a window of batches passes by`() throws {
        let bench = bench(ordered: false, window: 5)
        try batch(bench, failing: true)
        var passed = 0
        for _ in 0..<50 {
            try batch(bench)
            passed += try batchesOfSink(bench).count
        }
        #expect(passed == 50)
    }

    @Test func `a place stays free for the batch that is waited for`() throws {
        let bench = bench(ordered: false, window: 3)
        try batch(bench, failing: true)
        for _ in 0..<4 { try batch(bench) }
        #expect(bench.state(2).held == 2)
        bench.wait(70_000)
        try bench.answer(1)
        #expect(bench.state(2).works.map(\.batch) == [1, 2, 3])
    }

    @Test func `a sink with a position keeps the order, and it is said`() throws {
        let bench = Bench { policy, _ in
            policy.stages[1].ordered = false
            policy.stages[1].retry.backoffNanoseconds = 5_000_000_000
        }
        bench.start()
        let said = bench.notes.compactMap { if case .orderKept(let stage, let reason) = $0 { (stage, reason) } else { nil } }
        #expect(said.map(\.0) == [1])
        #expect(said.first?.1.contains("\"sink\" has a position") == true)
        try batch(bench, failing: true)
        try batch(bench)
        #expect(!bench.has(2))
    }
}
