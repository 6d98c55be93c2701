extension StageLog {
    /// Ends the active segment and begins the next, so that opening reads no more than an index. For the end of a job.
    package func seal() throws(LogError) {
        let active = try usable()
        if successor != nil || active.end > NewSegment.byteCount { try rotate(active) }
    }

    /// Lets go of the files. What was not synced is as safe as without closing; nothing can be appended afterwards.
    package func close() {
        active = nil
        successor = nil
        readers = []
    }

    /// The segment that an entry of this many bytes goes to.
    func roomFor(_ bytes: UInt64) throws(LogError) -> Active {
        let active = try usable()
        if successor != nil || !hasRoom(for: bytes, at: active.end, behind: 0) { try rotate(active) }
        return try usable()
    }

    /// Whether the segment has room for an entry at `offset`, when `others` that are not in the index yet are written before it.
    func hasRoom(for bytes: UInt64, at offset: UInt64, behind others: Int) -> Bool {
        let entries = Int(index.nextOrdinal - segments[segments.count - 1].firstOrdinal) + others
        return (offset + bytes <= options.segmentBytes || offset <= NewSegment.byteCount) && entries < options.segmentEntries
    }

    /// The steps and their order are those of the format: each crash in between can be told apart when opening. When a
    /// step fails, the next call takes it up again.
    private func rotate(_ old: Active) throws(LogError) {
        if old.synced < old.end { try syncFile(old) }
        let next = NewSegment(identity: identity, number: old.number + 1, predecessor: old.end, mark: mark)
        let new: Active
        if let successor {
            new = successor
        } else {
            do throws(LogError) { new = try next.create(disk, folder: folder) } catch {
                if error.code == .failed { fail(error) }
                throw error
            }
            successor = new
        }
        let last = segments.count - 1
        let records = index.records(from: segments[last].firstOrdinal)
        let seal = SealEntry.encoded(records, number: old.number, at: old.end)
        unsafe try withBuffers(seal, []) { seal, _ throws(LogError) in
            unsafe try writeAtEnd(of: old, [seal])
        }
        do throws(DiskError) { try old.file.sync() } catch {
            let error = LogError(error)
            fail(error)
            throw error
        }
        segments[last].bytes = old.end + UInt64(seal.count)
        next.enter(&index, &segments)
        active = new
        successor = nil
    }
}
