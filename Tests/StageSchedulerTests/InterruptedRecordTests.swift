import StageModel
import Testing

@testable import StageScheduler

/// What a scheduler makes of records that were in hand when earlier hosts died.
@Suite struct InterruptedRecordTests {
    /// A bench whose first batch of `records` has a past.
    private func bench(
        _ pasts: [UInt32: Interruption], records: Int = 10, _ change: (inout JobPolicy, inout [PluginFacts]) -> Void = { _, _ in }
    ) throws -> Bench {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        recovery.stages[1].interruptions[1] = pasts
        let bench = Bench({ policy, facts in
            policy.batchRecords = UInt32(records)
            change(&policy, &facts)
        }, recovery: recovery)
        bench.start()
        try bench.read(records)
        return bench
    }

    private func deaths(_ early: UInt32, late: UInt32 = 0, alone: Bool = false) -> Interruption {
        Interruption(early: early, late: late, wasAlone: alone, evidence: "yesterday")
    }

    @Test func `two deaths of the host say nothing about a record`() throws {
        let bench = try bench([3: deaths(2, alone: true)])
        #expect(try bench.answer(1) == Array(0..<10))
        #expect(bench.letters.isEmpty)
    }

    @Test func `after three it is tried with nothing else in hand, of any stage`() throws {
        let bench = try bench([3: deaths(3)])
        #expect(try bench.answer(1) == [0, 1, 2, 4, 5, 6, 7, 8, 9])
        #expect(try bench.answer(1) == [3])
        try bench.answer(2)
        #expect(bench.letters.isEmpty)
    }

    @Test func `while it is tried nobody else is given anything, and afterwards everybody is`() throws {
        let bench = try bench([3: deaths(3)]) { policy, _ in policy.stages[1].workers = 2 }
        try bench.read(10)
        // The rest of the batch, and the next batch, with the other worker.
        try bench.answer(1)
        #expect(try bench.take(1).request.isOf(batch: 2))
        #expect(bench.state(1).workers.flatMap(\.outstanding).count == 1, "the suspect waits until nothing is in hand")
    }

    @Test func `the source reads nothing on while a record is tried apart`() throws {
        let bench = try bench([0: deaths(4)], records: 1)
        #expect(bench.has(1))
        let reads = bench.state(0).workers.flatMap(\.outstanding).count
        // One read was out before; another one does not follow.
        if reads == 1 { try bench.read(1) }
        #expect(bench.state(0).workers.flatMap(\.outstanding).isEmpty)
        try bench.answer(1)
        #expect(bench.has(0, .read))
    }

    @Test func `it is not tried before the logs above have its batch`() throws {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        recovery.stages[1].interruptions[1] = [0: deaths(3)]
        let bench = Bench({ policy, _ in policy.batchRecords = 1 }, recovery: recovery)
        bench.appendsAtOnce = false
        bench.start()
        try bench.read(1)
        #expect(!bench.has(1))
        bench.say(.appended(stage: 0, batch: 1))
        #expect(bench.has(1))
    }

    @Test func `after five, alone at the last, it is set aside without another try`() throws {
        let bench = try bench([3: deaths(5, alone: true)])
        #expect(try bench.answer(1) == [0, 1, 2, 4, 5, 6, 7, 8, 9])
        let letter = try #require(bench.letters.first)
        #expect(bench.letters.count == 1)
        #expect((letter.input, letter.category, letter.attempts) == (3, "host", 5))
        #expect(letter.message == "it takes the host along: the host died with it in hand 5 times")
        #expect(letter.evidence == "yesterday")
    }

    @Test func `however often hosts died, a record that was never alone is tried`() throws {
        let bench = try bench([3: deaths(100)])
        try bench.answer(1)
        #expect(try bench.answer(1) == [3])
        #expect(bench.letters.isEmpty)
    }

    @Test func `a host that is ended twenty times in a record of hours blames nobody`() throws {
        let bench = try bench([3: deaths(0, late: 20, alone: true)])
        try bench.answer(1)
        #expect(try bench.answer(1) == [3])
        #expect(bench.letters.isEmpty)
    }

    @Test func `late deaths weigh a fifth, and are bounded too`() throws {
        #expect(!deaths(4, late: 4, alone: true).isVerdict)
        #expect(deaths(4, late: 5, alone: true).isVerdict)
        #expect(deaths(0, late: 25, alone: true).isVerdict)
        #expect(!deaths(0, late: 14).isSuspect)
        #expect(deaths(0, late: 15).isSuspect)
    }

    @Test func `a suspect that kills its worker, or fails for now, is tried apart again`() throws {
        let bench = try bench([3: deaths(3)])
        try bench.answer(1)
        try bench.answer(1, failures: [RecordFailure(input: 3, kind: .transient, message: "busy")])
        bench.wait(60_000)
        #expect(bench.scheduler.isTrialUnderWay)
        #expect(try bench.die(1, on: [3]) == [3])
        bench.wait(60_000)
        #expect(bench.scheduler.isTrialUnderWay)
        #expect(try bench.answer(1) == [3])
        try bench.answer(2)
        #expect(bench.letters.isEmpty)
    }

    @Test func `attempts of a letter include those that hosts died with`() throws {
        let bench = try bench([3: deaths(2)])
        try bench.answer(1, failures: [RecordFailure(input: 3, kind: .permanent, message: "no")])
        #expect(bench.letters.map(\.attempts) == [3])
    }

    @Test func `of a batch worked on as a whole each record is tried apart, one after the other`() throws {
        let bench = try bench(Dictionary(uniqueKeysWithValues: (0..<10).map { ($0, deaths(3)) }))
        var tried: [[UInt32]] = []
        while bench.has(1) {
            #expect(bench.scheduler.isTrialUnderWay)
            tried.append(try bench.answer(1))
        }
        #expect(tried == (0..<10).map { [$0] })
    }

    @Test func `many suspects are tried in groups, and those with the worst past first`() throws {
        var pasts = Dictionary(uniqueKeysWithValues: (0..<UInt32(1_000)).map { ($0, deaths(3)) })
        for input in 500..<UInt32(510) { pasts[input] = deaths(4) }
        let bench = try bench(pasts, records: 1_000)
        for input in 500..<UInt32(510) { #expect(try bench.answer(1) == [input]) }
        var left = 0
        var groups = 0
        while bench.has(1) {
            left += try bench.answer(1).count
            groups += 1
        }
        #expect(left == 990)
        #expect(groups <= 64)
    }

    @Test func `a sink tries a suspect in its place in the order`() throws {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        recovery.stages[2].interruptions[1] = [1: deaths(3)]
        let bench = Bench({ policy, _ in policy.batchRecords = 4 }, recovery: recovery)
        bench.start()
        try bench.read(4, end: true)
        try bench.answer(1)
        #expect(try bench.answer(2) == [0])
        #expect(try bench.answer(2) == [1])
        #expect(try bench.answer(2) == [2, 3])
    }
}

extension Request {
    fileprivate func isOf(batch wanted: UInt64) -> Bool {
        guard case .process(let batch, _, _, _, _, _, _) = self else { return false }
        return batch == wanted
    }
}
