/// One stage's durable log: an append-only, segmented list of what became of its batches.
///
/// The log knows no stage: it stores entries (`LogEntry`, two opaque sections) and knows which batches are whole. What
/// it promises, and the bytes on disk, are in `docs/log-format.md`. Use it from one thread at a time.
package final class StageLog {
    typealias Segment = LogAnalysis.Segment

    /// The segment that is written to.
    final class Active {
        let number: UInt64
        let path: String
        let file: any DiskFile
        /// Where the next entry goes.
        var end: UInt64
        /// What a sync has covered.
        var synced: UInt64

        init(number: UInt64, path: String, file: any DiskFile, end: UInt64) {
            self.number = number
            self.path = path
            self.file = file
            self.end = end
            synced = end
        }
    }

    enum State {
        case ready
        /// A failed write could not be taken back yet: the file is longer than its entries.
        case overlong
        /// Nobody knows what is on the disk.
        case failed(LogError)
    }

    let disk: any Disk
    package let folder: String
    package let options: LogOptions
    /// Random number of this log, in every segment.
    package let identity: UInt64

    /// In order; the last one is active.
    var segments: [Segment]
    /// Nil when the log was opened to look only.
    var active: Active?
    /// The next segment, when it exists already and the active one still lacks its seal.
    var successor: Active?
    var mark: Mark
    var index: LiveIndex
    var state = State.ready
    /// Retired segments that could not be unlinked yet.
    var doomed: [Segment] = []
    /// Files of segments that were read from, at most `maximumReaders`.
    var readers: [(number: UInt64, file: any DiskFile)] = []
    var lastTime: UInt32

    init(_ disk: any Disk, _ folder: String, _ options: LogOptions, _ analysis: LogAnalysis, active: Active?) {
        self.disk = disk
        self.folder = folder
        self.options = options
        self.active = active
        identity = analysis.identity
        segments = analysis.segments
        mark = analysis.mark
        index = analysis.index
        lastTime = analysis.lastTime
    }

    // MARK: What is committed

    /// Whether the batch is whole, here or retired.
    package func contains(_ batch: UInt64) -> Bool { index.contains(batch) }

    /// Every batch from 1 to here is whole.
    package var committedThrough: UInt64 { index.committedThrough }

    /// The whole batches above `committedThrough`, in order.
    package var beyond: [UInt64] { index.beyond.sorted() }

    /// Every batch up to here may be gone from the log: its result is not kept any more.
    package var retiredThrough: UInt64 { mark.watermark }

    /// Counts over all whole batches, retired ones included, plus corrections.
    package var totals: Totals {
        var totals = mark.totals
        totals += index.liveTotals
        return totals
    }

    /// What the log takes on the disk.
    package var bytesOnDisk: UInt64 {
        var bytes = doomed.reduce(successor?.end ?? 0) { $0 + $1.bytes }
        for segment in segments { bytes += segment.bytes }
        return bytes
    }

    /// Whether everything that was appended is on stable storage.
    package var isSynced: Bool { active.map { $0.synced == $0.end } ?? true }

    /// Greatest time among the entries, in seconds since 1970; 0 when there is none.
    package var lastWrite: UInt32 { lastTime }

    // MARK: Where it lies

    /// The entries that make up the outcome of a whole batch, in order of append; empty when the batch is not whole, or
    /// retired.
    package func entries(of batch: UInt64) -> [EntryLocation] { index.outcome(of: batch).map(location) }

    /// The partial entries after the last whole one of the batch: the records of an unfinished batch that are done.
    package func pending(of batch: UInt64) -> [EntryLocation] { index.pending(of: batch).map(location) }

    /// The batches that have pending entries, in order.
    package var pendingBatches: [UInt64] { index.pendingBatches }

    /// The newest entry in order of batches that carries a checkpoint, of a batch not above this one. Answers for
    /// batches from `retiredThrough` up.
    package func lastCheckpoint(notAbove batch: UInt64) -> EntryLocation? {
        index.lastCheckpoint(notAbove: batch).map(location)
    }

    private func location(_ ordinal: UInt32) -> EntryLocation {
        var low = 0
        var high = segments.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if segments[middle].firstOrdinal <= ordinal { low = middle } else { high = middle }
        }
        return index[ordinal].record.location(in: segments[low].number)
    }
}
