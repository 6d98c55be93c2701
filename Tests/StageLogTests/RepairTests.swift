import Testing

@testable import StageLog

@Suite struct RepairTests {
    private func makeLog() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let (log, _) = try disk.openLog(segmentBytes: 1500)
        for batch in 1...12 as ClosedRange<UInt64> {
            if batch == 3 { try log.appendPartial(3, 1) }
            try log.appendWhole(batch, bytes: 200)
            try log.sync()
        }
        return disk
    }

    @Test func aLogWithoutDamageIsLeftAlone() throws {
        let disk = try makeLog()
        let before = disk.paths.map { disk.bytes($0) }
        let report = try StageLog.repair(disk: disk, folder: logFolder)
        #expect(report.rewritten.isEmpty && report.again.isEmpty)
        #expect(disk.paths.map { disk.bytes($0) } == before)
    }

    @Test func everyEntryButTheDamagedOneIsKept() throws {
        let disk = try makeLog()
        let damaged = disk.bytes(segmentPath(1)) ?? []
        disk.poke(segmentPath(1), at: 192 + 10) { $0 ^ 1 }
        let report = try StageLog.repair(disk: disk, folder: logFolder)
        #expect(report.again == [1...1])
        #expect(report.kept == [segmentPath(1) + ".broken"])
        #expect(disk.bytes(segmentPath(1) + ".broken")?.count == damaged.count)
        let (log, recovery) = try disk.openLog(segmentBytes: 1500)
        #expect(recovery.reports.isEmpty)
        #expect(log.beyond == Array(2...12))
        #expect(try log.outcome(of: 2) == [payload(2, 0, bytes: 200)])
        #expect(try log.outcome(of: 3).count == 2)
        try log.appendWhole(1)
        #expect(log.committedThrough == 12)
    }

    @Test func aWholeEntryGoesWhenItsPartsAreLost() throws {
        let disk = try makeLog()
        let part = try disk.copied().openLog(segmentBytes: 1500).log.entries(of: 3)[0]
        disk.poke(segmentPath(part.segment), at: Int(part.offset) + 64) { $0 ^ 1 }
        let report = try StageLog.repair(disk: disk, folder: logFolder)
        #expect(report.entriesDropped == 1)
        #expect(report.again == [3...3])
        #expect(try disk.openLog(segmentBytes: 1500).log.contains(3) == false)
    }

    @Test func aMissingSegmentBecomesAnEmptyOne() throws {
        let disk = try makeLog()
        let batches = Set(
            try SegmentSurvey(SegmentReader(disk, folder: logFolder, number: 2)).entries.map(\.header.entry.batch)
        )
        .subtracting([0]).sorted()
        disk.remove(segmentPath(2))
        let report = try StageLog.repair(disk: disk, folder: logFolder)
        #expect(report.again.flatMap { Array($0) } == batches)
        let log = try disk.openLog(segmentBytes: 1500).log
        for batch in 1...12 as ClosedRange<UInt64> { #expect(log.contains(batch) == !batches.contains(batch)) }
    }

    /// Whatever byte is damaged: after a repair the log opens, verifies, and has every batch that the damage did not
    /// touch.
    @Test func afterAnyFlippedByteARepairedLogOpens() throws {
        let disk = try makeLog()
        for path in disk.paths {
            for offset in stride(from: 0, to: disk.bytes(path)?.count ?? 0, by: storm > 1 ? 1 : 3) {
                let copy = disk.copied()
                copy.poke(path, at: offset) { $0 ^ 0x10 }
                let context: Comment = "\(path) byte \(offset)"
                let report = try StageLog.repair(disk: copy, folder: logFolder)
                #expect(report.again.reduce(0) { $0 + $1.count } <= 1, context)
                let (log, recovery) = try copy.openLog(segmentBytes: 1500)
                let lost = Set(report.again.flatMap { Array($0) })
                for batch in 1...12 as ClosedRange<UInt64> where !lost.contains(batch) {
                    if log.contains(batch) {
                        #expect(try log.outcome(of: batch).last == payload(batch, 0, bytes: 200), context)
                    } else {
                        #expect(batch == 12 && recovery.reports.map(\.kind) == [.tornTail], context)
                    }
                }
                #expect(try StageLog.verify(disk: copy, folder: logFolder).allSatisfy { $0.state == .whole }, context)
            }
        }
    }

    @Test func anInterruptedRepairIsDoneAgain() throws {
        let disk = try makeLog()
        disk.poke(segmentPath(1), at: 192 + 10) { $0 ^ 1 }
        disk.poke(segmentPath(2), at: 30) { $0 ^ 1 }
        var point = 0
        while true {
            let copy = disk.copied()
            copy.faults[point] = .powerLoss
            if (try? StageLog.repair(disk: copy, folder: logFolder)) != nil { break }
            for loss in PowerLoss.allCases {
                let left = copy.afterPowerLoss(loss, seed: UInt64(point))
                _ = try StageLog.repair(disk: left, folder: logFolder)
                #expect(try left.openLog(segmentBytes: 1500).log.beyond == Array(2...12), "\(loss) at \(point)")
            }
            point += 1
        }
        #expect(point > 8)
    }
}
