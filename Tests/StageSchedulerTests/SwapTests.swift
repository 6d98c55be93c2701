import StageModel
import Testing

@testable import StageScheduler

/// Take-overs by new workers while the job runs.
@Suite struct SwapTests {
    private func serving(_ bench: Bench, _ stage: Int) -> [Int] {
        bench.state(stage).workers.filter { $0.canServe }.map(\.build)
    }

    @Test func `new workers serve before the old ones leave, and what those have in hand is theirs to finish`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(10)
        let old = try #require(bench.state(1).workers.first?.id)
        bench.say(.restart(stage: "work", build: nil, request: 7))
        #expect(bench.closed == [old])
        #expect(serving(bench, 1) == [0])
        #expect(bench.replies.map(\.ok) == [true] && bench.replies.map(\.isLast) == [true])
        #expect(try bench.answer(1).count == 10)
        bench.leave()
        #expect(bench.letters.isEmpty)
        #expect(bench.state(1).crashes == 0)
    }

    @Test func `a build that cannot be opened never takes over`() throws {
        let bench = Bench()
        bench.start()
        bench.comesUp = { _ in false }
        bench.say(.restart(stage: "work", build: 1, request: 7))
        let new = try #require(bench.started.last)
        #expect(new.build == 1)
        bench.say(.loaded(new.worker, bench.facts[1]))
        bench.say(.refused(new.worker, fatal: true, message: "cannot read the state"))
        #expect(bench.replies.map(\.ok) == [false])
        #expect(bench.replies.last?.message.contains("cannot read the state") ?? false)
        bench.leave()
        #expect(serving(bench, 1) == [0])
        #expect(bench.end == nil)
    }

    @Test func `a build that dies on probation is taken back, and the batch goes to the old one`() throws {
        let bench = Bench()
        bench.start()
        bench.say(.restart(stage: "work", build: 1, request: 7))
        bench.leave()
        try bench.read(10)
        try bench.die(1, on: [3])
        #expect(bench.replies.last.map { !$0.ok && $0.isLast } ?? false)
        #expect(bench.state(1).build == 0)
        #expect(bench.state(1).deaths.isEmpty, "the death is held against the build, not against the stage")
        while bench.has(1) { try bench.answer(1) }
        #expect(bench.letters.isEmpty)
    }

    @Test func `a build that fails more than the old one is taken back`() throws {
        let bench = Bench()
        bench.start()
        bench.say(.restart(stage: "work", build: 1, request: 7))
        bench.leave()
        try bench.read(10)
        try bench.answer(1, failures: (0..<5).map { RecordFailure(input: $0, kind: .permanent, message: "no") })
        #expect(bench.replies.last.map { !$0.ok && $0.message.contains("5 of its first 10") } ?? false)
        #expect(bench.state(1).build == 0)
    }

    @Test func `a build that has passed its probation stays`() throws {
        let bench = Bench { policy, _ in policy.stages[1].probationBatches = 2 }
        bench.start()
        bench.say(.restart(stage: "work", build: 1, request: 7))
        bench.leave()
        for _ in 0..<2 {
            try bench.read(10)
            try bench.answer(1)
        }
        #expect(bench.replies.last.map { $0.ok && $0.isLast } ?? false)
        #expect(bench.state(1).build == 1 && bench.state(1).swap == nil)
    }

    @Test func `a stateful stage is opened anew only when the old worker has nothing in hand`() throws {
        let bench = Bench { _, facts in facts[1].flags = [.recordByRecord, .stateful] }
        bench.start()
        try bench.read(10)
        let opened = bench.opened.count
        bench.say(.restart(stage: "work", build: 1, request: 7))
        #expect(bench.opened.count == opened)
        try bench.answer(1, checkpoint: Checkpoint(position: 9))
        #expect(bench.opened.count == opened + 1)
        guard case .payload = try #require(bench.opened.last).checkpoint else {
            Issue.record("the new worker was not given the state")
            return
        }
        bench.leave()
        #expect(serving(bench, 1) == [1])
    }

    @Test func `two restarts of a stateful stage leave one worker, which alone is shown what it must see again`() throws {
        let bench = Bench { _, facts in facts[1].flags = [.recordByRecord, .stateful] }
        bench.start()
        for request in 1...2 {
            try bench.read(10)
            try bench.answer(1)
            bench.say(.restart(stage: "work", build: nil, request: UInt64(request)))
            #expect(serving(bench, 1).count == 1)
            let new = try #require(bench.opened.last?.worker)
            #expect(bench.out.filter { if case .process(_, _, _, _, _, true, _) = $0.request { $0.worker != new } else { false } }.isEmpty)
            bench.leave()
            while bench.has(1) { try bench.answer(1) }
        }
    }

    @Test func `a stage that holds goes on with the repaired build`() throws {
        let bench = Bench { policy, _ in
            policy.stages[1].onGiveUp = .hold
            policy.stages[1].onDeath = ["SIGSEGV": .hold]
        }
        bench.start()
        try bench.read(10)
        try bench.die(1, on: [3])
        #expect(bench.state(1).isHeld)
        #expect(bench.scheduler.status.state == "holding")
        bench.say(.restart(stage: "work", build: 1, request: 7))
        #expect(serving(bench, 1) == [1])
        #expect(Set(try bench.answer(1)).isSuperset(of: [0, 1, 2]))
    }

    @Test func `what cannot be restarted is said`() throws {
        let bench = Bench()
        bench.start()
        bench.say(.restart(stage: "nobody", build: nil, request: 1))
        bench.comesUp = { _ in false }
        bench.say(.restart(stage: "work", build: nil, request: 2))
        bench.say(.restart(stage: "work", build: nil, request: 3))
        #expect(bench.replies.map(\.request) == [1, 3])
        #expect(bench.replies.allSatisfy { !$0.ok })
    }
}
