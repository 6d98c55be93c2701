import Foundation
import StageLog
import StageScheduler
import Testing

@testable import StageRuntime

/// The dead letters of a complete job are tried again, with a repaired plugin; the host dies at every operation of its disk, in
/// turn, and another takes it up.
@Suite struct RetryCrashTests {
    private struct Outcome: Equatable {
        var rows: [String]
        var letters: [String]
        var counts: [Counts]

        init(_ run: SmallRun) {
            rows = run.sink.rows.sorted()
            // Which batch a letter is of depends on how often it was tried.
            letters = run.letters().map { "stage \($0.stage): \($0.key)" }.sorted()
            counts = run.counts
        }
    }

    private func complete() throws -> SmallRun {
        let run = SmallRun(SmallJob(isStateful: false), SimulatedDisk(), SmallSink())
        run.go()
        try #require(run.end == .complete)
        return run
    }

    private func again(_ run: SmallRun, _ loss: PowerLoss, seed: UInt64, storageLags: Bool) -> SmallRun {
        var sink = run.sink
        if loss == .allLost { sink.losePower() }
        sink.settle()
        let next = SmallRun(
            SmallJob(isStateful: false, storageLags: storageLags, isRepaired: true), run.disk.afterPowerLoss(loss, seed: seed), sink)
        next.triesAgain = true
        return next
    }

    @Test(arguments: [false, true]) func atEveryCrashPointEachIsWrittenOnce(_ storageLags: Bool) throws {
        let base = try complete()
        let undisturbed = again(base, .nothingLost, seed: 0, storageLags: storageLags)
        undisturbed.go()
        try #require(undisturbed.end == .complete)
        let operations = undisturbed.disk.operations
        let expected = Outcome(undisturbed)
        #expect(undisturbed.complaints == [])
        #expect(expected.letters == ["stage 0: key 8", "stage 3: key 10"])
        #expect(expected.counts[1] == Counts(inputs: 11, passed: 10, filtered: 1, failed: 0, outputs: 10))
        #expect(expected.rows.count > base.sink.rows.count)
        #expect(Set(expected.rows).count == expected.rows.count)

        var violations: [String] = []
        // With STAGEHOST_STORM each of them, else every third.
        let step = ProcessInfo.processInfo.environment["STAGEHOST_STORM"] == nil ? 3 : 1
        for operation in stride(from: storageLags ? 1 : 0, to: operations, by: step) {
            let first = again(base, .nothingLost, seed: 0, storageLags: storageLags)
            first.disk.faults[operation] = .powerLoss
            first.go()
            violations += first.complaints.map { "operation \(operation), before: \($0)" }
            for loss in [PowerLoss.nothingLost, .allLost] {
                let second = again(first, loss, seed: UInt64(operation), storageLags: storageLags)
                second.go()
                let name = "operation \(operation), \(loss)"
                violations += second.complaints.map { "\(name): \($0)" }
                guard second.end == .complete else {
                    violations.append("\(name): it ended as \(second.end.map { "\($0)" } ?? "nothing")")
                    continue
                }
                let found = Outcome(second)
                if found != expected { violations.append("\(name): found \(found)") }
            }
        }
        #expect(operations > 20)
        #expect(violations.isEmpty, "\(violations.count) violations\n\(violations.prefix(10).joined(separator: "\n"))")
    }
}
