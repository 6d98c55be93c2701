import StageModel
import Testing

@testable import StageScheduler

@Suite struct DeathTallyTests {
    @Test func `a death keeps its time, its cause, its batch and the record that was in hand`() throws {
        let bench = Bench()
        bench.start()
        bench.wait(41)
        try bench.read(10)
        try bench.die(1, on: [5], .exit(3))
        let death = try #require(bench.state(1).tally.deaths.first)
        #expect(death.time == .now(Moment(nanoseconds: 42_000_000)))
        #expect((death.cause, death.exitCode, death.batch, death.index) == ("exit", 3, 1, 5))
        #expect(death.explanation == .open)
    }

    @Test func `deaths that a record explains are explained, all of them`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(10)
        try bench.die(1, on: [5])
        try bench.answer(1)
        try bench.die(1, on: [5])
        #expect(bench.state(1).tally.deaths.map(\.explanation) == [.found, .found])
        #expect(bench.state(1).tally.deaths.map(\.signal) == ["SIGSEGV", "SIGSEGV"])
        #expect(bench.state(1).unexplained == 0)
    }

    @Test func `a death that does not repeat is unexplained once its batch is done`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(10)
        try bench.die(1, on: [5], .signal(9))
        try bench.answer(1)
        #expect(bench.state(1).tally.deaths.map(\.explanation) == [.open])
        try bench.answer(1)
        #expect(bench.state(1).tally.deaths.map(\.explanation) == [.unexplained])
        #expect(bench.state(1).unexplained == 1)
    }

    @Test func `a death outside a batch is unexplained at once`() throws {
        let bench = Bench()
        bench.start()
        let source = try #require(bench.state(0).workers.first)
        bench.say(.exited(source.id, Death(cause: .signal(6))))
        #expect(bench.state(0).tally.deaths.map(\.explanation) == [.unexplained])
        #expect(bench.state(0).tally.deaths.first?.index == nil)
    }

    @Test func `the list is bounded, and the count is not`() {
        var tally = StageTally()
        for number in 0..<100 {
            tally.crashes += 1
            tally.add(DeathRecord(time: .earlier("then"), cause: "exit", message: "", worker: UInt64(number)))
        }
        #expect(tally.deaths.count == StageTally.kept)
        #expect(tally.deaths.last?.worker == 99)
        #expect(tally.unexplained == UInt64(100 - StageTally.kept))
    }

    @Test func `what earlier hosts have counted goes on`() throws {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        recovery.stages[1].tally.crashes = 7
        recovery.stages[1].tally.retries = 5
        recovery.stages[1].tally.add(DeathRecord(time: .earlier("yesterday"), cause: "SIGSEGV", message: "", worker: 3))
        let bench = Bench({ _, _ in }, recovery: recovery)
        bench.start()
        try bench.read(10)
        try bench.die(1, on: [5])
        let status = bench.scheduler.status.stages[1]
        #expect((status.crashes, status.retries, status.restarts) == (8, 5, 1))
        #expect(status.tally.deaths.map(\.explanation) == [.unexplained, .open])
    }
}
