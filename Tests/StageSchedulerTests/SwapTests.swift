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

    @Test func `what a build on probation dies of marks no record, and counts against nobody`() throws {
        let bench = Bench { policy, _ in policy.stages[1].restart.maximum = 1 }
        bench.start()
        try bench.read(10)
        for round in 1...4 {
            bench.say(.restart(stage: "work", build: round, request: UInt64(round)))
            if round == 1 { try bench.answer(1) } else { bench.leave() }
            bench.leave()
            try bench.read(10)
            try bench.die(1, on: [3])
            while bench.has(1) { try bench.answer(1) }
            bench.leave()
        }
        #expect(bench.end == nil && bench.letters.isEmpty)
        #expect(bench.state(1).unexplained == 0 && bench.state(1).deaths.isEmpty)
        #expect(bench.state(1).build == 0)
    }

    @Test func `what a build that was sent back still answers is not listened to`() throws {
        let bench = Bench()
        bench.start()
        bench.say(.restart(stage: "work", build: 1, request: 7))
        bench.leave()
        try bench.read(10)
        try bench.read(10)
        let second = try #require(bench.out.last { item in bench.asked(item.request).count == 10 })
        try bench.answer(1, .fatal)
        #expect(bench.replies.last.map { !$0.ok && $0.isLast } ?? false)
        bench.say(
            .result(second.worker, second.dispatch, .fatal, Outcome(), message: "", retryMilliseconds: 0, busyNanoseconds: 1))
        bench.leave()
        #expect(bench.end == nil && bench.state(1).build == 0)
        #expect(bench.scheduler.status.state == "running")
    }

    @Test func `a state is taken from nobody while a build that may refuse it opens`() throws {
        let bench = Bench { policy, facts in
            facts[1].flags = [.recordByRecord, .stateful]
            policy.stages[1].snapshotEveryBatches = 100
        }
        bench.start()
        try bench.read(10)
        try bench.answer(1)
        bench.comesUp = { _ in false }
        bench.say(.restart(stage: "work", build: 1, request: 7))
        let new = try #require(bench.started.last?.worker)
        bench.say(.loaded(new, bench.facts[1]))
        #expect(bench.opened.last?.worker == new)
        bench.say(.refused(new, fatal: true, message: "a state of another format"))
        #expect(!bench.has(1), "the old worker has seen these records: it must not be shown them again")
        bench.comesUp = { _ in true }
        bench.leave()
        try bench.read(10)
        #expect(try bench.answer(1).count == 10)
        #expect(serving(bench, 1) == [0] && bench.end == nil)
    }

    @Test func `a state that only the new build can read does not keep the old one from coming back`() throws {
        let bench = Bench { policy, facts in
            facts[1].flags = [.recordByRecord, .stateful]
            policy.stages[1].snapshotEveryBatches = 1
        }
        bench.start()
        try bench.read(10)
        try bench.answer(1, checkpoint: Checkpoint(position: 1))
        bench.say(.restart(stage: "work", build: 1, request: 7))
        bench.leave()
        try bench.read(10)
        try bench.answer(1, checkpoint: Checkpoint(position: 2))
        try bench.read(10)
        try bench.die(1, on: [3])
        guard case .payload(let payload) = try #require(bench.opened.last { $0.stage == 1 }).checkpoint else {
            Issue.record("the old build was given no state")
            return
        }
        #expect((payload as? Checkpoint)?.position == 1)
        guard case .process(let batch, _, _, _, _, let replay, _) = try bench.take(1).request else { return }
        #expect(batch == 2 && replay, "what the new build had done is shown to the old one")
    }

    @Test func `another plugin, another kind and another way to stand are refused`() throws {
        let bench = Bench()
        bench.start()
        var others = Array(repeating: bench.facts[1], count: 4)
        others[0].identifier = "other"
        others[1].kind = .sink
        others[2].flags.insert(.stateful)
        others[3].kind = .source
        for (number, facts) in others.enumerated() {
            bench.comesUp = { _ in false }
            bench.say(.restart(stage: "work", build: number + 1, request: UInt64(number)))
            bench.say(.loaded(try #require(bench.started.last?.worker), facts))
            bench.leave()
            #expect(bench.replies.last.map { !$0.ok && $0.message.contains("the old build stays") } ?? false)
        }
        #expect(serving(bench, 1) == [0] && bench.end == nil)
    }

    @Test func `a sink with a batch half done finishes it before another takes its place`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(10)
        try bench.answer(1)
        try bench.answer(2, failures: [RecordFailure(input: 4, kind: .transient, message: "later")])
        bench.say(.restart(stage: "sink", build: nil, request: 7))
        #expect(bench.closed.isEmpty)
        bench.wait(60_000)
        #expect(try bench.answer(2) == [4])
        try bench.answer(2, kind: .sync, checkpoint: Checkpoint(position: 1))
        bench.leave()
        #expect(bench.replies.last.map { $0.ok && $0.isLast } ?? false)
    }

    @Test func `a standby is started a little after the batch has been handed on`() throws {
        let bench = Bench { policy, _ in policy.stages[1].standby = 1 }
        bench.start()
        try bench.read(10)
        let request = try bench.take(1)
        let actions = bench.scheduler.handle(.exited(request.worker, Death(cause: .signal(9))), at: Moment(nanoseconds: 2_000_000))
        #expect(actions.contains { if case .send = $0 { true } else { false } })
        #expect(!actions.contains { if case .start = $0 { true } else { false } })
        let due = try #require(bench.scheduler.nextDeadline(after: Moment(nanoseconds: 2_000_000)))
        #expect(bench.scheduler.handle(.timer, at: due).contains { if case .start = $0 { true } else { false } })
    }

    // MARK: - Found by the simulation

    @Test func `a build of another kind is turned away while nobody serves, and does not end the job`() throws {
        let bench = Bench()
        bench.comesUp = { $0 != 1 }
        bench.start()
        bench.say(.restart(stage: "work", build: 1, request: 7))
        bench.leave()
        let new = try #require(bench.started.last)
        #expect(new.stage == 1 && new.build == 1)
        var facts = bench.facts[1]
        facts.kind = .sink
        bench.say(.loaded(new.worker, facts))
        #expect(bench.replies.last.map { !$0.ok && $0.isLast } ?? false)
        #expect(bench.scheduler.mode == .running && bench.state(1).build == 0)
        #expect(bench.started.last?.build == 0)
    }

    @Test func `a take-over waits for the end of a worker that is dying, and its batch comes back once`() throws {
        let bench = Bench { policy, facts in
            facts[1].flags = [.stateful]
            policy.stages[1].timeoutNanoseconds = 1_000_000_000
        }
        bench.start()
        try bench.read(8)
        bench.say(.restart(stage: "work", build: nil, request: 7))
        let opened = bench.opened.count
        bench.wait(1_000)
        #expect(bench.killed.count == 1 && bench.opened.count == opened)
        try bench.die(1, on: [], .signal(9))
        bench.killed.removeAll()
        let work = try #require(bench.state(1).works.first)
        let inHand = bench.state(1).workers.flatMap(\.outstanding).reduce(0) { $0 + $1.ranges.count }
        #expect(inHand + work.portions.reduce(0) { $0 + $1.ranges.count } == 8)
    }

    @Test func `a build on probation that dies of everything condemns no record of a batch that had died before`() throws {
        let bench = Bench { policy, facts in
            facts[1].flags = []
            policy.stages[1].restart.maximum = 100
        }
        bench.start()
        try bench.read(2)
        try bench.die(1)
        bench.say(.restart(stage: "work", build: 1, request: 7))
        while bench.has(1), bench.state(1).workers.contains(where: { $0.build == 0 && !$0.outstanding.isEmpty }) {
            try bench.answer(1, failures: [RecordFailure(input: 0, kind: .transient, message: "busy")])
        }
        bench.leave()
        bench.wait(5_000)
        if bench.has(1) { try bench.die(1) }
        #expect(bench.letters.isEmpty)
        #expect(bench.state(1).build == 0)
    }

    @Test func `a stage that gives up on probation is ready for the next build`() throws {
        let bench = Bench { policy, _ in policy.stages[1].onDeath = ["SIGKILL": .hold] }
        bench.start()
        bench.say(.restart(stage: "work", build: 1, request: 1))
        bench.leave()
        try bench.read(10)
        try bench.die(1, on: [3], .signal(9))
        #expect(bench.state(1).isHeld && bench.state(1).swap == nil)
        #expect(bench.replies.last.map { $0.request == 1 && !$0.ok && $0.isLast } ?? false)
        bench.say(.restart(stage: "work", build: 2, request: 2))
        bench.leave()
        #expect(serving(bench, 1) == [2])
    }

    @Test func `an old worker has the time that its request has, however long that is`() throws {
        let bench = Bench { policy, _ in policy.stages[1].timeoutNanoseconds = 60_000_000_000 }
        bench.start()
        try bench.read(10)
        let old = try #require(bench.state(1).workers.first?.id)
        bench.say(.restart(stage: "work", build: nil, request: 7))
        bench.wait(30_000)
        #expect(bench.killed.isEmpty)
        try bench.answer(1)
        #expect(bench.letters.isEmpty && bench.killed.isEmpty)
        bench.wait(6_000)
        #expect(bench.killed == [old], "it has nothing in hand, and does not leave")
    }

    @Test func `who has asked for new workers is answered when the job is left at once`() {
        let bench = Bench()
        bench.start()
        bench.comesUp = { _ in false }
        bench.say(.restart(stage: "work", build: 1, request: 7))
        bench.say(.abandon)
        #expect(bench.replies.map(\.request) == [7] && bench.replies.map(\.isLast) == [true])
    }
}
