import StageModel
import Testing

@testable import StageScheduler

/// Flow, drain, resume, and how runs end.
@Suite struct RunTests {
    /// Does whatever is asked until nothing is left.
    private func complete(_ bench: Bench, batches: Int) throws {
        var left = batches
        for _ in 0..<1000 where bench.end == nil {
            if bench.has(0, .read) {
                try bench.read(left > 0 ? 3 : 0, end: left == 0)
                left -= 1
            } else if bench.has(1) {
                try bench.answer(1)
            } else if bench.has(2) {
                try bench.answer(2)
            } else if bench.has(2, .sync) {
                try bench.answer(2, kind: .sync)
            } else {
                bench.leave()
            }
        }
    }

    @Test func `a run is complete when the sink has made everything durable and all have left`() throws {
        let bench = Bench()
        bench.start()
        try complete(bench, batches: 3)
        #expect(bench.end == .complete)
        let status = bench.scheduler.status
        #expect(status.state == "complete" && status.read == 9 && status.written == 9 && status.atRisk == 0)
    }

    @Test func `a source without records completes`() throws {
        let bench = Bench()
        bench.start()
        try complete(bench, batches: 0)
        #expect(bench.end == .complete)
    }

    @Test func `the record limit ends the input`() throws {
        let bench = Bench { policy, _ in policy.recordLimit = 4 }
        bench.start()
        try bench.read(3)
        guard case .read(_, let count, _, _, _) = try #require(bench.out.last).request else { return }
        #expect(count == 1)
        try bench.read(1)
        #expect(!bench.has(0, .read))
        #expect(bench.scheduler.status.sourceHasEnded)
    }

    @Test func `a drain finishes what is in hand, drops what waits for a retry, and can be resumed`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(3)
        try bench.answer(
            1, failures: [RecordFailure(input: 1, kind: .transient, retryAfterMilliseconds: 3_600_000, message: "busy")]
        )
        bench.say(.drain(reason: "asked to"))
        try bench.read(3)
        for _ in 0..<6 { bench.leave() }
        #expect(bench.end == .interrupted("asked to"))
        #expect(!bench.commits.contains { $0.stage == 1 && $0.isWhole })
    }

    @Test func `a pause hands out nothing, an unpause goes on`() throws {
        let bench = Bench()
        bench.start()
        bench.say(.pause())
        try bench.read(3)
        #expect(!bench.has(1) && !bench.has(0, .read))
        #expect(bench.scheduler.status.state == "paused")
        #expect(bench.deadline == nil)
        bench.say(.unpause)
        #expect(bench.has(1))
    }

    @Test func `a full disk pauses the job, and room lets it go on by itself`() throws {
        let bench = Bench()
        bench.start()
        bench.say(.storageStalled("no space left"))
        try bench.read(3)
        #expect(!bench.has(1))
        bench.say(.storageRecovered)
        #expect(bench.has(1))
    }

    @Test func `the source is held back by the window`() throws {
        let bench = Bench { policy, _ in
            for index in policy.stages.indices { policy.stages[index].window = 2 }
        }
        bench.start()
        var reads = 0
        while bench.has(0, .read) {
            try bench.read(3)
            reads += 1
        }
        #expect(reads == 4, "two at the stage, two at the source")
    }

    @Test func `after a restart only the missing records of a batch are handed out`() throws {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        recovery.stages[0].committed = CommittedSet(through: 1)
        recovery.stages[0].counts = Counts(inputs: 5, passed: 5, filtered: 0, failed: 0, outputs: 5)
        recovery.sourceCounts = [5]
        recovery.stages[1].partials[1] = RecoveredPartial(
            covered: IndexRanges([0, 1, 3]), passed: 3, failed: 0, outputs: [])
        let bench = Bench(recovery: recovery)
        bench.start()
        guard case .read(_, let count, _, let identifier, let exact) = try #require(bench.out.first).request else {
            return
        }
        #expect(count == 5 && identifier == 0 && exact)
        try bench.read(5)
        #expect(try bench.answer(1) == [2, 4])
    }

    @Test func `a source that delivers something else than before is found out`() throws {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        recovery.stages[0].committed = CommittedSet(through: 1)
        recovery.sourceCounts = [5]
        let bench = Bench(recovery: recovery)
        bench.start()
        try bench.read(4)
        guard case .draining(.wrongInput, _) = bench.scheduler.mode else {
            if case .ending(.wrongInput, _) = bench.scheduler.mode { return }
            Issue.record("it goes on: \(bench.scheduler.mode)")
            return
        }
    }

    @Test func `a first batch that is read again begins behind what is skipped`() throws {
        var recovery = Recovery(stages: [RecoveredStage(), RecoveredStage(), RecoveredStage()])
        recovery.stages[0].committed = CommittedSet(through: 1)
        recovery.stages[0].counts = Counts(inputs: 5, passed: 5, filtered: 0, failed: 0, outputs: 5)
        recovery.sourceCounts = [5]
        let bench = Bench({ policy, _ in policy.skipRecords = 7 }, recovery: recovery)
        bench.start()
        guard case .read(_, let skipped, _, let first, let isExact) = try #require(bench.out.first).request else { return }
        #expect(skipped == 7 && first == 0 && !isExact)
        try bench.read(7)
        guard case .read(_, let count, _, let next, let isReread) = try #require(bench.out.first).request else { return }
        #expect(count == 5 && next == 7 && isReread)
    }

    @Test func `a source is not recycled while it passes over what is skipped`() throws {
        let bench = Bench { policy, _ in
            policy.skipRecords = 25
            policy.stages[0].recycleAfterBatches = 1
        }
        bench.start()
        for _ in 0..<2 { try bench.read(10) }
        try bench.read(5)
        #expect(bench.started.count { $0.stage == 0 } == 1, "nothing was read yet")
        try bench.read(10)
        try bench.read(10)
        #expect(bench.state(0).counts.inputs == 20)
        #expect(bench.closed.count == 1)
    }

    @Test func `a drain brings the batch that a sink has begun to its end`() throws {
        let bench = Bench()
        bench.start()
        try bench.read(3)
        try bench.answer(1)
        try bench.answer(2, failures: [RecordFailure(input: 1, kind: .transient, message: "busy")])
        bench.say(.drain(reason: "asked to"))
        try bench.read(0)
        #expect(bench.end == nil && bench.deadline != nil)
        bench.wait(1_000)
        #expect(try bench.answer(2) == [1])
        try bench.answer(2, kind: .sync)
        for _ in 0..<6 { bench.leave() }
        #expect(bench.end == .interrupted("asked to"))
        #expect(bench.commits.contains { $0.stage == 2 && $0.isWhole })
    }

    @Test func `a plugin in the wrong place is refused`() throws {
        let bench = Bench { _, facts in facts[1].kind = .sink }
        bench.start()
        for _ in 0..<4 { bench.leave() }
        guard case .refused(stage: 1, let message) = bench.end else {
            Issue.record("it ended as \(String(describing: bench.end))")
            return
        }
        #expect(message.contains("stands where a transform belongs"))
    }

    @Test func `records at risk are those in hand and those on their way to a log`() throws {
        let bench = Bench()
        bench.appendsAtOnce = false
        bench.start()
        try bench.read(5)
        let afterRead = bench.scheduler.status.atRisk
        bench.say(.appended(stage: 0, batch: 1))
        #expect(bench.scheduler.status.atRisk == 5)
        #expect(afterRead == 10)
        try bench.answer(1)
        #expect(bench.scheduler.status.atRisk == 5)
        bench.say(.appended(stage: 1, batch: 1))
        try bench.answer(2, checkpoint: Checkpoint(position: 5))
        #expect(bench.scheduler.status.atRisk == 5, "written, but not synced")
    }

    @Test func `the cost of an event does not grow with the number of batches`() throws {
        let bench = Bench()
        bench.start()
        for _ in 0..<500 {
            try bench.read(3)
            try bench.answer(1)
            try bench.answer(2, checkpoint: Checkpoint(position: 1))
            bench.wait(201)
            if bench.has(2, .sync) { try bench.answer(2, kind: .sync) }
        }
        for stage in bench.scheduler.stages {
            #expect(
                stage.works.isEmpty && stage.finished.count <= 1 && stage.replayable.isEmpty && stage.unsynced.isEmpty)
            #expect(stage.appending.isEmpty && stage.committed.beyond.isEmpty && stage.committed.through >= 499)
        }
    }
}
