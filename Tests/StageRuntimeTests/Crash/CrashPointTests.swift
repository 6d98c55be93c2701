import Foundation
import StageLog
import StageScheduler
import Testing

@testable import StageRuntime

/// A small job is killed at every operation of its disk, in turn, and taken up by a new host on what is left.
///
/// With STAGEHOST_STORM=n: every way to lose power at every operation, those that depend on chance with n seeds, and the
/// death of the second host, too; STAGEHOST_SHARD=0/8 and so on does it in eight parts.
@Suite struct CrashPointTests {
    private static let seeds = ProcessInfo.processInfo.environment["STAGEHOST_STORM"].flatMap(Int.init) ?? 0
    private static var isStorm: Bool { seeds > 0 }
    /// "2/8": the third of eight parts, for a storm that is too long for one sitting.
    private static let shard: (part: Int, of: Int) = {
        let words = ProcessInfo.processInfo.environment["STAGEHOST_SHARD"]?.split(separator: "/").compactMap { Int($0) }
        guard let words, words.count == 2, words[1] > 0, 0..<words[1] ~= words[0] else { return (0, 1) }
        return (words[0], words[1])
    }()
    private static func isMine(_ number: Int) -> Bool { number % shard.of == shard.part }

    static let jobs =
        [SmallJob(), SmallJob(isStateful: false, storageLags: true)]
        + (isStorm ? [SmallJob(storageLags: true), SmallJob(isStateful: false)] : [])

    /// What is tried at an operation: always the death of the host alone, and then this and that power loss in turn.
    private static func losses(at operation: Int) -> [(PowerLoss, seed: UInt64)] {
        let gentle: [PowerLoss] = [.prefixKept, .sectorsAndNamesKept, .lastWriteTorn, .sectorsKept]
        if isStorm {
            let random = gentle.flatMap { loss in (0..<seeds).map { (loss, seed: UInt64(operation + $0)) } }
            return [(.nothingLost, 0), (.allLost, 0)] + random
        }
        let loss = operation % 2 == 0 ? PowerLoss.allLost : gentle[operation / 2 % 4]
        return [(.nothingLost, 0), (loss, UInt64(operation))]
    }

    private struct Undisturbed {
        var rows: [String]
        var letters: [SmallLetter]
        var counts: [Counts]
        var operations: Int
    }

    private func undisturbed(_ job: SmallJob) throws -> Undisturbed {
        let run = SmallRun(job, SimulatedDisk(), SmallSink())
        run.go()
        try #require(run.end == .complete)
        let operations = run.disk.operations
        let letters = run.letters()
        #expect(run.complaints == [])
        // The logs were rotated and let go of, or their crashes would not be tried.
        #expect(run.retired > 0)
        return Undisturbed(rows: run.sink.rows, letters: letters, counts: run.counts, operations: operations)
    }

    @Test(arguments: jobs) func undisturbedItDoesWhatItSays(_ job: SmallJob) throws {
        let found = try undisturbed(job)
        #expect(
            found.letters == [
                SmallLetter(stage: 0, batch: 3, index: 0, key: "key 8"),
                SmallLetter(stage: 1, batch: 2, index: 1, key: "key 4"),
                SmallLetter(stage: 3, batch: 4, index: 2, key: "key 10"),
            ])
        #expect(found.counts[0] == Counts(inputs: 12, passed: 11, filtered: 0, failed: 1, outputs: 11))
        #expect(found.counts[1] == Counts(inputs: 11, passed: 9, filtered: 1, failed: 1, outputs: 9))
        #expect(found.rows.count == 15)
        #expect(found.rows[0] == (job.isStateful ? "0 key 0: v0 clean part 0 number 1" : "0 key 0: v0 clean part 0"))
    }

    @Test(arguments: jobs) func atEveryCrashPointNothingIsLostAndNothingDoneTwice(_ job: SmallJob) throws {
        let expected = try undisturbed(job)
        var violations: [String] = []
        for operation in 0..<expected.operations where Self.isMine(operation) {
            let first = SmallRun(job, SimulatedDisk(), SmallSink())
            first.disk.faults[operation] = .powerLoss
            first.go()
            if !first.disk.isDead { violations.append("operation \(operation): the disk did not die") }
            violations += first.complaints.map { "operation \(operation), before: \($0)" }
            for (loss, seed) in Self.losses(at: operation) {
                violations += resume(first, loss, seed, expected).map {
                    "operation \(operation), \(loss), seed \(seed): \($0)"
                }
            }
        }
        report(violations, job)
    }

    @Test(.enabled(if: isStorm), arguments: jobs) func soItIsWhenTheSecondHostDiesToo(_ job: SmallJob) throws {
        let expected = try undisturbed(job)
        var violations: [String] = []
        for operation in stride(from: 3, to: expected.operations, by: 13) where Self.isMine(operation / 13) {
            for loss in [PowerLoss.nothingLost, .sectorsAndNamesKept] {
                let first = SmallRun(job, SimulatedDisk(), SmallSink())
                first.disk.faults[operation] = .powerLoss
                first.go()
                for later in stride(from: operation % 5, to: expected.operations, by: 5) {
                    let second = successor(of: first, loss, 1)
                    second.disk.faults[later] = .powerLoss
                    second.go(expecting: loss == .nothingLost ? first.appended : first.synced)
                    guard second.disk.isDead else { break }
                    let name = "operations \(operation) and \(later), \(loss)"
                    violations += second.complaints.map { "\(name), before: \($0)" }
                    violations += resume(second, loss, 2, expected).map { "\(name): \($0)" }
                }
            }
        }
        report(violations, job)
    }

    private func report(_ violations: [String], _ job: SmallJob) {
        let isClean = violations.isEmpty
        #expect(
            isClean, "\(job): \(violations.count) violations\n\(violations.prefix(40).joined(separator: "\n"))")
    }

    /// A host that finds what a dead one left behind.
    private func successor(of dead: SmallRun, _ loss: PowerLoss, _ seed: UInt64) -> SmallRun {
        var sink = dead.sink
        // What a file system writes by itself may have reached the disk, or not.
        if loss == .allLost || loss != .nothingLost && seed % 2 == 0 { sink.losePower() }
        if loss != .nothingLost { sink.settle() }
        return SmallRun(dead.job, dead.disk.afterPowerLoss(loss, seed: seed), sink)
    }

    /// Takes up the job to its end; returns the promises that were broken.
    private func resume(_ dead: SmallRun, _ loss: PowerLoss, _ seed: UInt64, _ expected: Undisturbed) -> [String] {
        let run = successor(of: dead, loss, seed)
        run.go(expecting: loss == .nothingLost ? dead.appended : dead.synced)
        guard run.end == .complete else {
            return run.complaints + ["P1: it ended as \(run.end.map { "\($0)" } ?? "nothing")"]
        }
        let letters = run.letters()
        var found = run.complaints
        if letters != expected.letters { found.append("P1: the letters are \(letters)") }
        if run.counts != expected.counts { found.append("P1: the counts are \(run.counts)") }
        if run.sink.rows != expected.rows { found.append("P2: the sink has \(run.sink.rows)") }
        return found
    }
}
