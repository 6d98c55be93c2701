/// What the files of a log say, before anything is done about it. Making one modifies nothing, so that a damaged log
/// is refused as it was found.
struct LogAnalysis {
    /// A segment that belongs to the log.
    struct Segment {
        var number: UInt64
        var bytes: UInt64
        /// Ordinal of its first entry in the index.
        var firstOrdinal: UInt32
        /// Highest batch with a result in it.
        var lastBatch: UInt64 = 0
    }

    var identity: UInt64 = 0
    var segments: [Segment] = []
    var mark = Mark()
    var index = LiveIndex(watermark: 0)
    /// Bytes of entries in the last segment.
    var end: UInt64 = 0
    /// Whether the file of the last segment is longer, or shorter by the padding, than its entries.
    var isTorn = false
    /// The segment before the last has no seal; its entries end where the last segment says.
    var needsSeal = false
    var leftovers: [String] = []
    var recovery = Recovery()
    var lastTime: UInt32 = 0

    /// Nil when the folder holds no segment.
    static func make(_ disk: any Disk, folder: String) throws(LogError) -> LogAnalysis? {
        let names = try onDisk { () throws(DiskError) in try disk.list(folder) }.sorted()
        var analysis = LogAnalysis()
        analysis.leftovers = names.filter {
            $0.hasSuffix(".log.new") && SegmentName.number(String($0.dropLast(4))) != nil
        }
        let numbers = names.compactMap(SegmentName.number)
        guard let last = numbers.last else { return nil }
        try analysis.read(disk, folder, numbers, last)
        return analysis
    }

    private mutating func read(
        _ disk: any Disk, _ folder: String, _ numbers: [UInt64], _ last: UInt64
    ) throws(LogError) {
        // The newest segment first: its marks say which of the others count.
        let reader = try SegmentReader(disk, folder: folder, number: last)
        let header = try reader.header()
        identity = header.identity
        let walk = try readOpenSegment(reader, header)
        let newest = walk.entries.last { $0.header.entry.type == .mark }
        guard let newest else { throw .damaged(reader.path, 64, expected: "a mark", found: "none in the segment") }
        mark = try reader.mark(at: newest)
        guard (1...last).contains(mark.firstSegment) else {
            throw .damaged(
                reader.path, newest.offset, expected: "a first segment from 1 to \(last)", found: "\(mark.firstSegment)"
            )
        }
        index = LiveIndex(watermark: mark.watermark)
        leftovers += numbers.filter { $0 < mark.firstSegment }.map(SegmentName.of)
        var present = numbers.drop { $0 < mark.firstSegment }.makeIterator()
        for number in mark.firstSegment..<last {
            guard present.next() == number else {
                throw .damaged(
                    folder + "/" + SegmentName.of(number), nil, expected: "segments \(mark.firstSegment) to \(last)",
                    found: "no segment \(number)")
            }
            let isBeforeEmpty = number + 1 == last && walk.entries.count == 1
            try readSealedSegment(
                SegmentReader(disk, folder: folder, number: number),
                predecessor: isBeforeEmpty ? header.predecessor : nil)
        }
        try add(walk.entries.map(\.record), of: reader, bytes: walk.end)
        index.forget(through: mark.watermark)
    }

    /// The last segment: everything up to the first invalid entry that nobody can have relied upon.
    private mutating func readOpenSegment(
        _ reader: SegmentReader, _ header: SegmentHeader
    ) throws(LogError) -> SegmentWalk {
        var walk = try reader.walk()
        recovery.verifiedBytes += try reader.verifySections(of: &walk, behind: walk.synced)
        end = walk.end
        isTorn = walk.end != reader.size
        if let seal = walk.sealOffset {
            throw .damaged(
                reader.path, seal, expected: "segment \(reader.number + 1) after a sealed one", found: "no such segment"
            )
        }
        guard let fault = walk.fault else {
            if walk.end < UInt64(header.created) {
                throw .damaged(reader.path, walk.end, expected: "\(header.created) bytes", found: "\(reader.size)")
            }
            return walk
        }
        if walk.end < UInt64(header.created) { throw fault.error(in: reader.path) }
        var report = RecoveryReport(kind: .tornTail, file: reader.path, offset: walk.end)
        report.droppedBytes = reader.size - walk.end
        report.found = "found \(fault.found), expected \(fault.expected)"
        let end = walk.end
        try reader.headers(behind: end) { behind throws(LogError) in
            if UInt64(behind.header.synced) > end { throw fault.error(in: reader.path) }
            report.droppedEntries += 1
            return true
        }
        recovery.reports.append(report)
        return walk
    }

    /// A segment with one after it. `predecessor` is set where a crash may have kept it from being sealed.
    private mutating func readSealedSegment(_ reader: SegmentReader, predecessor: UInt64?) throws(LogError) {
        let header = try reader.header()
        guard header.identity == identity else {
            throw LogError(
                .foreign, file: reader.path, offset: 16, expected: "log \(hexadecimal(identity))",
                found: "log \(hexadecimal(header.identity))",
                help: "put the segments of one log into a folder of their own")
        }
        do throws(LogError) {
            if let sealed = try reader.sealedIndex() {
                try add(sealed.records, of: reader, bytes: reader.size)
                return
            }
        } catch { if predecessor == nil || error.code != .damaged { throw error } }
        guard let predecessor else {
            throw .damaged(
                reader.path, reader.size,
                expected: "an index and a footer at the end of a segment that has a successor",
                found: "none")
        }
        var walk = try reader.walk()
        recovery.verifiedBytes += try reader.verifySections(of: &walk, behind: walk.synced)
        guard walk.end == predecessor else {
            throw walk.fault?.error(in: reader.path)
                ?? .damaged(
                    reader.path, walk.end, expected: "entries up to byte \(predecessor)", found: "up to \(walk.end)")
        }
        needsSeal = true
        recovery.reports.append(RecoveryReport(kind: .sealed, file: reader.path, offset: walk.end))
        try add(walk.entries.map(\.record), of: reader, bytes: walk.end)
    }

    private mutating func add(
        _ records: [IndexRecord], of reader: SegmentReader, bytes: UInt64
    ) throws(LogError) {
        var segment = Segment(number: reader.number, bytes: bytes, firstOrdinal: index.nextOrdinal)
        guard records.first?.entry.type == .mark else {
            throw .damaged(reader.path, 64, expected: "a mark", found: "none at the beginning of the segment")
        }
        for record in records {
            let type = record.entry.type
            guard type.isKnown || record.entry.flags.contains(.mayBeIgnored) else {
                throw LogError(
                    .unsupported, file: reader.path, offset: UInt64(record.offset), expected: "entry types 1 to 5",
                    found: "type \(type.rawValue)", help: "use the program that wrote it, or a later one")
            }
            if let parts = index.add(record) {
                throw .damaged(
                    reader.path, UInt64(record.offset),
                    expected: "\(record.parts) partial entries of batch \(record.entry.batch) before this one",
                    found: "\(parts)")
            }
            if type == .whole || type == .partial { segment.lastBatch = max(segment.lastBatch, record.entry.batch) }
            lastTime = max(lastTime, record.entry.time)
        }
        segments.append(segment)
    }
}
