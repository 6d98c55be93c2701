import StageModel
import StageScheduler
import StageWire

@testable import StageRuntime

/// A job of twelve records through five stages that have, between them, all ways in which a stage can be logged: a source
/// that is read again, a durable transform that works record by record, one without a log, one with a state (or, where
/// `isStateful` is false, a plain one) and a sink that is cut back to its checkpoint.
struct SmallJob: Sendable {
    var isStateful = true
    /// Entries go into the logs only when nothing else is to be done, so that the workers are ahead of them.
    var storageLags = false
    /// Its plugin takes the record that it had rejected.
    var isRepaired = false

    static let records = 12
    static let unreadable = 8
    static let rejected = 4
    static let filtered = 6
    static let rejectedLate = 10

    var policy: JobPolicy {
        var clean = StagePolicy(name: "clean", kind: .transform)
        clean.window = 3
        var split = StagePolicy(name: "split", kind: .transform)
        split.durable = false
        var number = StagePolicy(name: "number", kind: .transform)
        number.snapshotEveryBatches = 2
        var job = JobPolicy(stages: [
            StagePolicy(name: "read", kind: .source), clean, split, number, StagePolicy(name: "write", kind: .sink),
        ])
        job.batchRecords = 3
        job.sync = .interval(nanoseconds: 6_000_000)
        return job
    }

    func facts(of stage: Int) -> PluginFacts {
        switch stage {
        case 0: PluginFacts(kind: .source, flags: [], functions: [.read], maximumWorkers: 1)
        case 1: PluginFacts(kind: .transform, flags: [.recordByRecord], functions: [.process], maximumWorkers: 0)
        case 2: PluginFacts(kind: .transform, flags: [], functions: [.process], maximumWorkers: 0)
        case 3:
            PluginFacts(
                kind: .transform, flags: isStateful ? [.stateful] : [], functions: [.process, .finish], maximumWorkers: 1)
        default: PluginFacts(kind: .sink, flags: [], functions: [.process, .sync], maximumWorkers: 1)
        }
    }
}

/// Blocks as a worker would send them.
enum SmallBlock {
    static func encoded(_ records: [(input: UInt32, record: RecordCopy)]) -> BlockPayload? {
        guard !records.isEmpty else { return nil }
        let size = records.reduce(0) { $0 + $1.record.key.count + $1.record.value.count }
        var bytes = [UInt8](repeating: 0, count: Block.length(count: records.count, bytes: size))
        let table = WireLimits.blockHeaderBytes
        let start = table + records.count * WireLimits.tableEntryBytes
        var offset = 0
        for (index, (input, record)) in records.enumerated() {
            let content = record.key + record.value
            bytes.replaceSubrange(start + offset..<start + offset + content.count, with: content)
            let entry = TableEntry(
                identifier: record.identifier, input: input, offset: UInt32(offset), keySize: UInt32(record.key.count),
                valueSize: UInt32(record.value.count))
            unsafe bytes.withUnsafeMutableBytes { raw in
                unsafe entry.store(into: raw, at: table + index * WireLimits.tableEntryBytes)
            }
            offset += content.count
        }
        return unsafe bytes.withUnsafeMutableBytes { raw in
            let payload = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(raw)[table...])
            unsafe Block.encodeHeader(
                into: raw, count: UInt32(records.count), bytesLength: UInt32(size), length: UInt32(raw.count),
                checksum: checksum(of: payload))
            return unsafe BlockPayload(copying: UnsafeRawBufferPointer(raw), records: UInt64(records.count))
        }
    }

    /// The records of a batch in the order in which a worker sees them; nil if some block is not sound.
    static func decoded(_ payloads: [Payload], count: UInt32) -> [RecordCopy]? {
        let blocks = payloads.compactMap { $0 as? BlockPayload }
        for block in blocks {
            let summary = unsafe try? BlocksSummary(
                validating: block.blocks, allowed: IndexRanges(count: 100), maximumRecords: 100)
            guard summary?.records == block.recordCount else { return nil }
        }
        let records = (0..<count).compactMap { RecordCopy(input: $0, of: blocks) }
        let isWhole = records.count == Int(count) && RecordCopy(input: count, of: blocks) == nil
        return isWhole ? records : nil
    }
}

/// The output of the job. Outlives its writers, like a file; what was not synced does not outlive a power loss.
struct SmallSink {
    var rows: [String] = []
    private(set) var durable: [String] = []

    mutating func sync() { durable = rows }

    mutating func losePower() { rows = durable }

    /// What is there after the power loss is on the disk.
    mutating func settle() { durable = rows }
}
