/// The 64 bytes before the sections of an entry. See `docs/log-format.md`.
struct EntryHeader: Equatable {
    static let byteCount = 64
    static let magic: UInt16 = 0x4553
    static let alignment = 8

    var entry: LogEntry
    /// Partial entries of the generation before this one, modulo 65536.
    var parts: UInt16 = 0
    var recordsLength: UInt32 = 0
    var extraLength: UInt32 = 0
    var recordsChecksum: UInt32 = 0
    var extraChecksum: UInt32 = 0
    /// What of the segment was on stable storage when this was written.
    var synced: UInt32 = 0

    /// Header and sections, without padding.
    var contentBytes: UInt64 { UInt64(Self.byteCount) + UInt64(recordsLength) + UInt64(extraLength) }
    /// What the entry takes in the file.
    var paddedBytes: UInt64 {
        let alignment = UInt64(Self.alignment)
        return (contentBytes + alignment - 1) / alignment * alignment
    }

    func encoded(segment: UInt64, offset: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes.put(Self.magic, at: 0)
        bytes.put(entry.type.rawValue, at: 2)
        bytes.put(entry.flags.rawValue, at: 4)
        bytes.put(parts, at: 6)
        bytes.put(entry.batch, at: 8)
        bytes.put(entry.inputs, at: 16)
        bytes.put(entry.passed, at: 20)
        bytes.put(entry.filtered, at: 24)
        bytes.put(entry.failed, at: 28)
        bytes.put(entry.outputs, at: 32)
        bytes.put(recordsLength, at: 36)
        bytes.put(extraLength, at: 40)
        bytes.put(recordsChecksum, at: 44)
        bytes.put(extraChecksum, at: 48)
        bytes.put(synced, at: 52)
        bytes.put(entry.time, at: 56)
        bytes.put(Self.checksum(bytes, at: 0, segment: segment, offset: offset), at: 60)
        return bytes
    }

    /// Reads the header that lies at `place` in `bytes` and at `offset` of `segment`. The sections are not looked at.
    static func decode(
        _ bytes: [UInt8], at place: Int, segment: UInt64, offset: UInt64
    ) throws(Fault) -> EntryHeader {
        guard bytes.count - place >= byteCount else {
            throw Fault(
                offset, "an entry header of \(byteCount) bytes", "\(bytes.count - place) bytes and the end of the file")
        }
        let magic: UInt16 = bytes.integer(at: place)
        guard magic == Self.magic else {
            throw Fault(offset, "an entry (\(hexadecimal(Self.magic)))", hexadecimal(magic))
        }
        let stored: UInt32 = bytes.integer(at: place + 60)
        let computed = checksum(bytes, at: place, segment: segment, offset: offset)
        guard stored == computed else {
            throw Fault(offset, "header checksum \(hexadecimal(computed))", hexadecimal(stored))
        }
        var entry = LogEntry(
            LogEntry.Kind(rawValue: bytes.integer(at: place + 2)), batch: bytes.integer(at: place + 8),
            flags: LogEntry.Flags(rawValue: bytes.integer(at: place + 4)))
        entry.inputs = bytes.integer(at: place + 16)
        entry.passed = bytes.integer(at: place + 20)
        entry.filtered = bytes.integer(at: place + 24)
        entry.failed = bytes.integer(at: place + 28)
        entry.outputs = bytes.integer(at: place + 32)
        entry.time = bytes.integer(at: place + 56)
        let header = EntryHeader(
            entry: entry, parts: bytes.integer(at: place + 6), recordsLength: bytes.integer(at: place + 36),
            extraLength: bytes.integer(at: place + 40), recordsChecksum: bytes.integer(at: place + 44),
            extraChecksum: bytes.integer(at: place + 48), synced: bytes.integer(at: place + 52))
        guard header.recordsLength <= LogEntry.maximumRecordsBytes, header.extraLength <= LogEntry.maximumExtraBytes
        else {
            throw Fault(
                offset, "sections within 1 GiB and 128 MiB", "\(header.recordsLength) and \(header.extraLength) bytes")
        }
        return header
    }

    private static func checksum(_ bytes: [UInt8], at place: Int, segment: UInt64, offset: UInt64) -> UInt32 {
        let seed = [segment.littleEndian, offset.littleEndian]
        let seedChecksum = unsafe seed.withUnsafeBytes { unsafe crc32c($0) }
        return crc32c(bytes, place..<place + 60, seedChecksum)
    }
}

/// Bytes of a segment that are not what they must be: where, what was expected, what was found.
struct Fault: Error, Equatable {
    var offset: UInt64
    var expected: String
    var found: String

    init(_ offset: UInt64, _ expected: String, _ found: String) {
        self.offset = offset
        self.expected = expected
        self.found = found
    }

    func error(in file: String) -> LogError { .damaged(file, offset, expected: expected, found: found) }
}
