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
        return unsafe try write(entry, records: records, extra: extra, recordsChecksum: recordsChecksum)
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
            unsafe try write(LogEntry(.mark, batch: mark.watermark, time: lastTime), records: [records], extra: extra)
        }
    }

    @discardableResult
    func write(
        _ entry: LogEntry, records: [UnsafeRawBufferPointer], extra: UnsafeRawBufferPointer, recordsChecksum: UInt32? = nil
    ) throws(LogError) -> EntryLocation {
        var header = EntryHeader(entry: entry)
        let recordsBytes = unsafe records.reduce(0) { $0 + $1.count }
        guard recordsBytes <= LogEntry.maximumRecordsBytes, extra.count <= LogEntry.maximumExtraBytes else {
            throw .misuse(
                folder, expected: "sections within 1 GiB and 128 MiB", found: "\(recordsBytes) and \(extra.count) bytes"
            )
        }
        header.recordsLength = UInt32(recordsBytes)
        header.extraLength = UInt32(extra.count)
        let active = try roomFor(header.paddedBytes)
        unsafe header.recordsChecksum = recordsChecksum ?? records.reduce(0) { unsafe crc32c($1, $0) }
        unsafe header.extraChecksum = crc32c(extra)
        header.synced = UInt32(truncatingIfNeeded: active.synced)
        if entry.type == .whole || entry.type == .partial {
            header.parts = UInt16(truncatingIfNeeded: index.parts(before: entry.batch))
        }
        let bytes = header.encoded(segment: active.number, offset: active.end)
        let padding = [UInt8](repeating: 0, count: Int(header.paddedBytes - header.contentBytes))
        unsafe try withBuffers(bytes, padding) { bytes, padding throws(LogError) in
            unsafe try writeAtEnd(of: active, [bytes] + records + [extra, padding])
        }
        let record = IndexRecord(header, offset: UInt32(truncatingIfNeeded: active.end))
        active.end += header.paddedBytes
        _ = index.add(record)
        let last = segments.count - 1
        segments[last].bytes = active.end
        if entry.type == .whole || entry.type == .partial {
            segments[last].lastBatch = max(segments[last].lastBatch, entry.batch)
        }
        lastTime = max(lastTime, entry.time)
        return record.location(in: active.number)
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
