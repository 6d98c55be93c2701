extension StageLog {
    /// Says that the results of all batches up to `batch` will not be asked for again, and removes the segments that
    /// hold nothing else. Returns the bytes that were freed.
    ///
    /// Batches that are not all whole are not retired, whatever is asked. A checkpoint that would still be the newest
    /// is carried over. Files go only after the mark that speaks for them is durable; everything appended so far is
    /// then durable too.
    @discardableResult
    package func retire(through batch: UInt64) throws(LogError) -> UInt64 {
        _ = try usable()
        var freed = try unlinkDoomed()
        let through = min(batch, committedThrough)
        var gone = segments.dropLast().prefix { $0.lastBatch <= through }.count
        guard gone > 0, through >= mark.watermark else { return freed }
        try carryCheckpoint(notAbove: through, outOf: gone)
        var next = mark
        next.totals += index.totals(through: through)
        next.watermark = through
        next.firstSegment = segments[gone].number
        try write(next)
        try sync()
        mark = next
        index.forget(through: through)
        // Writing may have begun a new segment, but never changes the first ones.
        gone = segments.prefix { $0.number < next.firstSegment }.count
        doomed += segments.prefix(gone)
        segments.removeFirst(gone)
        index.drop(before: segments[0].firstOrdinal)
        let firstSegment = next.firstSegment
        readers.removeAll { $0.number < firstSegment }
        freed += try unlinkDoomed()
        return freed
    }

    /// Whether `retire` would let go of entries now.
    package func wouldRetire(through batch: UInt64) -> Bool {
        let through = min(batch, committedThrough)
        return through >= mark.watermark && segments.count > 1 && segments[0].lastBatch <= through
    }

    private func carryCheckpoint(notAbove batch: UInt64, outOf count: Int) throws(LogError) {
        guard let newest = lastCheckpoint(notAbove: batch), newest.segment < segments[count].number else { return }
        let extra = try self.extra(of: newest)
        var entry = newest.entry
        entry = LogEntry(.carried, batch: entry.batch, flags: entry.flags, time: entry.time)
        unsafe _ = try withBuffers([], extra) { records, extra throws(LogError) in
            unsafe try write(NewEntry(entry: entry, records: [records], extra: extra))
        }
    }

    private func unlinkDoomed() throws(LogError) -> UInt64 {
        guard !doomed.isEmpty else { return 0 }
        var freed: UInt64 = 0
        while let segment = doomed.first {
            let path = folder + "/" + SegmentName.of(segment.number)
            try onDisk { () throws(DiskError) in try disk.unlink(path) }
            doomed.removeFirst()
            freed += segment.bytes
        }
        // A name that comes back after a power loss is a leftover that the next open removes.
        try onDisk { () throws(DiskError) in try disk.syncFolder(folder) }
        return freed
    }
}
