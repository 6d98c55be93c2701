/// Everything that can be found in one segment file, section checksums included, whatever is damaged.
struct SegmentSurvey {
    /// A stretch of the file that is not part of a valid entry.
    struct Hole {
        var start: UInt64
        var end: UInt64
        var fault: Fault
    }

    let number: UInt64
    var path: String
    var size: UInt64 = 0
    var header: SegmentHeader?
    var headerError: LogError?
    /// Valid entries in order, without the seal.
    var entries: [PlacedHeader] = []
    var holes: [Hole] = []
    /// Bytes of header and entries, when there is no hole.
    var end: UInt64 = UInt64(SegmentHeader.byteCount)
    /// The index that ends the file; nil when there is none, or not a valid one.
    var index: [IndexRecord]?
    var indexError: LogError?
    /// The newest mark.
    var mark: Mark?

    init(_ reader: SegmentReader) throws(LogError) {
        number = reader.number
        path = reader.path
        size = reader.size
        do throws(LogError) { header = try reader.header() } catch {
            if error.code == .io { throw error }
            headerError = error
        }
        do throws(LogError) { index = try reader.sealedIndex()?.records } catch {
            if error.code == .io { throw error }
            indexError = error
        }
        try findEntries(reader)
        if let newest = entries.last(where: { $0.header.entry.type == .mark }) { mark = try reader.mark(at: newest) }
        if let index, indexError == nil, index != entries.map(\.record) && holes.isEmpty {
            indexError = .damaged(
                path, end, expected: "an index of the \(entries.count) entries before it", found: "one that differs")
        }
    }

    private mutating func findEntries(_ reader: SegmentReader) throws(LogError) {
        while end < size {
            let fault: Fault
            switch try reader.entry(at: end) {
            case .success(let placed):
                if let found = try reader.sectionFault(of: placed) {
                    fault = found
                } else if placed.header.entry.type == .seal && placed.offset + placed.header.contentBytes == size {
                    return
                } else {
                    if placed.header.entry.type != .seal { entries.append(placed) }
                    end = placed.end
                    continue
                }
            case .failure(let found): fault = found
            }
            let start = end
            var next: PlacedHeader?
            try reader.headers(behind: start) { placed throws(LogError) in
                if try reader.sectionFault(of: placed) != nil { return true }
                next = placed
                return false
            }
            end = next?.offset ?? size
            holes.append(Hole(start: start, end: end, fault: fault))
        }
    }

    /// Whether the last hole is what a crash may leave at the end of the last segment, and nothing was promised in it.
    var tornTail: Hole? {
        guard let hole = holes.first, let header, hole.start >= UInt64(header.created) else { return nil }
        let isPromised = entries.contains { UInt64($0.header.synced) > hole.start }
        return isPromised ? nil : hole
    }

    /// Whether a crash came between the creation of the next segment and the seal of this one, which opening heals.
    func lacksOnlySeal(before next: SegmentSurvey) -> Bool {
        guard !isSealed, headerError == nil, let nextHeader = next.header, next.entries.count == 1, next.holes.isEmpty
        else { return false }
        return (holes.first?.start ?? end) == nextHeader.predecessor
    }

    /// Whether the file ends in a seal that is valid.
    var isSealed: Bool { index != nil && indexError == nil }

    /// Batches whose entries the index lists but which are not valid any more.
    var lostBatches: Set<UInt64> {
        guard let index else { return [] }
        let found = Set(entries.map { UInt32(truncatingIfNeeded: $0.offset) })
        return Set(index.filter { !found.contains($0.offset) && $0.entry.batch > 0 }.map(\.entry.batch))
    }
}
