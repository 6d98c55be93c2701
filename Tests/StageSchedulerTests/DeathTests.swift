import StageModel
import Testing

@testable import StageScheduler

@Suite struct DeathTests {
    @Test func `a poison record is found with two deaths, and its neighbours' results stand`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(10)
        let request = try #require(bench.out.first { if case .process = $0.request { true } else { false } })
        bench.say(.partial(request.worker, request.dispatch, bench.passed([0, 1, 2, 3, 4])))
        try bench.die(1, on: [5])
        #expect(try bench.answer(1) == [6, 7, 8, 9])
        #expect(try bench.die(1, on: [5]) == [5])
        #expect(bench.letters.map(\.input) == [5])
        #expect(bench.letters.map(\.signal) == [11])
        #expect(bench.letters.map(\.category) == ["crash"])
        #expect(bench.state(1).deaths.isEmpty, "explained deaths do not count against the stage")
        #expect(bench.state(1).finished.count + bench.state(2).works.count == 1)
    }

    @Test func `without breadcrumbs halves find it in at most 2 + log2(n) deaths`() throws {
        let bench = Bench { policy, _ in policy.batchRecords = 100 }
        bench.start()
        try bench.read(100)
        var deaths = 0
        while bench.has(1) {
            let asked = bench.asked(
                try #require(bench.out.last { if case .process = $0.request { true } else { false } }).request)
            if asked.contains(37) {
                deaths += 1
                try bench.die(1)
            } else {
                try bench.answer(1)
            }
        }
        #expect(bench.letters.map(\.input) == [37])
        #expect(deaths <= 8)
    }

    @Test func `a death that does not repeat is nobody's fault, and counts against the stage`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(10)
        try bench.die(1, on: [0])
        try bench.answer(1)
        #expect(try bench.answer(1) == [0])
        #expect(bench.letters.isEmpty)
        #expect(bench.state(1).unexplained == 1)
        #expect(bench.state(1).deaths.count == 1)
    }

    @Test func `kills from outside are not held against a record before the fifth`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(1)
        for _ in 0..<4 {
            try bench.die(1, on: [0], .signal(9))
            bench.wait(60_000)
        }
        #expect(bench.letters.isEmpty)
        try bench.die(1, on: [0], .signal(9))
        #expect(bench.letters.map(\.input) == [0])
    }

    @Test func `a suspect that fails transiently is tried again alone`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(2)
        try bench.die(1, on: [0])
        try bench.answer(1)
        try bench.answer(1, failures: [RecordFailure(input: 0, kind: .transient, message: "busy")])
        try bench.read(10)
        bench.wait(60_000)
        #expect(bench.state(1).workers.flatMap(\.outstanding).count == 1)
    }

    @Test func `a stage whose every record kills it gives up, and says that it is the plugin`() throws {
        let bench = Bench { policy, _ in policy.batchRecords = 8 }
        bench.start()
        try bench.read(8)
        try bench.read(8)
        var deaths = 0
        while bench.has(1), deaths < 100 {
            deaths += 1
            let asked = bench.asked(
                try #require(bench.out.first { if case .process = $0.request { true } else { false } }).request)
            try bench.die(1, on: [asked[0]])
            bench.wait(1)
        }
        #expect(bench.state(1).hasGivenUp)
        #expect(bench.state(1).giveUpMessage.contains("it is the plugin"))
        #expect(deaths < 40)
    }

    @Test func `a plugin that cannot be opened is tried again with growing pauses, and then given up`() throws {
        let bench = Bench()
        bench.comesUp = { $0 != 1 }
        bench.start()
        for _ in 0..<20 where !bench.state(1).hasGivenUp {
            let worker = try #require(bench.state(1).workers.first)
            bench.say(.loaded(worker.id, bench.facts[1]))
            bench.say(.refused(worker.id, fatal: false, message: "no server"))
            bench.say(.exited(worker.id, Death(cause: .signal(9))))
            // A longer one is that of the next worker's `open`.
            if let deadline = bench.deadline, deadline < 30_000 { bench.wait(deadline + 1) }
        }
        #expect(bench.state(1).hasGivenUp)
        #expect(bench.state(1).giveUpMessage.contains("no server"))
    }

    @Test func `a plugin that refuses for good is not restarted`() throws {
        let bench = Bench()
        bench.comesUp = { $0 != 1 }
        bench.start()
        let worker = try #require(bench.state(1).workers.first)
        bench.say(.refused(worker.id, fatal: true, message: "no such key"))
        for _ in 0..<4 { bench.leave() }
        #expect(bench.end == .refused(stage: 1, message: "no such key"))
    }

    @Test func `a stage that is to hold waits, and the job goes nowhere but stays`() throws {
        let bench = Bench { policy, _ in
            policy.stages[1].onGiveUp = .hold
            policy.stages[1].restart.maximum = 0
        }
        bench.start()
        try bench.read(10)
        let request = try bench.take(1)
        bench.say(
            .exited(
                request.worker,
                Death(
                    cause: .lost("it closed its pipes"), breadcrumbs: [Breadcrumb(dispatch: 999, begun: IndexRanges())])
            ))
        #expect(bench.scheduler.status.state == "holding")
        #expect(bench.deadline == nil)
        bench.say(.drain(reason: "asked to"))
        for _ in 0..<4 { bench.leave() }
        try? bench.read(0)
        for _ in 0..<4 { bench.leave() }
        #expect(bench.end == .interrupted("asked to"))
    }

    @Test func `a worker above its timeout is killed, a heartbeat puts that off`() throws {
        let bench = Bench { policy, _ in policy.stages[1].timeoutNanoseconds = 1_000_000_000 }
        bench.start()
        try bench.read(10)
        let request = try bench.take(1)
        #expect(bench.deadline == 1000)
        bench.wait(900)
        bench.say(.heartbeat(request.worker, request.dispatch))
        bench.wait(900)
        #expect(bench.killed.isEmpty)
        bench.wait(100)
        #expect(bench.killed == [request.worker])
    }

    @Test func `a worker above its memory limit is killed, and the category says so`() throws {
        let bench = Bench { policy, _ in policy.stages[1].memoryBytes = 100 }
        bench.start()
        try bench.read(1)
        for _ in 0..<2 {
            let request = try bench.take(1)
            bench.say(.memory(request.worker, bytes: 101))
            bench.say(
                .exited(
                    request.worker,
                    Death(
                        cause: .signal(9),
                        breadcrumbs: [Breadcrumb(dispatch: request.dispatch, begun: IndexRanges([0]))])))
        }
        #expect(bench.letters.map(\.category) == ["memory"])
    }

    @Test func `a standby that is ready takes over at once`() throws {
        let bench = Bench { policy, _ in policy.stages[1].standby = 1 }
        bench.start()
        try bench.read(10)
        try bench.die(1, on: [2])
        #expect(bench.has(1), "the batch is in the hands of the standby already")
        bench.wait(3)
        #expect(bench.state(1).workers.count == 2, "and another waits")
    }

    @Test func `an old worker is replaced between two batches`() throws {
        let bench = Bench { policy, _ in policy.stages[1].recycleAfterBatches = 1 }
        bench.start()
        try bench.read(10)
        try bench.answer(1)
        #expect(bench.closed.count == 1)
        try bench.read(10)
        #expect(bench.has(1))
        #expect(bench.state(1).crashes == 0)
    }

    @Test func `a worker that has grown too large is replaced between two batches`() throws {
        let bench = Bench { policy, _ in policy.stages[1].softMemoryBytes = 1000 }
        bench.start()
        let old = try #require(bench.state(1).workers.first?.id)
        try bench.read(3)
        bench.say(.memory(old, bytes: 2000))
        #expect(bench.closed.isEmpty, "it has a batch in hand")
        try bench.answer(1)
        #expect(bench.closed == [old])
    }

    @Test func `a verdict is in the log at once, and not with the rest of its batch`() throws {
        let bench = Bench { _, facts in facts[1].flags = [] }
        bench.start()
        try bench.read(4)
        while bench.letters.isEmpty {
            try bench.die(1)
            bench.wait(10_000)
        }
        #expect(!bench.commits.contains { $0.stage == 1 && $0.isWhole })
    }

    @Test func `deaths further back than the window do not count`() throws {
        let bench = Bench { policy, _ in
            policy.stages[1].restart.maximum = 2
            policy.stages[1].restart.withinNanoseconds = 30_000_000_000
        }
        bench.start()
        for _ in 0..<5 {
            let idle = try #require(bench.state(1).workers.first { $0.canServe }?.id)
            bench.say(.exited(idle, Death(cause: .signal(11))))
            bench.wait(20_000)
        }
        #expect(bench.scheduler.mode == .running && bench.state(1).crashes == 5)
        for _ in 0..<2 {
            let idle = try #require(bench.state(1).workers.first { $0.canServe }?.id)
            bench.say(.exited(idle, Death(cause: .signal(11))))
            bench.wait(1_000)
        }
        #expect(bench.state(1).hasGivenUp)
    }

    @Test func `a worker that does not leave when asked is killed after a grace`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(0, end: true)
        try bench.answer(2, kind: .sync)
        #expect(bench.closed.count == 3)
        bench.wait(5001)
        #expect(bench.killed.count == 3)
        for _ in 0..<4 { bench.leave() }
        #expect(bench.end == .complete)
    }

    @Test func `a plugin that was never loaded is refused, however long each try takes`() throws {
        let bench = Bench()
        bench.comesUp = { $0 != 1 }
        bench.start()
        // Each hangs for longer than the window in which deaths are counted.
        for _ in 0..<6 {
            let worker = try #require(bench.started.last { $0.stage == 1 }).worker
            bench.wait(61_000)
            #expect(bench.killed.contains(worker))
            bench.say(.exited(worker, Death(cause: .signal(9))))
            bench.wait(10_000)
        }
        bench.leave()
        guard case .refused(stage: 1, let message)? = bench.end else {
            Issue.record("it ended as \(String(describing: bench.end))")
            return
        }
        #expect(message.contains("its plugin cannot be loaded"), "\(message)")
        #expect(bench.opened.isEmpty, "nothing is opened before all plugins are known")
    }

    @Test func `where nothing passes, suspects are tried before the rest of their batch`() throws {
        let bench = Bench { policy, _ in policy.batchRecords = 1_000 }
        bench.start()
        try bench.read(1_000)
        try bench.read(1_000)
        var deaths = 0
        while bench.has(1) {
            let asked = bench.asked(try #require(bench.out.last { if case .process = $0.request { true } else { false } }).request)
            deaths += 1
            try bench.die(1, on: [try #require(asked.first)])
        }
        #expect(deaths <= 40, "\(deaths) deaths of 2,000 records that all kill")
        #expect(bench.notes.contains { if case .stageGaveUp = $0 { true } else { false } })
    }

    @Test func `what was written to the pipe some time ago is not held against the record in hand`() throws {
        let bench = Bench { policy, _ in policy.batchRecords = 100 }
        bench.start()
        try bench.read(100)
        var deaths = 0
        while bench.has(1) {
            let asked = bench.asked(try #require(bench.out.last { if case .process = $0.request { true } else { false } }).request)
            guard asked.contains(37) else {
                try bench.answer(1)
                continue
            }
            deaths += 1
            try bench.die(1, on: [try #require(asked.last)], .garbage("noise"))
        }
        #expect(bench.letters.map(\.input) == [37])
        #expect(deaths <= 8)
    }

    @Test func `a worker is recycled when its successor is ready, and gets nothing new from then on`() throws {
        let bench = Bench { policy, _ in policy.stages[1].recycleAfterBatches = 2 }
        bench.start()
        let old = try #require(bench.started.first { $0.stage == 1 }).worker
        bench.comesUp = { $0 != 1 }
        for _ in 0..<4 { try bench.read(3) }
        for _ in 0..<2 { try bench.answer(1) }
        let new = try #require(bench.started.last { $0.stage == 1 }).worker
        #expect(new != old)
        #expect(bench.closed.isEmpty, "the successor is not even loaded")
        bench.say(.loaded(new, bench.facts[1]))
        #expect(bench.closed.isEmpty, "the successor is not ready")
        #expect(bench.has(1), "the old one goes on meanwhile")
        bench.say(.ready(new))
        // What it had in its pipe it does; what comes now is the successor's.
        try bench.read(3)
        while let next = bench.out.first(where: { $0.worker == old }), case .process = next.request { try bench.answer(1) }
        #expect(bench.closed == [old])
        #expect(bench.scheduler.worker(new)?.canServe == true)
    }
}
