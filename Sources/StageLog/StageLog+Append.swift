extension StageLog {
    package static let maximumBatch: UInt64 = 1 << 63 - 1

    /// Appends the outcome of a batch (`.whole`) or of some of its records (`.partial`).
    ///
    /// The records go out as they are, in one write with header and extra; nothing is copied. When it throws `full` or
    /// `io`, the log is what it was before, and the same call may be made again. Safe from a crash of this process when
    /// it returns, from a power loss after `sync`.
    ///
    /// - Parameter recordsChecksum: CRC32C of the records, where the caller knows it: they are then not read for it. What does
    ///   not agree with it is found damaged when it is read.
    @discardableResult
    package func append(
        _ entry: LogEntry, records: [UnsafeRawBufferPointer], extra: UnsafeRawBufferPointer, recordsChecksum: UInt32? = nil
    ) throws(LogError) -> EntryLocation {
        let entry = unsafe NewEntry(entry: entry, records: records, extra: extra, recordsChecksum: recordsChecksum)
        try check(entry)
        return try write(entry)
    }

    /// Appends the first of `entries`, and as many behind it as go into the same write: what a large write costs the file system
    /// for each byte is half of what small ones cost.
    ///
    /// - Returns: How many: at least one. When it throws, none; otherwise as above.
    package func append(_ entries: ArraySlice<NewEntry>) throws(LogError) -> Int {
        guard let first = entries.first else { return 0 }
        try check(first)
        var together = entries.prefix(1)
        var bytes = first.bytes
        for entry in entries.dropFirst() {
            bytes += entry.bytes
            // Of one batch there may be several: each counts those before it.
            guard bytes <= Self.togetherBytes, together.count < Self.togetherEntries,
                !together.contains(where: { $0.entry.batch == entry.entry.batch })
            else { break }
            do throws(LogError) { try check(entry) } catch { break }  // it is its own caller's to be told
            together = entries.prefix(together.count + 1)
        }
        return try write(together).count
    }

    private static let togetherBytes = 1 << 20
    private static let togetherEntries = 128

    private func check(_ new: NewEntry) throws(LogError) {
        let entry = new.entry
        guard entry.type == .whole || entry.type == .partial else {
            throw .misuse(folder, expected: "a whole or partial entry", found: "type \(entry.type.rawValue)")
        }
        guard (1...Self.maximumBatch).contains(entry.batch) else {
            throw .misuse(folder, expected: "a batch from 1 to \(Self.maximumBatch)", found: "batch \(entry.batch)")
        }
        guard entry.batch > mark.watermark else {
            throw LogError(
                .retired, file: folder, expected: "a batch above \(mark.watermark), which is retired",
                found: "batch \(entry.batch)", help: "give what is done again a new batch")
        }
        try checkSections(new)
    }

    private func checkSections(_ new: NewEntry) throws(LogError) {
        guard new.recordsBytes <= LogEntry.maximumRecordsBytes, unsafe new.extra.count <= LogEntry.maximumExtraBytes else {
            throw .misuse(
                folder, expected: "sections within 1 GiB and 128 MiB", found: unsafe "\(new.recordsBytes) and \(new.extra.count) bytes"
            )
        }
    }

    /// `append` with the sections in arrays.
    @discardableResult
    package func append(_ entry: LogEntry, records: [UInt8], extra: [UInt8] = []) throws(LogError) -> EntryLocation {
        unsafe try withBuffers(records, extra) { records, extra throws(LogError) in
            unsafe try append(entry, records: [records], extra: extra)
        }
    }

    /// Makes durable whatever was appended. When it throws, nobody knows what is on the disk: from then on every call
    /// throws `failed`, and the log must be opened again.
    package func sync() throws(LogError) {
        let active = try usable()
        guard active.synced < active.end else { return }
        try syncFile(active)
    }

    /// Corrects the totals, without an entry: for counts that no batch can carry, such as those of retired batches.
    package func correct(by difference: Totals) throws(LogError) {
        var corrected = mark
        corrected.totals += difference
        try write(corrected)
        mark = corrected
    }

    func write(_ mark: Mark) throws(LogError) {
        let extra = mark.encoded
        unsafe _ = try withBuffers([], extra) { records, extra throws(LogError) in
            unsafe try write(
                NewEntry(entry: LogEntry(.mark, batch: mark.watermark, time: lastTime), records: [records], extra: extra))
        }
    }

    @discardableResult
    func write(_ entry: NewEntry) throws(LogError) -> EntryLocation {
        try checkSections(entry)
        let written = try write([entry])
        return written[0].location(in: segments[segments.count - 1].number)
    }

    /// Writes the first entry and those behind it that the segment has room for, all or none.
    private func write(_ entries: ArraySlice<NewEntry>) throws(LogError) -> [IndexRecord] {
        var headers: [EntryHeader] = []
        /// Zeros for the padding of all, then the headers.
        var heads = [UInt8](repeating: 0, count: EntryHeader.alignment)
        var active: Active?
        var end: UInt64 = 0
        for new in entries {
            var header = EntryHeader(entry: new.entry)
            header.recordsLength = UInt32(new.recordsBytes)
            header.extraLength = unsafe UInt32(new.extra.count)
            if active == nil {
                let usable = try roomFor(header.paddedBytes)
                active = usable
                end = usable.end
            }
            guard let active, headers.isEmpty || hasRoom(for: header.paddedBytes, at: end, behind: headers.count) else { break }
            unsafe header.recordsChecksum = new.recordsChecksum ?? new.records.reduce(0) { unsafe crc32c($1, $0) }
            unsafe header.extraChecksum = crc32c(new.extra)
            header.synced = UInt32(truncatingIfNeeded: active.synced)
            if new.entry.type == .whole || new.entry.type == .partial {
                header.parts = UInt16(truncatingIfNeeded: index.parts(before: new.entry.batch))
            }
            heads += header.encoded(segment: active.number, offset: end)
            end += header.paddedBytes
            headers.append(header)
        }
        guard let active else { return [] }
        unsafe try withBuffers(heads, []) { heads, _ throws(LogError) in
            var parts: [UnsafeRawBufferPointer] = unsafe []
            for (number, (header, new)) in zip(headers, entries).enumerated() {
                let start = EntryHeader.alignment + number * EntryHeader.byteCount
                unsafe parts.append(UnsafeRawBufferPointer(rebasing: heads[start..<start + EntryHeader.byteCount]))
                unsafe parts += new.records
                unsafe parts.append(new.extra)
                unsafe parts.append(UnsafeRawBufferPointer(rebasing: heads[..<Int(header.paddedBytes - header.contentBytes)]))
            }
            unsafe try writeAtEnd(of: active, parts)
        }
        return headers.map { enter($0, in: active) }
    }

    /// What was written at the end of the segment is an entry from now on.
    private func enter(_ header: EntryHeader, in active: Active) -> IndexRecord {
        let entry = header.entry
        let record = IndexRecord(header, offset: UInt32(truncatingIfNeeded: active.end))
        active.end += header.paddedBytes
        _ = index.add(record)
        let last = segments.count - 1
        segments[last].bytes = active.end
        if entry.type == .whole || entry.type == .partial {
            segments[last].lastBatch = max(segments[last].lastBatch, entry.batch)
        }
        lastTime = max(lastTime, entry.time)
        return record
    }

    /// The active segment, ready for the next operation.
    func usable() throws(LogError) -> Active {
        guard let active else {
            throw .misuse(folder, expected: "a log opened for writing", found: "one opened to look")
        }
        switch state {
        case .ready: break
        case .overlong: try cutBack(active)
        case .failed(var error):
            error.code = .failed
            error.help = "open the log again, which finds out what is on the disk"
            throw error
        }
        return active
    }

    func fail(_ error: LogError) { state = .failed(error) }

    func syncFile(_ active: Active) throws(LogError) {
        do throws(DiskError) { try active.file.sync() } catch {
            // What the kernel could not write it may have dropped: a second sync that succeeds would prove nothing.
            let error = LogError(error)
            fail(error)
            throw error
        }
        active.synced = active.end
    }

    /// Writes at the end of the segment, whole or not at all. Does not move the end.
    func writeAtEnd(of active: Active, _ parts: [UnsafeRawBufferPointer]) throws(LogError) {
        do throws(DiskError) { unsafe try active.file.writeAll(parts, at: active.end) } catch {
            state = .overlong
            try? cutBack(active)
            throw LogError(error)
        }
    }

    private func cutBack(_ active: Active) throws(LogError) {
        do throws(DiskError) { try active.file.truncate(to: active.end) } catch { throw LogError(error) }
        state = .ready
    }
}

/// Lends two arrays as buffers to a body that may throw.
func withBuffers<R>(
    _ first: [UInt8], _ second: [UInt8],
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(LogError) -> R
) throws(LogError) -> R {
    let result: Result<R, LogError> = unsafe first.withUnsafeBytes { first in
        unsafe second.withUnsafeBytes { second in
            do throws(LogError) { return .success(unsafe try body(first, second)) } catch { return .failure(error) }
        }
    }
    return try result.get()
}
