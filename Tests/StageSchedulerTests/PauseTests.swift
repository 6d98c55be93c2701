import StageModel
import Testing

@testable import StageScheduler

/// Pauses that say when they have come to rest, and workers that leave meanwhile.
@Suite struct PauseTests {
    /// A bench with one batch in hand, and a read.
    private func busy(workers: Int = 1) throws -> Bench {
        let bench = Bench { policy, _ in policy.stages[1].workers = workers }
        bench.start()
        try bench.read(10)
        return bench
    }

    private func finish(_ bench: Bench) throws {
        while bench.has(1) { try bench.answer(1) }
        if bench.has(0, .read) { try bench.read(10) }
    }

    @Test func `a pause is answered when nothing is in hand any more`() throws {
        let bench = try busy()
        bench.say(.pause(request: 7))
        #expect(bench.replies.map(\.isLast) == [false])
        try finish(bench)
        #expect(bench.replies.map(\.isLast) == [false, true] && bench.replies.allSatisfy { $0.ok && $0.request == 7 })
        #expect(bench.closed.isEmpty, "its workers stay")
        #expect(bench.scheduler.status.state == "paused")
        // Whoever asks now need not wait.
        bench.say(.pause(request: 8))
        #expect(bench.replies.count == 3 && bench.replies[2].isLast)
    }

    @Test func `who waits for a pause hears that somebody has resumed the job`() throws {
        let bench = try busy()
        bench.say(.pause(request: 7))
        bench.say(.unpause)
        #expect(bench.replies.last?.isLast == true && bench.replies.last?.ok == false)
        try finish(bench)
        #expect(bench.replies.count == 2)
    }

    @Test func `released workers leave when their batch is done, and others come when it goes on`() throws {
        let bench = try busy(workers: 2)
        bench.say(.pause(release: true, request: 7))
        let busy = bench.scheduler.stages.flatMap(\.workers).filter { !$0.outstanding.isEmpty }.map(\.id)
        #expect(!busy.isEmpty && !bench.closed.contains { busy.contains($0) })
        try finish(bench)
        bench.leave()
        #expect(bench.scheduler.stages.allSatisfy { $0.workers.isEmpty })
        #expect(bench.replies.map(\.isLast) == [false, true])
        #expect(bench.scheduler.status.stages.allSatisfy { $0.state == "released" && $0.workers == 0 })
        let before = bench.started.count
        bench.say(.unpause)
        #expect(bench.started.count == before + 4)
        // Nobody has died, and so nobody's place is taken.
        #expect(!bench.notes.contains { if case .workerRestarted = $0 { true } else { false } })
        try finish(bench)
        try bench.answer(2)
    }

    @Test func `a plain pause after one that released does not bring the workers back`() throws {
        let bench = try busy()
        bench.say(.pause(release: true))
        try finish(bench)
        bench.leave()
        let before = bench.started.count
        bench.say(.pause(request: 9))
        #expect(bench.started.count == before && bench.replies.last?.isLast == true)
    }

    @Test func `a sink is synced before its worker leaves`() throws {
        let bench = try busy()
        try bench.answer(1)
        try bench.answer(2)
        bench.say(.pause(release: true, request: 7))
        let sink = try #require(bench.state(2).workers.first?.id)
        #expect(bench.has(2, .sync) && !bench.closed.contains(sink))
        try bench.answer(2, kind: .sync, checkpoint: Checkpoint(position: 10))
        #expect(bench.closed.contains(sink))
        #expect(bench.commits.contains { $0.stage == 2 })
    }

    @Test func `more workers than before take nobody's place, and fewer standbys leave`() throws {
        let bench = try busy()
        var policy = bench.scheduler.policy
        policy.stages[1].workers = 4
        policy.stages[1].standby = 2
        bench.say(.policyChanged(policy))
        #expect(bench.state(1).workers.count { $0.isServing } == 4)
        #expect(bench.state(1).workers.count { $0.isStandby } == 2)
        #expect(!bench.notes.contains { if case .workerRestarted = $0 { true } else { false } })
        policy.stages[1].workers = 1
        policy.stages[1].standby = 0
        bench.say(.policyChanged(policy))
        #expect(bench.closed.count == 5)
        bench.leave()
        #expect(bench.state(1).workers.count == 1 && bench.has(1), "the one with a batch in hand stays")
        #expect(bench.state(1).crashes == 0 && bench.state(1).restarts == 0)
    }

    @Test func `a window does not change under what it holds`() throws {
        let bench = try busy()
        var policy = bench.scheduler.policy
        let before = bench.state(1).policy.window
        policy.stages[1].window = 1
        policy.stages[1].retry.attempts = 9
        bench.say(.policyChanged(policy))
        #expect(bench.state(1).policy.window == before && bench.state(1).policy.retry.attempts == 9)
    }
}
