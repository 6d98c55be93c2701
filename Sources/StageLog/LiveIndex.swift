/// What is committed and where it lies: the index of all entries in the log, and the set of whole batches.
///
/// Memory is bounded by what is not retired: 56 bytes an entry and a dictionary slot a batch.
struct LiveIndex {
    /// One entry in the order of the log. Its ordinal is its place since the log was opened.
    struct Live {
        var batch: UInt64
        var offset: UInt32
        var recordsLength: UInt32
        var extraLength: UInt32
        var inputs: UInt32
        var passed: UInt32
        var filtered: UInt32
        var failed: UInt32
        var outputs: UInt32
        var time: UInt32
        /// Ordinal of the entry of the same batch before this one.
        var previous: UInt32
        /// Partial entries of the generation before this one, in full.
        var parts: UInt32
        var flags: LogEntry.Flags
        var type: LogEntry.Kind

        init(_ record: IndexRecord) {
            batch = record.entry.batch
            offset = record.offset
            recordsLength = record.recordsLength
            extraLength = record.extraLength
            inputs = record.entry.inputs
            passed = record.entry.passed
            filtered = record.entry.filtered
            failed = record.entry.failed
            outputs = record.entry.outputs
            time = record.entry.time
            previous = LiveIndex.none
            parts = UInt32(record.parts)
            flags = record.entry.flags
            type = record.entry.type
        }

        var record: IndexRecord {
            IndexRecord(
                LogEntry(
                    type, batch: batch, flags: flags, inputs: inputs, passed: passed, filtered: filtered,
                    failed: failed, outputs: outputs, time: time),
                offset: offset, recordsLength: recordsLength, extraLength: extraLength,
                parts: UInt16(truncatingIfNeeded: parts))
        }
    }

    static let none = UInt32.max

    private var live: [Live] = []
    /// Ordinal of the first of `live`.
    private(set) var firstOrdinal: UInt32 = 0
    /// The newest entry of each batch above the watermark.
    private var newest: [UInt64: UInt32] = [:]
    /// Entries with a checkpoint, by batch; at most one of them at or below the watermark after `forget`.
    private var checkpoints: [(batch: UInt64, ordinal: UInt32)] = []

    private(set) var watermark: UInt64
    /// Every batch up to here is whole.
    private(set) var committedThrough: UInt64
    /// Whole batches above `committedThrough`.
    private(set) var beyond: Set<UInt64> = []
    /// Of the whole batches above the watermark.
    private(set) var liveTotals = Totals()

    init(watermark: UInt64) {
        self.watermark = watermark
        committedThrough = watermark
    }

    var nextOrdinal: UInt32 { firstOrdinal + UInt32(live.count) }

    func contains(_ batch: UInt64) -> Bool { batch > 0 && (batch <= committedThrough || beyond.contains(batch)) }

    subscript(ordinal: UInt32) -> Live { live[Int(ordinal - firstOrdinal)] }

    func records(from ordinal: UInt32) -> [IndexRecord] { live[Int(ordinal - firstOrdinal)...].map(\.record) }

    /// Partial entries that the next entry of the batch would follow in its generation.
    func parts(before batch: UInt64) -> UInt32 {
        guard let ordinal = newest[batch] else { return 0 }
        let entry = self[ordinal]
        return entry.type == .partial ? entry.parts + 1 : 0
    }

    /// Adds the next entry of the log. Returns the number of parts that it should have had, when it had another: then
    /// something is missing, and nothing was added.
    mutating func add(_ record: IndexRecord) -> UInt32? {
        let ordinal = nextOrdinal
        var entry = Live(record)
        let isResult = entry.type == .whole || entry.type == .partial
        if isResult && entry.batch > watermark {
            let parts = parts(before: entry.batch)
            guard UInt16(truncatingIfNeeded: parts) == record.parts else { return parts }
            entry.parts = parts
            entry.previous = newest.updateValue(ordinal, forKey: entry.batch) ?? Self.none
            live.append(entry)
            if entry.type == .whole { completed(entry, ordinal) }
        } else {
            live.append(entry)
        }
        if entry.flags.contains(.hasCheckpoint) && (entry.type == .whole || entry.type == .carried) {
            addCheckpoint(entry.batch, ordinal)
        }
        return nil
    }

    private mutating func completed(_ entry: Live, _ ordinal: UInt32) {
        if contains(entry.batch) {
            // Done again: the former generation is just before the first entry of this one.
            var former = entry.previous
            for _ in 0..<entry.parts { former = self[former].previous }
            if former != Self.none { liveTotals -= generationTotals(former) }
        } else {
            beyond.insert(entry.batch)
            while beyond.remove(committedThrough &+ 1) != nil { committedThrough += 1 }
        }
        liveTotals += generationTotals(ordinal)
    }

    /// Ordinals of a generation that ends with the whole entry `ordinal`, in order of append.
    private func generation(_ ordinal: UInt32) -> [UInt32] {
        var result = [ordinal]
        for _ in 0..<self[ordinal].parts { result.append(self[result[result.count - 1]].previous) }
        return result.reversed()
    }

    private func generationTotals(_ ordinal: UInt32) -> Totals {
        var totals = Totals()
        for part in generation(ordinal) { totals.add(self[part].record.entry) }
        return totals
    }

    /// The entries that make up the outcome of a whole batch; empty when it is not whole, or retired.
    func outcome(of batch: UInt64) -> [UInt32] {
        guard var ordinal = newest[batch] else { return [] }
        while self[ordinal].type == .partial {
            ordinal = self[ordinal].previous
            if ordinal == Self.none { return [] }
        }
        return generation(ordinal)
    }

    /// The partial entries after the last whole one of the batch.
    func pending(of batch: UInt64) -> [UInt32] {
        guard let last = newest[batch], self[last].type == .partial else { return [] }
        return generation(last)
    }

    /// Batches with pending entries, in order.
    var pendingBatches: [UInt64] {
        newest.filter { self[$0.value].type == .partial }.keys.sorted()
    }

    // MARK: Checkpoints

    private mutating func addCheckpoint(_ batch: UInt64, _ ordinal: UInt32) {
        let place = firstCheckpoint(above: batch)
        if place > 0 && checkpoints[place - 1].batch == batch {
            checkpoints[place - 1].ordinal = ordinal
        } else {
            checkpoints.insert((batch, ordinal), at: place)
        }
    }

    /// Index of the first checkpoint of a batch above this one.
    private func firstCheckpoint(above batch: UInt64) -> Int {
        if let last = checkpoints.last, last.batch <= batch { return checkpoints.count }
        var low = 0
        var high = checkpoints.count
        while low < high {
            let middle = (low + high) / 2
            if checkpoints[middle].batch <= batch { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The newest entry, in order of batches, that carries a checkpoint of a batch not above this one.
    func lastCheckpoint(notAbove batch: UInt64) -> UInt32? {
        let place = firstCheckpoint(above: batch)
        return place > 0 ? checkpoints[place - 1].ordinal : nil
    }

    // MARK: Retirement

    /// Totals of the whole batches above the watermark up to `batch`, which must all be whole.
    func totals(through batch: UInt64) -> Totals {
        var totals = Totals()
        guard batch > watermark else { return totals }
        for whole in (watermark + 1)...batch {
            if let last = outcome(of: whole).last { totals += generationTotals(last) }
        }
        return totals
    }

    /// Raises the watermark: batches up to it are known as committed, and no more.
    mutating func forget(through batch: UInt64) {
        if batch > watermark {
            liveTotals -= totals(through: batch)
            for whole in (watermark + 1)...batch { newest[whole] = nil }
            watermark = batch
        }
        let kept = firstCheckpoint(above: watermark) - 1
        if kept > 0 { checkpoints.removeFirst(kept) }
    }

    /// Lets go of the entries before `ordinal`, whose segments are gone.
    mutating func drop(before ordinal: UInt32) {
        live.removeFirst(Int(ordinal - firstOrdinal))
        firstOrdinal = ordinal
    }
}
