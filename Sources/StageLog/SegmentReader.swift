/// An entry header and where it lies.
struct PlacedHeader: Equatable {
    var header: EntryHeader
    var offset: UInt64
    var end: UInt64 { offset + header.paddedBytes }
    var record: IndexRecord { IndexRecord(header, offset: UInt32(truncatingIfNeeded: offset)) }
}

/// Reads one segment file and believes nothing that its checksums do not say.
final class SegmentReader {
    /// Bytes read at a time while walking headers.
    private static let windowBytes = 64 << 10

    let path: String
    let number: UInt64
    let file: any DiskFile
    let size: UInt64
    private var window: [UInt8] = []
    private var windowStart: UInt64 = 0

    init(_ disk: any Disk, folder: String, number: UInt64) throws(LogError) {
        path = folder + "/" + SegmentName.of(number)
        self.number = number
        let path = path
        let file = try onDisk { () throws(DiskError) in try disk.open(path, writable: false) }
        self.file = file
        size = try onDisk { () throws(DiskError) in try file.size() }
        guard size <= UInt64(UInt32.max) else {
            throw .damaged(path, UInt64(UInt32.max), expected: "a segment below 4 GiB", found: "\(size) bytes")
        }
    }

    func bytes(at offset: UInt64, count: Int) throws(LogError) -> [UInt8] {
        try onDisk { () throws(DiskError) in try file.bytes(at: offset, count: count) }
    }

    func header() throws(LogError) -> SegmentHeader {
        let header = try SegmentHeader.decode(bytes(at: 0, count: SegmentHeader.byteCount), file: path)
        guard header.number == number else {
            throw .damaged(path, 24, expected: "segment number \(number)", found: "\(header.number)")
        }
        return header
    }

    /// The header of the entry at `offset`, whose sections must lie inside the file. Fault when there is none.
    func entry(at offset: UInt64) throws(LogError) -> Result<PlacedHeader, Fault> {
        let count = EntryHeader.byteCount
        if offset < windowStart || offset + UInt64(count) > windowStart + UInt64(window.count) {
            windowStart = offset
            window = try bytes(at: offset, count: Self.windowBytes)
        }
        do throws(Fault) {
            let header = try EntryHeader.decode(window, at: Int(offset - windowStart), segment: number, offset: offset)
            let placed = PlacedHeader(header: header, offset: offset)
            guard offset + header.contentBytes <= size else {
                throw Fault(
                    offset, "an entry of \(header.contentBytes) bytes", "\(size - offset) bytes and the end of the file"
                )
            }
            return .success(placed)
        } catch { return .failure(error) }
    }

    /// Reads the sections of an entry and compares their checksums.
    func sectionFault(of placed: PlacedHeader) throws(LogError) -> Fault? {
        var offset = placed.offset + UInt64(EntryHeader.byteCount)
        for (name, length, stored) in [
            ("records", placed.header.recordsLength, placed.header.recordsChecksum),
            ("extra", placed.header.extraLength, placed.header.extraChecksum),
        ] {
            let start = offset
            var checksum: UInt32 = 0
            var left = UInt64(length)
            while left > 0 {
                let piece = try bytes(at: offset, count: Int(min(left, 1 << 20)))
                if piece.isEmpty { return Fault(offset, "\(left) more bytes of \(name)", "the end of the file") }
                checksum = crc32c(piece, 0..<piece.count, checksum)
                offset += UInt64(piece.count)
                left -= UInt64(piece.count)
            }
            guard checksum == stored else {
                return Fault(start, "\(name) checksum \(hexadecimal(stored))", hexadecimal(checksum))
            }
        }
        return nil
    }

    /// The mark at `placed`, its checksum verified.
    func mark(at placed: PlacedHeader) throws(LogError) -> Mark {
        if let fault = try sectionFault(of: placed) { throw fault.error(in: path) }
        let offset = placed.offset + UInt64(EntryHeader.byteCount) + UInt64(placed.header.recordsLength)
        let extra = try bytes(at: offset, count: Int(placed.header.extraLength))
        do throws(Fault) { return try Mark.decode(extra, at: offset) } catch { throw error.error(in: path) }
    }

    /// All entry headers behind `offset` that are valid by their checksums, wherever they begin. Stops when `body` says
    /// so by returning false.
    func headers(behind offset: UInt64, _ body: (PlacedHeader) throws(LogError) -> Bool) throws(LogError) {
        var base = offset + UInt64(EntryHeader.alignment)
        while base + UInt64(EntryHeader.byteCount) <= size {
            let piece = try bytes(at: base, count: 1 << 20)
            var place = 0
            while place + EntryHeader.byteCount <= piece.count {
                if piece.integer(at: place, as: UInt16.self) == EntryHeader.magic,
                    let header = try? EntryHeader.decode(
                        piece, at: place, segment: number, offset: base + UInt64(place)),
                    base + UInt64(place) + header.contentBytes <= size
                {
                    let goOn = try body(PlacedHeader(header: header, offset: base + UInt64(place)))
                    if !goOn { return }
                }
                place += EntryHeader.alignment
            }
            if place == 0 { return }
            base += UInt64(place)
        }
    }
}
