import Glibc
import Testing

@testable import StageLog

@Suite struct FileDiskTests {
    @Test func aLogInTheRealFileSystemIsOpenedAgain() throws {
        let folder = try TemporaryFolder()
        let options = LogOptions(segmentBytes: 100_000)
        let path = folder.path + "/log"
        for round in 0..<5 as Range<UInt64> {
            let (log, recovery) = try StageLog.open(disk: FileDisk(), folder: path, options: options)
            #expect(recovery.reports.map(\.kind) == (round == 0 ? [.created] : []))
            #expect(log.committedThrough == round * 20)
            for batch in (round * 20 + 1)...(round * 20 + 20) { try log.appendWhole(batch, bytes: 10_000) }
            try log.sync()
            #expect(log.isSynced)
            for batch in 1...(round * 20 + 20) {
                #expect(try log.outcome(of: batch) == [payload(batch, 0, bytes: 10_000)])
            }
        }
        let (log, _) = try StageLog.open(disk: FileDisk(), folder: path, options: options)
        let freed = try log.retire(through: 100)
        #expect(freed > 500_000)
        #expect(try FileDisk().list(path).count < 4)
        let again = try StageLog.open(disk: FileDisk(), folder: path, options: LogOptions(readOnly: true)).log
        #expect(again.totals.batches == 100)
    }

    @Test func moreBuffersThanOneCallTakesAreAllWritten() throws {
        let folder = try TemporaryFolder()
        let file = try FileDisk().create(folder.path + "/file")
        let bytes = payload(1, 1, bytes: 5000)
        try unsafe bytes.withUnsafeBytes { all in
            try unsafe file.writeAll(
                (0..<5000).map { unsafe UnsafeRawBufferPointer(rebasing: all[$0..<$0 + 1]) }, at: 3)
        }
        #expect(try file.size() == 5003)
        #expect(try file.bytes(at: 3, count: 9999) == bytes)
    }

    @Test func failuresNameTheOperationAndThePath() throws {
        let folder = try TemporaryFolder()
        let disk = FileDisk()
        let missing = folder.path + "/none"
        #expect(throws: DiskError("open", missing, ENOENT)) { try disk.open(missing, writable: false) }
        #expect(throws: DiskError("unlink", missing, ENOENT)) { try disk.unlink(missing) }
        #expect(throws: DiskError("opendir", missing, ENOENT)) { try disk.list(missing) }
        let error = #expect(throws: LogError.self) {
            try StageLog.open(disk: disk, folder: missing, options: LogOptions(readOnly: true))
        }
        #expect(error?.code == .io)
        #expect(error?.description.contains(missing) == true)
    }
}
