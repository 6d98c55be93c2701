extension StageLog {
    private static let maximumReaders = 16

    /// Reads the sections of an entry into buffers of exactly their lengths; a section that is not wanted has an empty
    /// buffer. What is read is verified; `damaged` when it is not what was written.
    package func read(
        _ location: EntryLocation, records: UnsafeMutableRawBufferPointer, extra: UnsafeMutableRawBufferPointer
    ) throws(LogError) {
        let path = folder + "/" + SegmentName.of(location.segment)
        let file = try reader(location.segment, path)
        let offset = UInt64(location.offset)
        let header = try onDisk { () throws(DiskError) in try file.bytes(at: offset, count: EntryHeader.byteCount) }
        let decoded: EntryHeader
        do throws(Fault) {
            decoded = try EntryHeader.decode(header, at: 0, segment: location.segment, offset: offset)
        } catch { throw error.error(in: path) }
        guard decoded.entry.batch == location.entry.batch, Int(decoded.recordsLength) == location.recordsLength,
            Int(decoded.extraLength) == location.extraLength
        else {
            throw .damaged(
                path, offset, expected: "batch \(location.entry.batch), as in the index",
                found: "batch \(decoded.entry.batch) of another length")
        }
        let start = offset + UInt64(EntryHeader.byteCount)
        unsafe try read("records", decoded.recordsLength, decoded.recordsChecksum, file, path, start, records)
        unsafe try read(
            "extra", decoded.extraLength, decoded.extraChecksum, file, path, start + UInt64(decoded.recordsLength),
            extra)
    }

    /// The records section of an entry.
    package func records(of location: EntryLocation) throws(LogError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: location.recordsLength)
        let none = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
        unsafe try fill(&bytes) { buffer throws(LogError) in unsafe try read(location, records: buffer, extra: none) }
        return bytes
    }

    /// The extra section of an entry.
    package func extra(of location: EntryLocation) throws(LogError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: location.extraLength)
        let none = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
        unsafe try fill(&bytes) { buffer throws(LogError) in unsafe try read(location, records: none, extra: buffer) }
        return bytes
    }

    private func fill(
        _ bytes: inout [UInt8], _ body: (UnsafeMutableRawBufferPointer) throws(LogError) -> Void
    ) throws(LogError) {
        let result: Result<Void, LogError> = unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(LogError) { return .success(unsafe try body(buffer)) } catch { return .failure(error) }
        }
        try result.get()
    }

    private func read(
        _ name: String, _ length: UInt32, _ checksum: UInt32, _ file: any DiskFile, _ path: String, _ offset: UInt64,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws(LogError) {
        if buffer.count == 0 { return }
        guard buffer.count == Int(length) else {
            throw .misuse(path, expected: "a buffer of \(length) bytes", found: "\(buffer.count) bytes")
        }
        let got = try onDisk { () throws(DiskError) in unsafe try file.read(at: offset, into: buffer) }
        guard got == buffer.count else {
            throw .damaged(path, offset, expected: "\(length) bytes of \(name)", found: "\(got)")
        }
        let computed = unsafe crc32c(UnsafeRawBufferPointer(buffer))
        guard computed == checksum else {
            throw .damaged(
                path, offset, expected: "\(name) checksum \(hexadecimal(checksum))", found: hexadecimal(computed))
        }
    }

    private func reader(_ number: UInt64, _ path: String) throws(LogError) -> any DiskFile {
        if let active, active.number == number { return active.file }
        if let open = readers.first(where: { $0.number == number }) { return open.file }
        guard number >= segments[0].number else {
            throw LogError(
                .retired, file: path, expected: "a segment from \(segments[0].number) up", found: "\(number)",
                help: "ask for the place of the batch again")
        }
        let file = try onDisk { () throws(DiskError) in try disk.open(path, writable: false) }
        if readers.count == Self.maximumReaders { readers.removeFirst() }
        readers.append((number, file))
        return file
    }
}
