import Glibc
import Testing

@testable import StageLog

@Suite struct StageLogTests {
    let disk = SimulatedDisk()

    @Test func aNewLogIsEmptyAndSaysThatItIsNew() throws {
        let (log, recovery) = try disk.openLog()
        #expect(recovery.reports.map(\.kind) == [.created])
        #expect(log.committedThrough == 0)
        #expect(log.beyond.isEmpty)
        #expect(log.totals == Totals())
        #expect(!log.contains(0))
        #expect(!log.contains(1))
    }

    @Test func whatWasAppendedIsReadBackAfterOpeningAgain() throws {
        let (log, _) = try disk.openLog()
        try log.appendWhole(1, bytes: 100)
        try log.appendWhole(3, bytes: 0)
        try log.appendWhole(2, bytes: 5000)
        for log in [log, try disk.openLog().log] {
            #expect(log.committedThrough == 3)
            #expect(try log.outcome(of: 1) == [payload(1, 0, bytes: 100)])
            #expect(try log.outcome(of: 2) == [payload(2, 0, bytes: 5000)])
            #expect(try log.outcome(of: 3) == [[]])
            #expect(try log.extra(of: log.entries(of: 2)[0]) == Array("checkpoint 2".utf8))
            #expect(log.totals == Totals(batches: 3, inputs: 9, passed: 6, filtered: 3, outputs: 6))
            #expect(log.lastWrite == 1_700_000_000)
            #expect(log.bytesOnDisk == UInt64(try #require(disk.bytes(segmentPath(1))).count))
        }
        #expect(try disk.openLog().recovery.reports.isEmpty)
    }

    @Test func batchesAreCommittedInAnyOrder() throws {
        let (log, _) = try disk.openLog()
        for batch in [5, 2, 7, 1] as [UInt64] { try log.appendWhole(batch) }
        #expect(log.committedThrough == 2)
        #expect(log.beyond == [5, 7])
        #expect(log.contains(5) && !log.contains(3) && !log.contains(6))
        let again = try disk.openLog().log
        #expect(again.committedThrough == 2)
        #expect(again.beyond == [5, 7])
        for batch in [3, 4, 6] as [UInt64] { try again.appendWhole(batch) }
        #expect(again.committedThrough == 7)
        #expect(again.beyond.isEmpty)
    }

    @Test func severalBuffersOfRecordsBecomeOneSection() throws {
        let (log, _) = try disk.openLog()
        let pieces: [[UInt8]] = (0..<1500).map { [UInt8(truncatingIfNeeded: $0)] }
        let joined = pieces.flatMap { $0 }
        let location = try unsafe joined.withUnsafeBytes { all in
            try unsafe log.append(
                LogEntry(.whole, batch: 1),
                records: (0..<1500).map { unsafe UnsafeRawBufferPointer(rebasing: all[$0..<$0 + 1]) },
                extra: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        #expect(try log.records(of: location) == joined)
        #expect(location.extraLength == 0)
    }

    // MARK: Parts

    @Test func partialEntriesArePendingUntilTheWholeOneComes() throws {
        let (log, _) = try disk.openLog()
        try log.appendPartial(1, 1)
        try log.appendPartial(2, 1)
        try log.appendPartial(1, 2)
        for log in [log, try disk.openLog().log] {
            #expect(!log.contains(1))
            #expect(log.entries(of: 1).isEmpty)
            #expect(
                try log.pending(of: 1).map { try log.records(of: $0) } == [
                    payload(1, 1, bytes: 24), payload(1, 2, bytes: 24),
                ])
            #expect(log.pendingBatches == [1, 2])
            #expect(log.totals == Totals())
        }
        let again = try disk.openLog().log
        try again.appendWhole(1)
        for log in [again, try disk.openLog().log] {
            #expect(log.contains(1))
            #expect(
                try log.outcome(of: 1) == [
                    payload(1, 1, bytes: 24), payload(1, 2, bytes: 24), payload(1, 0, bytes: 40),
                ])
            #expect(log.pending(of: 1).isEmpty)
            #expect(log.totals == Totals(batches: 1, inputs: 5, passed: 4, filtered: 1, outputs: 4))
        }
    }

    @Test func aBatchDoneAgainKeepsItsFormerOutcomeUntilTheNewOneIsWhole() throws {
        let (log, _) = try disk.openLog()
        try log.appendPartial(1, 1)
        try log.appendWhole(1)
        try log.appendPartial(1, 7)
        #expect(log.contains(1))
        #expect(try log.outcome(of: 1).count == 2)
        #expect(log.pending(of: 1).count == 1)
        #expect(log.totals == Totals(batches: 1, inputs: 4, passed: 3, filtered: 1, outputs: 3))
        try log.append(LogEntry(.whole, batch: 1, inputs: 2, passed: 2, outputs: 2), records: [9, 9])
        for log in [log, try disk.openLog().log] {
            #expect(try log.outcome(of: 1) == [payload(1, 7, bytes: 24), [9, 9]])
            #expect(log.totals == Totals(batches: 1, inputs: 3, passed: 3, outputs: 3))
            #expect(log.committedThrough == 1)
        }
    }

    // MARK: Checkpoints

    @Test func theNewestCheckpointIsFoundInOrderOfBatches() throws {
        let (log, _) = try disk.openLog()
        for (batch, checkpoint) in [(1, true), (4, true), (2, true), (3, false), (5, false)] as [(UInt64, Bool)] {
            try log.appendWhole(batch, checkpoint: checkpoint)
        }
        for log in [log, try disk.openLog().log] {
            #expect(log.lastCheckpoint(notAbove: 0) == nil)
            #expect(log.lastCheckpoint(notAbove: 1)?.entry.batch == 1)
            #expect(log.lastCheckpoint(notAbove: 3)?.entry.batch == 2)
            #expect(log.lastCheckpoint(notAbove: .max)?.entry.batch == 4)
        }
    }

    @Test func theCheckpointOfABatchDoneAgainReplacesTheFormerOne() throws {
        let (log, _) = try disk.openLog()
        try log.appendWhole(1, checkpoint: true)
        try log.append(LogEntry(.whole, batch: 1, flags: .hasCheckpoint), records: [], extra: [42])
        let found = try #require(log.lastCheckpoint(notAbove: 1))
        #expect(try log.extra(of: found) == [42])
    }

    // MARK: Segments

    @Test func aFullSegmentIsSealedAndOpeningReadsNoPayloadOfIt() throws {
        let (log, _) = try disk.openLog(segmentBytes: 4096)
        for batch in 1...50 as ClosedRange<UInt64> { try log.appendWhole(batch, bytes: 400) }
        #expect(disk.paths.count > 4)
        let (again, recovery) = try disk.openLog(segmentBytes: 4096)
        #expect(again.committedThrough == 50)
        #expect(recovery.verifiedBytes < 4096)
        for batch in 1...50 as ClosedRange<UInt64> {
            #expect(try again.outcome(of: batch) == [payload(batch, 0, bytes: 400)])
        }
    }

    @Test func anEntryLargerThanASegmentGetsOneOfItsOwn() throws {
        let (log, _) = try disk.openLog(segmentBytes: 1000)
        try log.appendWhole(1, bytes: 20)
        try log.appendWhole(2, bytes: 9000)
        try log.appendWhole(3, bytes: 20)
        #expect(disk.paths == [segmentPath(1), segmentPath(2), segmentPath(3)])
        #expect(try disk.openLog().log.outcome(of: 2) == [payload(2, 0, bytes: 9000)])
    }

    @Test func aSealedLogIsOpenedWithoutReadingAnything() throws {
        let (log, _) = try disk.openLog()
        for batch in 1...5 as ClosedRange<UInt64> { try log.appendWhole(batch) }
        try log.seal()
        try log.seal()
        #expect(disk.paths.count == 2)
        let (again, recovery) = try disk.openLog()
        #expect(again.committedThrough == 5)
        #expect(recovery.verifiedBytes <= 128)
    }

    // MARK: Retirement

    @Test func retiredSegmentsAreRemovedAndTheirCountsStay() throws {
        let (log, _) = try disk.openLog(segmentBytes: 2048)
        for batch in 1...40 as ClosedRange<UInt64> { try log.appendWhole(batch, bytes: 200) }
        let before = log.totals
        let bytes = log.bytesOnDisk
        let freed = try log.retire(through: 30)
        #expect(freed > 4000)
        #expect(log.bytesOnDisk < bytes - freed + 1000)
        for log in [log, try disk.openLog(segmentBytes: 2048).log] {
            #expect(log.totals == before)
            #expect(log.retiredThrough == 30)
            #expect(log.committedThrough == 40)
            #expect(log.contains(1))
            #expect(log.entries(of: 30).isEmpty)
            #expect(try log.outcome(of: 31) == [payload(31, 0, bytes: 200)])
        }
        #expect(disk.bytes(segmentPath(1)) == nil)
        let error = #expect(throws: LogError.self) { try log.appendWhole(7) }
        #expect(error?.code == .retired)
    }

    @Test func batchesThatAreNotAllWholeAreNotRetired() throws {
        let (log, _) = try disk.openLog(segmentBytes: 1024)
        for batch in 1...20 as ClosedRange<UInt64> where batch != 8 { try log.appendWhole(batch, bytes: 200) }
        try log.retire(through: 20)
        #expect(log.retiredThrough <= 7)
        #expect(try log.outcome(of: 9) == [payload(9, 0, bytes: 200)])
        try log.appendWhole(8)
        try log.retire(through: 20)
        #expect(log.retiredThrough == 20)
    }

    @Test func theLastCheckpointSurvivesTheSegmentThatItWasIn() throws {
        let (log, _) = try disk.openLog(segmentBytes: 1024)
        for batch in 1...30 as ClosedRange<UInt64> { try log.appendWhole(batch, bytes: 200, checkpoint: batch <= 3) }
        try log.retire(through: 10)
        try log.retire(through: 25)
        for log in [log, try disk.openLog(segmentBytes: 1024).log] {
            let found = try #require(log.lastCheckpoint(notAbove: 30))
            #expect(found.entry.batch == 3)
            #expect(try log.extra(of: found) == Array("checkpoint 3".utf8))
            #expect(log.totals.batches == 30)
        }
    }

    @Test func correctionsOfTheTotalsAreKept() throws {
        let (log, _) = try disk.openLog()
        try log.appendWhole(1)
        try log.correct(by: Totals(passed: 1, filtered: -1))
        for log in [log, try disk.openLog().log] {
            #expect(log.totals == Totals(batches: 1, inputs: 3, passed: 3, outputs: 2))
        }
    }

    // MARK: Refusals

    @Test func aLogOfAnotherJobIsRefused() throws {
        _ = try disk.openLog()
        let error = #expect(throws: LogError.self) {
            try StageLog.open(disk: disk, folder: logFolder, options: LogOptions(identity: 7))
        }
        #expect(error?.code == .foreign)
    }

    @Test func lookingAtAFolderWithoutALogIsRefusedAndMakesNone() throws {
        try disk.createFolder(logFolder)
        let error = #expect(throws: LogError.self) { try disk.openLog(readOnly: true) }
        #expect(error?.code == .missing)
        #expect(disk.paths.isEmpty)
    }

    @Test func lookingChangesNothing() throws {
        let (log, _) = try disk.openLog()
        try log.appendWhole(1)
        try log.appendWhole(2)
        disk.cut(segmentPath(1), to: try #require(disk.bytes(segmentPath(1))).count - 20)
        let before = disk.bytes(segmentPath(1))
        let (seen, recovery) = try disk.openLog(readOnly: true)
        #expect(seen.committedThrough == 1)
        #expect(recovery.reports.map(\.kind) == [.tornTail])
        #expect(disk.bytes(segmentPath(1)) == before)
        #expect(throws: LogError.self) { try seen.appendWhole(2) }
    }

    @Test func sectionsAreReadIntoBuffersOfTheirLengthOnly() throws {
        let (log, _) = try disk.openLog()
        let place = try log.appendWhole(1, bytes: 40)
        var buffer = [UInt8](repeating: 0, count: 41)
        let none = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
        let error = #expect(throws: LogError.self) {
            try unsafe buffer.withUnsafeMutableBytes { unsafe try log.read(place, records: $0, extra: none) }
        }
        #expect(error?.code == .misuse)
        try unsafe buffer.withUnsafeMutableBytes { all in
            let exact = unsafe UnsafeMutableRawBufferPointer(rebasing: all[..<40])
            unsafe try log.read(place, records: exact, extra: none)
        }
        #expect(Array(buffer.prefix(40)) == payload(1, 0, bytes: 40))
    }

    @Test func aPlaceInARetiredSegmentIsRefused() throws {
        let (log, _) = try disk.openLog(segmentBytes: 1024)
        for batch in 1...20 as ClosedRange<UInt64> { try log.appendWhole(batch, bytes: 200) }
        let place = log.entries(of: 1)[0]
        try log.retire(through: 20)
        let error = #expect(throws: LogError.self) { try log.records(of: place) }
        #expect(error?.code == .retired)
    }

    @Test func entriesOfOtherKindsAndBatchZeroAreNotAppended() throws {
        let (log, _) = try disk.openLog()
        for entry in [LogEntry(.mark, batch: 1), LogEntry(.seal, batch: 1), LogEntry(.whole, batch: 0)] {
            let error = #expect(throws: LogError.self) { try log.append(entry, records: []) }
            #expect(error?.code == .misuse)
        }
    }
}
