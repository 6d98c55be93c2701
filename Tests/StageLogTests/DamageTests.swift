import Testing

@testable import StageLog

/// One case for each corner of the format.
@Suite struct DamageTests {
    let disk = SimulatedDisk()

    /// Three segments: two sealed, an open one; synced after every batch, so that damage in the middle is known as
    /// such.
    private func makeLog(batches: UInt64 = 12) throws {
        let (log, _) = try disk.openLog(segmentBytes: 1500)
        for batch in 1...batches {
            try log.appendWhole(batch, bytes: 200)
            try log.sync()
        }
        #expect(disk.paths.count == 3)
    }

    private func length(_ segment: UInt64) -> Int { disk.bytes(segmentPath(segment))?.count ?? 0 }

    /// The refusal, after a check that nothing was modified by it.
    private func refusal() throws -> LogError {
        let before = disk.paths.map { disk.bytes($0) }
        let error = try #require(#expect(throws: LogError.self) { try disk.openLog(segmentBytes: 1500) })
        #expect(disk.paths.map { disk.bytes($0) } == before)
        return error
    }

    @Test func aHalfWrittenEntryIsCutOff() throws {
        try makeLog()
        let whole = length(3)
        disk.cut(segmentPath(3), to: whole - 30)
        let (log, recovery) = try disk.openLog(segmentBytes: 1500)
        let report = try #require(recovery.reports.first)
        #expect(report.kind == .tornTail)
        #expect(report.file == segmentPath(3))
        #expect(report.offset + report.droppedBytes == UInt64(whole - 30))
        #expect(log.committedThrough == 11)
        #expect(length(3) == Int(report.offset))
        try log.appendWhole(12)
        #expect(try disk.openLog(segmentBytes: 1500).recovery.reports.isEmpty)
    }

    @Test(arguments: [[UInt8](repeating: 0, count: 5000), payload(1, 1, bytes: 700), [0x53], [0x53, 0x45, 1, 0]])
    func zerosAndGarbageBehindTheLastEntryAreCutOff(_ tail: [UInt8]) throws {
        try makeLog()
        let content = disk.bytes(segmentPath(3)) ?? []
        disk.place(content + tail, at: segmentPath(3))
        let (log, recovery) = try disk.openLog(segmentBytes: 1500)
        #expect(recovery.droppedBytes == UInt64(tail.count))
        #expect(log.committedThrough == 12)
        #expect(disk.bytes(segmentPath(3)) == content)
    }

    @Test func aLastEntryWithADamagedPayloadIsCutOff() throws {
        try makeLog()
        disk.poke(segmentPath(3), at: length(3) - 100) { $0 ^ 1 }
        let (log, recovery) = try disk.openLog(segmentBytes: 1500)
        #expect(recovery.reports.map(\.kind) == [.tornTail])
        #expect(log.committedThrough == 11)
    }

    @Test func entriesThatWereNeverSyncedGoWithTheHoleBeforeThem() throws {
        let (log, _) = try disk.openLog()
        var offsets: [Int] = []
        for batch in 1...5 as ClosedRange<UInt64> { offsets.append(Int(try log.appendWhole(batch).offset)) }
        disk.poke(segmentPath(1), at: offsets[2] + 3) { $0 ^ 1 }
        let (again, recovery) = try disk.openLog()
        #expect(again.committedThrough == 2)
        #expect(recovery.reports.map(\.droppedEntries) == [2])
    }

    @Test func aDamagedEntryInFrontOfWhatWasSyncedIsRefused() throws {
        try makeLog()
        disk.poke(segmentPath(3), at: 192 + 20) { $0 ^ 1 }
        let error = try refusal()
        #expect(error.code == .damaged)
        #expect(error.file == segmentPath(3))
        #expect(error.offset == 192)
        #expect(error.expected.contains("header checksum"))
    }

    @Test func aDamagedPayloadInASealedSegmentIsFoundByReadingAndByVerify() throws {
        try makeLog()
        disk.poke(segmentPath(1), at: 192 + 64 + 5) { $0 ^ 1 }
        let log = try disk.openLog(segmentBytes: 1500).log
        let error = #expect(throws: LogError.self) { try log.outcome(of: 1) }
        #expect(error?.code == .damaged)
        #expect(error?.offset == 256)
        #expect(try log.outcome(of: 2) == [payload(2, 0, bytes: 200)])
        let findings = try StageLog.verify(disk: disk, folder: logFolder)
        #expect(findings.map(\.state) == [.damaged, .whole, .whole])
        #expect(findings[0].offset == 256)
    }

    @Test func aDamagedIndexIsRefused() throws {
        try makeLog()
        disk.poke(segmentPath(1), at: length(1) - 60) { $0 ^ 1 }
        #expect(try refusal().expected.contains("index checksum"))
    }

    @Test func aDamagedFooterIsRefused() throws {
        try makeLog()
        disk.poke(segmentPath(2), at: length(2) - 1) { $0 ^ 1 }
        #expect(try refusal().expected.contains("footer"))
    }

    @Test(arguments: [0, 12, 20, 24, 32, 50, 60]) func aDamagedSegmentHeaderIsRefused(_ offset: Int) throws {
        for segment in 1...3 as ClosedRange<UInt64> {
            let tests = DamageTests()
            try tests.makeLog()
            tests.disk.poke(segmentPath(segment), at: offset) { $0 ^ 0x80 }
            let error = try tests.refusal()
            #expect(error.code == .damaged)
            #expect(error.file == segmentPath(segment))
        }
    }

    @Test func aMissingSegmentIsRefused() throws {
        for segment in 1...3 as ClosedRange<UInt64> {
            let tests = DamageTests()
            try tests.makeLog()
            tests.disk.remove(segmentPath(segment))
            #expect(try tests.refusal().code == .damaged)
        }
    }

    @Test func aSegmentUnderAnotherNameIsRefused() throws {
        try makeLog()
        disk.place(disk.bytes(segmentPath(1)) ?? [], at: segmentPath(2))
        #expect(try refusal().expected == "segment number 2")
    }

    @Test func aSegmentOfAnotherLogIsRefused() throws {
        try makeLog()
        let other = SimulatedDisk()
        let log = try StageLog.open(
            disk: other, folder: logFolder, options: LogOptions(segmentBytes: 1500, identity: 5)
        ).log
        for batch in 1...12 as ClosedRange<UInt64> { try log.appendWhole(batch, bytes: 200) }
        disk.place(other.bytes(segmentPath(2)) ?? [], at: segmentPath(2))
        #expect(try refusal().code == .foreign)
    }

    @Test func aLaterVersionIsRefusedAsSuch() throws {
        try makeLog()
        var bytes = disk.bytes(segmentPath(3)) ?? []
        bytes.put(UInt32(2), at: 8)
        bytes.put(crc32c(bytes, 0..<60), at: 60)
        disk.place(bytes, at: segmentPath(3))
        let error = try refusal()
        #expect(error.code == .unsupported)
        #expect(error.found == "version 2")
        #expect(throws: LogError.self) { try StageLog.repair(disk: disk, folder: logFolder) }
    }

    @Test(arguments: [true, false]) func unknownTypesAreSkippedOnlyIfTheySaySo(_ mayBeIgnored: Bool) throws {
        let (log, _) = try disk.openLog()
        try log.appendWhole(1)
        let end = length(1)
        var header = EntryHeader(
            entry: LogEntry(LogEntry.Kind(rawValue: 77), batch: 9, flags: mayBeIgnored ? .mayBeIgnored : []))
        header.synced = UInt32(end)
        disk.place(
            (disk.bytes(segmentPath(1)) ?? []) + header.encoded(segment: 1, offset: UInt64(end)), at: segmentPath(1))
        if mayBeIgnored {
            let again = try disk.openLog().log
            #expect(again.committedThrough == 1 && !again.contains(9))
            try again.appendWhole(2)
            try again.seal()
            #expect(try disk.openLog().log.committedThrough == 2)
        } else {
            let error = #expect(throws: LogError.self) { try disk.openLog() }
            #expect(error?.code == .unsupported)
        }
    }

    @Test func aCopyOfALogInsideAPayloadIsNotTakenForEntries() throws {
        try makeLog()
        let inner = disk.bytes(segmentPath(3)) ?? []
        let outer = SimulatedDisk()
        let (log, _) = try outer.openLog()
        try log.appendWhole(1)
        try log.append(LogEntry(.whole, batch: 2), records: inner)
        // The entry around the copy is damaged, so that what it holds is searched.
        outer.poke(segmentPath(1), at: Int(try #require(log.entries(of: 2).first).offset)) { $0 ^ 1 }
        let (again, recovery) = try outer.openLog()
        #expect(recovery.reports.map(\.droppedEntries) == [0])
        #expect(again.committedThrough == 1)
    }

    @Test func aSegmentThatWasNeverFinishedIsRemoved() throws {
        try makeLog()
        disk.place([1, 2, 3], at: segmentPath(4) + ".new")
        let (_, recovery) = try disk.openLog(segmentBytes: 1500)
        #expect(recovery.reports.map(\.kind) == [.leftover])
        #expect(disk.paths.count == 3)
    }

    @Test func aRetiredSegmentThatCameBackIsRemoved() throws {
        try makeLog()
        let old = disk.bytes(segmentPath(1)) ?? []
        try disk.openLog(segmentBytes: 1500).log.retire(through: 12)
        disk.place(old, at: segmentPath(1))
        #expect(try StageLog.verify(disk: disk, folder: logFolder).map(\.state) == [.leftover, .whole])
        let (log, recovery) = try disk.openLog(segmentBytes: 1500)
        #expect(recovery.reports.map(\.file) == [segmentPath(1)])
        #expect(log.totals.batches == 12)
    }
}
