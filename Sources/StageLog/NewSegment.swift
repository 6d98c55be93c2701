/// The beginning of a segment: header and mark, which get their name only when they are whole and durable.
struct NewSegment {
    static let byteCount = UInt64(SegmentHeader.byteCount + EntryHeader.byteCount + Mark.byteCount)
    private static let markOffset = UInt64(SegmentHeader.byteCount)

    var identity: UInt64
    var number: UInt64
    /// Bytes of header and entries in the segment before.
    var predecessor: UInt64
    var mark: Mark

    var markHeader: EntryHeader {
        let extra = mark.encoded
        var header = EntryHeader(entry: LogEntry(.mark, batch: mark.watermark))
        header.extraLength = UInt32(extra.count)
        header.extraChecksum = crc32c(extra, 0..<extra.count)
        return header
    }

    var encoded: [UInt8] {
        let header = SegmentHeader(
            created: UInt32(Self.byteCount), identity: identity, number: number, predecessor: predecessor)
        return header.encoded + markHeader.encoded(segment: number, offset: Self.markOffset) + mark.encoded
    }

    /// Makes the file. Throws `failed` when it may or may not have its name after a crash; otherwise, when it throws,
    /// there is no such segment.
    func create(_ disk: any Disk, folder: String) throws(LogError) -> StageLog.Active {
        let path = folder + "/" + SegmentName.of(number)
        let unnamed = path + ".new"
        let bytes = encoded
        let file: any DiskFile
        do throws(DiskError) {
            file = try Self.emptyFile(disk, unnamed)
            try file.writeAll(bytes, at: 0)
            try file.sync()
            try disk.rename(unnamed, to: path)
        } catch {
            // Left where it is, it is removed by the next open.
            try? disk.unlink(unnamed)
            throw LogError(error)
        }
        do throws(DiskError) { try disk.syncFolder(folder) } catch {
            var failure = LogError(error)
            failure.code = .failed
            throw failure
        }
        return StageLog.Active(number: number, path: path, file: file, end: Self.byteCount)
    }

    private static func emptyFile(_ disk: any Disk, _ path: String) throws(DiskError) -> any DiskFile {
        do throws(DiskError) { return try disk.create(path) } catch {
            try disk.unlink(path)
            return try disk.create(path)
        }
    }

    /// Enters the segment as the last of a log.
    func enter(_ index: inout LiveIndex, _ segments: inout [LogAnalysis.Segment]) {
        segments.append(
            LogAnalysis.Segment(number: number, bytes: Self.byteCount, firstOrdinal: index.nextOrdinal))
        _ = index.add(IndexRecord(markHeader, offset: UInt32(Self.markOffset)))
    }
}
