import StageLog
import StageModel
import StageScheduler
import StageWire

// How a commit becomes an entry of a log: `records` are the blocks of the output as they came over the wire; `extra` are
// items of the wire: the checkpoint, the ranges that a partial entry covers, metrics.

extension LogEntry.Flags {
    /// The last batch of a source, or the `finish` of a stage.
    static let isFinish = LogEntry.Flags(rawValue: 1 << 4)
    /// The outputs are not in the log (`durable: false`): the entry says only that and how the batch was done.
    static let withoutOutput = LogEntry.Flags(rawValue: 1 << 5)
    /// `extra` has metrics: only such entries are read for their sums when a job is opened.
    static let hasMetrics = LogEntry.Flags(rawValue: 1 << 6)
}

extension Commit {
    func entry(seconds: UInt32, keepsOutput: Bool) -> LogEntry {
        var flags: LogEntry.Flags = []
        if checkpoint != nil { flags.insert(.hasCheckpoint) }
        if isFinish { flags.insert(.isFinish) }
        if !metrics.isEmpty { flags.insert(.hasMetrics) }
        if !keepsOutput { flags.insert(.withoutOutput) }
        let inputs = stage == 0 ? passed + failed : passed + filtered + failed
        return LogEntry(
            isWhole ? .whole : .partial, batch: batch, flags: flags, inputs: UInt32(clamping: inputs),
            passed: UInt32(clamping: passed), filtered: UInt32(clamping: filtered), failed: UInt32(clamping: failed),
            outputs: UInt32(clamping: outputs), time: seconds)
    }

    func extra() -> [UInt8] {
        var items = ItemWriter()
        if let checkpoint = checkpoint as? CheckpointPayload { items.append(.checkpoint, checkpoint.bytes) }
        if !isWhole { items.append(covered) }
        if !letters.isEmpty, stage > 0 {
            items.append(.failed, IndexRanges(letters.map(\.input)))
        }
        for (name, amount) in metrics.sorted(by: { $0.key < $1.key }) {
            items.append(MetricItem(name: name, amount: amount, input: WireLimits.noInput))
        }
        return items.bytes
    }
}

/// What `extra` of an entry holds.
struct EntryItems {
    var checkpoint: CheckpointPayload?
    var covered = IndexRanges()
    var failed = IndexRanges()
    var metrics: [String: Double] = [:]

    init(_ extra: [UInt8]) throws(WireError) {
        let result: Result<EntryItems, WireError> = unsafe extra.withUnsafeBytes { raw in
            do throws(WireError) { return .success(unsafe try EntryItems(raw)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    private init(_ raw: UnsafeRawBufferPointer) throws(WireError) {
        var reader = unsafe ItemReader(raw)
        while let item = try reader.next() {
            switch item.type {
            case .checkpoint: checkpoint = CheckpointPayload(item.array)
            case .ranges: covered = try item.ranges()
            case .failed: failed.formUnion(try item.ranges())
            case .metric:
                let metric = try item.metric()
                metrics[metric.name, default: 0] += metric.amount
            default: break
            }
        }
    }
}
