import Glibc
import Testing

@testable import StageLog

/// Several entries in one write.
@Suite struct TogetherTests {
    let disk = SimulatedDisk()

    private func whole(_ batch: UInt64, bytes: Int = 40, checkpoint: Bool = false) -> (entry: LogEntry, records: [UInt8], extra: [UInt8]) {
        (
            LogEntry(
                .whole, batch: batch, flags: checkpoint ? .hasCheckpoint : [], inputs: 3, passed: 2, filtered: 1, outputs: 2,
                time: 1_700_000_000), payload(batch, 0, bytes: bytes), Array("checkpoint \(batch)".utf8)
        )
    }

    private func part(_ batch: UInt64, _ part: Int) -> (entry: LogEntry, records: [UInt8], extra: [UInt8]) {
        (LogEntry(.partial, batch: batch, inputs: 1, passed: 1, outputs: 1, time: 1_700_000_000), payload(batch, part, bytes: 24), [])
    }

    @Test func `the same bytes are written together as one after the other, in one write`() throws {
        let (one, _) = try disk.openLog()
        for (batch, bytes) in zip(UInt64(1)..., [40, 0, 7, 300, 1]) { try one.appendWhole(batch, bytes: bytes) }
        let other = SimulatedDisk()
        let (log, _) = try other.openLog()
        let before = other.operations
        var writes: [Int] = []
        try log.appendTogether(zip(UInt64(1)..., [40, 0, 7, 300, 1]).map { whole($0, bytes: $1) }) { writes.append($0) }
        #expect(writes == [5])
        #expect(other.operations == before + 1)
        #expect(other.bytes(segmentPath(1)) == disk.bytes(segmentPath(1)))
        #expect(try (1...5).map { try log.outcome(of: $0) } == (1...5).map { try one.outcome(of: $0) })
        #expect(try other.openLog().log.committedThrough == 5)
    }

    @Test func `parts of one batch each count those before them`() throws {
        let (log, _) = try disk.openLog()
        var writes: [Int] = []
        try log.appendTogether([part(1, 1), whole(2), part(1, 2), part(3, 1), whole(1)]) { writes.append($0) }
        #expect(writes == [2, 2, 1])
        let again = try disk.openLog()
        #expect(again.recovery.reports.isEmpty)
        #expect(try again.log.outcome(of: 1) == [payload(1, 1, bytes: 24), payload(1, 2, bytes: 24), payload(1, 0, bytes: 40)])
    }

    @Test func `what the segment has no room for goes into the next one`() throws {
        let (log, _) = try disk.openLog(segmentBytes: 1024)
        var writes: [Int] = []
        try log.appendTogether((1...12).map { whole($0, bytes: $0 == 7 ? 3000 : 150) }) { writes.append($0) }
        #expect(writes.count > 3 && writes.reduce(0, +) == 12)
        let again = try disk.openLog(segmentBytes: 1024)
        #expect(again.recovery.reports.isEmpty)
        for batch in 1...12 as ClosedRange<UInt64> {
            #expect(try again.log.outcome(of: batch) == [payload(batch, 0, bytes: batch == 7 ? 3000 : 150)])
        }
    }

    @Test func `a disk that is full in the middle has none of them, and the same call succeeds later`() throws {
        let (log, _) = try disk.openLog()
        try log.appendWhole(1)
        disk.capacity = (disk.bytes(segmentPath(1))?.count ?? 0) + 200
        let error = #expect(throws: LogError.self) { try log.appendTogether((2...6).map { whole($0) }) }
        #expect(error?.code == .full)
        #expect(log.committedThrough == 1 && !log.contains(2))
        disk.capacity = nil
        try log.appendTogether((2...6).map { whole($0) })
        let again = try disk.openLog()
        #expect(again.recovery.reports.isEmpty)
        #expect(again.log.committedThrough == 6)
    }

    @Test func `one that may not be appended holds up none before it`() throws {
        let (log, _) = try disk.openLog()
        try log.appendTogether((1...3).map { whole($0) })
        var writes: [Int] = []
        let error = #expect(throws: LogError.self) {
            try log.appendTogether([whole(4), whole(5), whole(0), whole(6)]) { writes.append($0) }
        }
        #expect(error?.code == .misuse)
        #expect(writes == [2])
        #expect(log.committedThrough == 5)
    }
}
