/// What is known of an entry without reading it: header values and place. The 56 bytes of a sealed index.
struct IndexRecord: Equatable {
    static let byteCount = 56

    var entry: LogEntry
    var offset: UInt32
    var recordsLength: UInt32
    var extraLength: UInt32
    var parts: UInt16

    init(_ header: EntryHeader, offset: UInt32) {
        entry = header.entry
        self.offset = offset
        recordsLength = header.recordsLength
        extraLength = header.extraLength
        parts = header.parts
    }

    init(
        _ entry: LogEntry, offset: UInt32, recordsLength: UInt32, extraLength: UInt32, parts: UInt16
    ) {
        self.entry = entry
        self.offset = offset
        self.recordsLength = recordsLength
        self.extraLength = extraLength
        self.parts = parts
    }

    /// What the entry takes in the file, padding included.
    var paddedBytes: UInt64 {
        var header = EntryHeader(entry: entry)
        header.recordsLength = recordsLength
        header.extraLength = extraLength
        return header.paddedBytes
    }

    func store(_ bytes: inout [UInt8], at place: Int) {
        bytes.put(entry.batch, at: place)
        bytes.put(offset, at: place + 8)
        bytes.put(recordsLength, at: place + 12)
        bytes.put(extraLength, at: place + 16)
        bytes.put(entry.inputs, at: place + 20)
        bytes.put(entry.passed, at: place + 24)
        bytes.put(entry.filtered, at: place + 28)
        bytes.put(entry.failed, at: place + 32)
        bytes.put(entry.outputs, at: place + 36)
        bytes.put(entry.type.rawValue, at: place + 40)
        bytes.put(entry.flags.rawValue, at: place + 42)
        bytes.put(entry.time, at: place + 44)
        bytes.put(parts, at: place + 48)
    }

    init(_ bytes: [UInt8], at place: Int) {
        entry = LogEntry(
            LogEntry.Kind(rawValue: bytes.integer(at: place + 40)), batch: bytes.integer(at: place),
            flags: LogEntry.Flags(rawValue: bytes.integer(at: place + 42)), inputs: bytes.integer(at: place + 20),
            passed: bytes.integer(at: place + 24), filtered: bytes.integer(at: place + 28),
            failed: bytes.integer(at: place + 32), outputs: bytes.integer(at: place + 36),
            time: bytes.integer(at: place + 44))
        offset = bytes.integer(at: place + 8)
        recordsLength = bytes.integer(at: place + 12)
        extraLength = bytes.integer(at: place + 16)
        parts = bytes.integer(at: place + 48)
    }

    func location(in segment: UInt64) -> EntryLocation {
        EntryLocation(
            entry: entry, segment: segment, offset: offset, recordsLength: Int(recordsLength),
            extraLength: Int(extraLength))
    }
}

/// The last 32 bytes of a sealed segment.
struct SegmentFooter: Equatable {
    static let byteCount = 32
    private static let magic = Array("STAGEEND".utf8)

    var number: UInt64
    var sealOffset: UInt32
    var entryCount: UInt32

    var encoded: [UInt8] {
        var bytes = Self.magic + [UInt8](repeating: 0, count: Self.byteCount - Self.magic.count)
        bytes.put(number, at: 8)
        bytes.put(sealOffset, at: 16)
        bytes.put(entryCount, at: 20)
        bytes.put(crc32c(bytes, 0..<28), at: 28)
        return bytes
    }

    /// Nil when these are not the bytes of a whole footer of segment `number`.
    static func decode(_ bytes: [UInt8], number: UInt64) -> SegmentFooter? {
        guard bytes.count == byteCount,
            bytes.integer(at: 0, as: UInt64.self) == magic.integer(at: 0, as: UInt64.self),
            bytes.integer(at: 28, as: UInt32.self) == crc32c(bytes, 0..<28),
            bytes.integer(at: 8, as: UInt64.self) == number
        else { return nil }
        return SegmentFooter(number: number, sealOffset: bytes.integer(at: 16), entryCount: bytes.integer(at: 20))
    }
}

/// The entry that ends a segment: index and footer.
enum SealEntry {
    static func encoded(_ records: some Collection<IndexRecord>, number: UInt64, at offset: UInt64) -> [UInt8] {
        var index = [UInt8](repeating: 0, count: records.count * IndexRecord.byteCount)
        var place = 0
        for record in records {
            record.store(&index, at: place)
            place += IndexRecord.byteCount
        }
        let footer = SegmentFooter(
            number: number, sealOffset: UInt32(truncatingIfNeeded: offset), entryCount: UInt32(records.count)
        ).encoded
        var header = EntryHeader(entry: LogEntry(.seal, batch: 0))
        header.recordsLength = UInt32(index.count)
        header.recordsChecksum = crc32c(index, 0..<index.count)
        header.extraLength = UInt32(footer.count)
        header.extraChecksum = crc32c(footer, 0..<footer.count)
        // Everything before a seal was synced before the seal was written.
        header.synced = UInt32(truncatingIfNeeded: offset)
        return header.encoded(segment: number, offset: offset) + index + footer
    }
}
