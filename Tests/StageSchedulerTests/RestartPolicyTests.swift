import StageModel
import Testing

@testable import StageScheduler

/// When a worker that died is replaced, and when no more.
@Suite struct RestartPolicyTests {
    /// A bench whose transform dies idle, which counts at once.
    private func bench(_ change: (inout StagePolicy) -> Void) -> Bench {
        let bench = Bench { policy, _ in
            policy.stages[1].restart.jitter = 0
            change(&policy.stages[1])
        }
        bench.start()
        return bench
    }

    /// Kills the worker while it has nothing in hand. Returns the pause until the next one starts, in milliseconds; nil: none
    /// does.
    @discardableResult private func die(_ bench: Bench, _ cause: DeathCause = .signal(11)) throws -> UInt64? {
        let worker = try #require(bench.state(1).workers.first)
        bench.say(.exited(worker.id, Death(cause: cause)))
        var waited: UInt64 = 0
        while bench.state(1).workers.isEmpty {
            guard !bench.state(1).hasGivenUp, !bench.state(1).isHeld, let pause = bench.deadline else { return nil }
            bench.wait(max(pause, 1))
            waited += max(pause, 1)
        }
        return waited
    }

    @Test func `the first restart comes at once, the next ones after pauses that grow by factor up to max_backoff`() throws {
        let bench = bench {
            $0.restart.maximum = 100
            $0.restart.backoffNanoseconds = 100_000_000
            $0.restart.factor = 3
            $0.restart.maximumBackoffNanoseconds = 1_000_000_000
        }
        #expect(try (0..<6).map { _ in try die(bench) } == [0, 100, 300, 900, 1_000, 1_000])
    }

    @Test func `jitter keeps a pause within its share`() throws {
        let bench = bench {
            $0.restart.maximum = 100
            $0.restart.jitter = 0.5
            $0.restart.factor = 1
            $0.restart.backoffNanoseconds = 1_000_000_000
        }
        try die(bench)
        let pauses = try (0..<20).map { _ in try #require(try die(bench)) }
        #expect(pauses.allSatisfy { (499...1_501).contains($0) })
        #expect(Set(pauses).count > 10)
    }

    @Test func `more than max deaths within the window end the stage, and not before`() throws {
        let bench = bench {
            $0.restart.maximum = 2
            $0.restart.backoffNanoseconds = 0
        }
        #expect(try die(bench) != nil)
        #expect(try die(bench) != nil)
        #expect(try die(bench) == nil)
        #expect(bench.state(1).hasGivenUp)
        #expect(bench.state(1).giveUpMessage.hasPrefix("3 deaths within 30 s, more than 2"))
    }

    @Test func `deaths further apart than the window do not add up`() throws {
        let bench = bench {
            $0.restart.maximum = 1
            $0.restart.withinNanoseconds = 1_000_000_000
        }
        for _ in 0..<10 {
            #expect(try die(bench) != nil)
            bench.wait(1_500)
        }
        #expect(!bench.state(1).hasGivenUp)
    }

    private func patient(_ change: (inout JobPolicy, inout [PluginFacts]) -> Void) -> Bench {
        let bench = Bench { policy, facts in
            policy.stages[1].restart.maximum = 1
            policy.stages[1].restart.withinNanoseconds = 1_000_000_000
            policy.stages[1].restart.backoffNanoseconds = 0
            change(&policy, &facts)
        }
        bench.start()
        return bench
    }

    @Test func `deaths at a finish end the stage, however far apart they are`() throws {
        let bench = patient { _, facts in facts[1].functions.insert(.finish) }
        try bench.read(0, end: true)
        for death in 1...11 {
            #expect(!bench.state(1).hasGivenUp, "after \(death - 1)")
            bench.wait(2_000)
            let worker = try #require(bench.state(1).workers.first { $0.outstanding.contains { $0.kind == .finish } })
            bench.say(.exited(worker.id, Death(cause: .signal(11))))
        }
        #expect(bench.state(1).giveUpMessage.hasPrefix("11 workers in a row died at work, and nothing new came into its log in between"))
    }

    @Test func `deaths far apart end no stage whose log goes on in between`() throws {
        let bench = patient { policy, _ in policy.stages[1].onDeath["SIGSEGV"] = .restart }
        for _ in 0..<3 {
            try bench.read(10)
            for _ in 0..<10 {
                try bench.die(1)
                bench.wait(2_000)
            }
            #expect(try bench.answer(1).count == 10)
        }
        #expect(!bench.state(1).hasGivenUp)
    }

    @Test func `a worker that has lived for reset_after begins a new count of pauses`() throws {
        let bench = bench {
            $0.restart.maximum = 100
            $0.restart.backoffNanoseconds = 100_000_000
            $0.restart.resetAfterNanoseconds = 10_000_000_000
        }
        #expect(try (0..<3).map { _ in try die(bench) } == [0, 100, 200])
        bench.wait(10_000)
        #expect(try die(bench) == 0)
    }

    @Test func `work that passes begins a new count of pauses, too`() throws {
        let bench = bench { $0.restart.maximum = 100 }
        #expect(try (0..<2).map { _ in try die(bench) } == [0, 50])
        try bench.read(1)
        try bench.answer(1)
        #expect(try die(bench) == 0)
    }

    static let causes: [(cause: DeathCause, name: String)] = [
        (.signal(11), "SIGSEGV"), (.signal(6), "SIGABRT"), (.signal(9), "SIGKILL"), (.exit(3), "exit"), (.timeout, "timeout"),
        (.memory, "memory"), (.garbage("x"), "protocol"),
    ]

    @Test(arguments: causes) func `by cause: restart blames no record, however often it dies of it`(_ row: (cause: DeathCause, name: String)) throws {
        let bench = bench {
            $0.onDeath[row.name] = .restart
            $0.restart.maximum = 100
        }
        try bench.read(1)
        for _ in 0..<20 {
            try bench.die(1, on: [0], row.cause)
            bench.wait(60_000)
        }
        #expect(bench.letters.isEmpty)
        #expect(try bench.answer(1) == [0])
    }

    @Test(arguments: causes) func `by cause: stop ends the job at the first death of it`(_ row: (cause: DeathCause, name: String)) throws {
        let bench = bench { $0.onDeath[row.name] = .stop }
        try bench.read(1)
        try bench.die(1, on: [0], row.cause)
        #expect(bench.state(1).hasGivenUp)
        #expect(bench.letters.isEmpty)
        try bench.read(0)
        for _ in 0..<4 { bench.leave() }
        guard case .gaveUp(1, _) = bench.end else {
            Issue.record("\(String(describing: bench.end))")
            return
        }
    }

    @Test(arguments: causes) func `by cause: hold keeps the job, and another cause is treated as ever`(_ row: (cause: DeathCause, name: String)) throws {
        let bench = bench {
            $0.onDeath[row.name] = .hold
            $0.restart.maximum = 100
        }
        try bench.read(2)
        try bench.die(1, on: [0], .signal(4))
        #expect(!bench.state(1).isHeld)
        try bench.die(1, on: [1], row.cause)
        #expect(bench.state(1).isHeld)
        #expect(bench.scheduler.status.state == "holding")
        #expect(bench.end == nil)
    }

    @Test(arguments: causes) func `by default every cause is poison if it repeats`(_ row: (cause: DeathCause, name: String)) throws {
        let bench = bench { $0.restart.maximum = 100 }
        try bench.read(1)
        var deaths = 0
        while bench.letters.isEmpty, deaths < 10 {
            try bench.die(1, on: [0], row.cause)
            deaths += 1
            bench.wait(60_000)
        }
        // A kill from outside says less than a fault of its own.
        #expect(deaths == (row.name == "SIGKILL" ? 5 : 2))
    }

    @Test func `while a stage waits to be restarted everything else is heard`() throws {
        let bench = bench {
            $0.restart.backoffNanoseconds = 3_600_000_000_000
            $0.restart.maximumBackoffNanoseconds = 3_600_000_000_000
        }
        for _ in 0..<2 {
            let worker = try #require(bench.state(1).workers.first)
            bench.say(.exited(worker.id, Death(cause: .signal(11))))
        }
        #expect(bench.scheduler.status.stages[1].state == "restarting")
        bench.say(.pause())
        #expect(bench.scheduler.status.state == "paused")
        bench.say(.unpause)
        try bench.read(1)
        bench.say(.drain(reason: "asked to"))
        try bench.read(0)
        for _ in 0..<4 { bench.leave() }
        #expect(bench.end == .interrupted("asked to"))
    }
}
