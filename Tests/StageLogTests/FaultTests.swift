import Glibc
import Testing

@testable import StageLog

@Suite struct FaultTests {
    let disk = SimulatedDisk()

    @Test func aFullDiskCostsNothingAndTheSameAppendSucceedsLater() throws {
        let (log, _) = try disk.openLog(segmentBytes: 4096)
        disk.capacity = 6000
        var batch: UInt64 = 1
        var failure: LogError?
        while failure == nil && batch < 100 {
            do {
                try log.appendWhole(batch, bytes: 300)
                batch += 1
            } catch let error as LogError { failure = error }
        }
        #expect(failure?.code == .full)
        #expect(failure?.errno == ENOSPC)
        #expect(failure?.description.contains("free some space") == true)
        #expect(log.committedThrough == batch - 1)
        #expect(throws: LogError.self) { try log.appendWhole(batch, bytes: 300) }
        disk.capacity = nil
        for batch in batch...batch + 20 { try log.appendWhole(batch, bytes: 300) }
        let again = try disk.openLog(segmentBytes: 4096)
        #expect(again.recovery.reports.isEmpty)
        #expect(again.log.committedThrough == batch + 20)
    }

    @Test func aFailedWriteThatCannotBeTakenBackIsTakenBackBeforeTheNext() throws {
        let (log, _) = try disk.openLog()
        try log.appendWhole(1)
        let next = disk.operations
        // A short write, its rest failing, and the truncation failing too.
        disk.faults = [next: .shortThenError(EIO), next + 2: .error(EIO)]
        #expect(throws: LogError.self) { try log.appendWhole(2, bytes: 5000) }
        try log.appendWhole(3)
        let again = try disk.openLog()
        #expect(again.recovery.reports.isEmpty)
        #expect(again.log.contains(1) && !again.log.contains(2) && again.log.contains(3))
    }

    @Test func afterAFailedSyncTheLogMustBeOpenedAgain() throws {
        let (log, _) = try disk.openLog()
        try log.appendWhole(1)
        disk.faults[disk.operations] = .error(EIO)
        let first = #expect(throws: LogError.self) { try log.sync() }
        #expect(first?.code == .io)
        let second = #expect(throws: LogError.self) { try log.appendWhole(2) }
        #expect(second?.code == .failed)
        #expect(throws: LogError.self) { try log.sync() }
        let again = try disk.openLog().log
        try again.appendWhole(2)
        #expect(again.committedThrough == 2)
    }

    @Test func aSegmentThatCannotBeUnlinkedIsTriedAgain() throws {
        let (log, _) = try disk.openLog(segmentBytes: 1024)
        for batch in 1...20 as ClosedRange<UInt64> { try log.appendWhole(batch, bytes: 200) }
        let bytes = log.bytesOnDisk
        let mark = disk.operations
        disk.faults[mark + 2] = .error(EIO)
        #expect(throws: LogError.self) { try log.retire(through: 20) }
        #expect(log.retiredThrough == 20)
        #expect(log.bytesOnDisk >= bytes)
        #expect(try log.retire(through: 20) > 0)
        #expect(log.bytesOnDisk < bytes / 4)
    }
}
