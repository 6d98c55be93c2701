/// The entries of a segment one after the other, up to the first that is not valid.
struct SegmentWalk {
    var entries: [PlacedHeader] = []
    /// Where the next entry would begin.
    var end: UInt64 = UInt64(SegmentHeader.byteCount)
    /// Set when the walk met a seal, which is not among the entries.
    var sealOffset: UInt64?
    /// What is at `end`, when that is not the end of the file.
    var fault: Fault?
    /// Greatest `synced` seen: what lies before it was on stable storage.
    var synced: UInt64 = 0
}

extension SegmentReader {
    /// Headers only, sections are skipped.
    func walk() throws(LogError) -> SegmentWalk {
        var walk = SegmentWalk()
        while walk.end < size {
            switch try entry(at: walk.end) {
            case .failure(let fault):
                walk.fault = fault
                return walk
            case .success(let placed) where placed.header.entry.type == .seal:
                walk.sealOffset = placed.offset
                return walk
            case .success(let placed):
                walk.entries.append(placed)
                walk.synced = max(walk.synced, UInt64(placed.header.synced))
                // The padding of the last entry may be missing from a file that was cut: it is written anew then.
                walk.end = placed.end
            }
        }
        return walk
    }

    /// Checks the sections of the entries that end behind `synced` and ends the walk at the first that is damaged.
    /// Returns how many bytes were read.
    func verifySections(of walk: inout SegmentWalk, behind synced: UInt64) throws(LogError) -> UInt64 {
        var read: UInt64 = 0
        for (position, placed) in walk.entries.enumerated() where placed.end > synced {
            read += placed.header.contentBytes
            if let fault = try sectionFault(of: placed) {
                walk.entries.removeSubrange(position...)
                walk.end = placed.offset
                walk.sealOffset = nil
                walk.fault = fault
                break
            }
        }
        return read
    }

    /// The index of a sealed segment: nil when the file does not end in a footer, a failure when it ends in a footer
    /// that promises what is not there.
    func sealedIndex() throws(LogError) -> (records: [IndexRecord], sealOffset: UInt64)? {
        let footerBytes = UInt64(SegmentFooter.byteCount)
        guard size > UInt64(SegmentHeader.byteCount) + footerBytes,
            let footer = SegmentFooter.decode(
                try bytes(at: size - footerBytes, count: SegmentFooter.byteCount), number: number)
        else { return nil }
        let offset = UInt64(footer.sealOffset)
        let placed: PlacedHeader
        switch try entry(at: offset) {
        case .success(let found): placed = found
        case .failure(let fault): throw fault.error(in: path)
        }
        let length = UInt64(footer.entryCount) * UInt64(IndexRecord.byteCount)
        guard placed.header.entry.type == .seal, offset + placed.header.contentBytes == size,
            UInt64(placed.header.recordsLength) == length, placed.header.extraLength == SegmentFooter.byteCount
        else {
            throw .damaged(
                path, offset, expected: "a seal with an index of \(footer.entryCount) entries at the end of the file",
                found: "an entry of type \(placed.header.entry.type.rawValue) with \(placed.header.recordsLength) bytes"
            )
        }
        let indexOffset = offset + UInt64(EntryHeader.byteCount)
        let index = try bytes(at: indexOffset, count: Int(length))
        let checksum = crc32c(index, 0..<index.count)
        guard index.count == Int(length), checksum == placed.header.recordsChecksum else {
            throw .damaged(
                path, indexOffset, expected: "index checksum \(hexadecimal(placed.header.recordsChecksum))",
                found: hexadecimal(checksum))
        }
        var records: [IndexRecord] = []
        records.reserveCapacity(Int(footer.entryCount))
        var expected = UInt64(SegmentHeader.byteCount)
        for place in stride(from: 0, to: index.count, by: IndexRecord.byteCount) {
            let record = IndexRecord(index, at: place)
            guard UInt64(record.offset) == expected else {
                throw .damaged(
                    path, indexOffset + UInt64(place), expected: "an entry at \(expected)", found: "\(record.offset)")
            }
            expected += record.paddedBytes
            records.append(record)
        }
        guard expected == offset, records.first?.entry.type == .mark else {
            throw .damaged(
                path, indexOffset, expected: "an index from a mark up to byte \(offset)", found: "one up to \(expected)"
            )
        }
        return (records, offset)
    }
}
