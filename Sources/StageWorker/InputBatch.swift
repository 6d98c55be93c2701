import CStage
import StageModel
import StageWire

/// The records of a `process` request as the plugin sees them: an array of `stage_record` that points into the payload.
///
/// The array is kept from batch to batch. Invariant: what it points into is the payload given to the last `load`, and the
/// places in the shared memory that it names.
@safe struct InputBatch: ~Copyable {
    private var records = GrowingBytes()
    private var map = GrowingBytes()

    /// Records handed to the plugin.
    private(set) var count: UInt32 = 0
    /// Records of the whole batch, of which some may have their outcome already.
    private(set) var batchCount: UInt32 = 0
    /// Bytes that earlier attempts have left, by index in the batch.
    private(set) var resumes: [UInt32: [UInt8]] = [:]
    /// Where the part of the batch begins that the request is about: a multiple of 65,536.
    private(set) var first: UInt32 = 0
    private var isSubset = false
    /// Where in the shared memory the answer's blocks may be put.
    private(set) var room: SharedPlace?
    /// Where the blocks of the batch are; and the blocks.
    private var segments: [UnsafeRawBufferPointer] = unsafe []
    /// Of the segments, those that came in the frame: they are the first.
    private var inlineSegments = 0
    private var places: [Place] = []

    private static let anyInput = IndexRanges(count: .max)

    init() {}

    /// nil when there is none.
    var recordPointer: UnsafePointer<stage_record>? {
        unsafe count == 0 ? nil : records.base.map { unsafe UnsafePointer($0.assumingMemoryBound(to: stage_record.self)) }
    }

    /// The plugin's index of a record to its index in the batch; nil when they are the same.
    var indexPointer: UnsafePointer<UInt32>? {
        unsafe isSubset ? map.base.map { unsafe UnsafePointer($0.assumingMemoryBound(to: UInt32.self)) } : nil
    }

    /// Validates a `process` request and lays out its records. `payload` stays where it is until the next `load`; what the
    /// request names in `memory` stays until it is answered.
    mutating func load(_ frame: FrameHeader, payload: UnsafeRawBufferPointer, _ memory: PayloadMemory?) throws {
        unsafe segments.removeAll(keepingCapacity: true)
        let inline = unsafe UnsafeRawBufferPointer(rebasing: payload[..<frame.inlineBlocksLength])
        if unsafe !inline.isEmpty { unsafe segments.append(inline) }
        inlineSegments = unsafe segments.count
        let extra = unsafe UnsafeRawBufferPointer(rebasing: payload[frame.inlineBlocksLength...])
        let wanted = unsafe try readItems(extra, count: frame.count, memory)
        let inOrder = try validate(stated: frame.count)

        batchCount = frame.count
        first = (wanted?.first ?? 0) / WireLimits.maximumBatchRecords * WireLimits.maximumBatchRecords
        count = UInt32(wanted?.count ?? Int(frame.count))
        isSubset = wanted != nil
        records.count = 0
        map.count = 0
        guard unsafe records.reserve(Int(count) * MemoryLayout<stage_record>.stride), map.reserve(isSubset ? Int(count) * 4 : 0)
        else { throw Departure(code: 74, message: "batch \(frame.batch): no memory for its \(count) records") }

        if inOrder {
            var index: UInt32 = 0
            for place in places {
                for entry in 0..<place.count {
                    unsafe add(TableEntry(loading: place.table, at: entry * WireLimits.tableEntryBytes), place.bytes, index, wanted)
                    index += 1
                }
            }
        } else {
            for unsafe (index, entry) in unsafe merged().enumerated() {
                unsafe add(entry.entry, entry.bytes, UInt32(index), wanted)
            }
        }
    }

    @inline(__always)
    private mutating func add(_ entry: TableEntry, _ bytes: UnsafeRawPointer, _ index: UInt32, _ wanted: IndexRanges?) {
        if let wanted {
            guard wanted.contains(index) else { return }
            unsafe withUnsafeBytes(of: index) { unsafe map.append($0.baseAddress, 4) }
        }
        guard let target = unsafe records.base else { return }
        let key = unsafe bytes + Int(entry.offset)
        let record = unsafe stage_record(
            id: entry.identifier, key: stage_bytes(data: key, size: Int(entry.keySize)),
            value: stage_bytes(data: key + Int(entry.keySize), size: Int(entry.valueSize)))
        unsafe (target + records.count).storeBytes(of: record, as: stage_record.self)
        unsafe records.count += MemoryLayout<stage_record>.stride
    }

    private mutating func readItems(
        _ extra: UnsafeRawBufferPointer, count: UInt32, _ memory: PayloadMemory?
    ) throws -> IndexRanges? {
        if !resumes.isEmpty { resumes = [:] }
        room = nil
        var wanted: IndexRanges?
        var reader = unsafe ItemReader(extra)
        while let item = try reader.next() {
            switch item.type {
            case .ranges:
                let ranges = try item.ranges()
                guard wanted == nil, ranges.last.map({ $0 < count }) ?? true else {
                    throw WireError(
                        .range, "process frame, ranges", found: "\(ranges.ranges)", expected: "one item, indexes below \(count)")
                }
                wanted = ranges
            case .resume:
                let resume = try item.resume()
                guard resume.input < count else {
                    throw WireError(
                        .range, "process frame, resume", found: "input \(resume.input)", expected: "an index below \(count)")
                }
                resumes[resume.input] = resume.bytes
            case .room: room = try item.place(inside: memory?.size ?? 0)
            case .place:
                let place = try item.place(inside: memory?.size ?? 0)
                if let memory { unsafe segments.append(memory.bytes(at: place)) }
            default:
                throw WireError(
                    .item, "process frame", found: "a \(item.type) item", expected: "ranges, resume, room and place items")
            }
        }
        let asked = wanted?.first.flatMap { first in wanted?.last.map { (first, $0) } } ?? (0, max(count, 1) - 1)
        guard asked.0 / WireLimits.maximumBatchRecords == asked.1 / WireLimits.maximumBatchRecords else {
            throw WireError(
                .length, "process frame", found: "records \(asked.0) to \(asked.1) asked for",
                expected: "indexes between two multiples of \(WireLimits.maximumBatchRecords)")
        }
        return wanted
    }

    /// A block: its table and its bytes, both validated.
    @safe private struct Place {
        var table: UnsafeRawBufferPointer
        var bytes: UnsafeRawPointer
        var count: Int
    }

    /// Finds the blocks; false when their records must be merged.
    private mutating func validate(stated: UInt32) throws -> Bool {
        places.removeAll(keepingCapacity: true)
        var inOrder = true
        var lastInput: UInt32 = 0
        var found = 0
        for unsafe (number, blocks) in unsafe segments.enumerated() {
            // What the host has looked at in the shared memory no plugin can have changed since: none has a pointer to write there with.
            let isChecked = number >= inlineSegments
            var start = 0
            while start < blocks.count {
                let name = places.count
                let block = unsafe try Block(decodingHeaderOf: blocks, at: start, name: name)
                let whole = unsafe UnsafeRawBufferPointer(rebasing: blocks[start..<start + block.length])
                _ = unsafe try block.validate(whole, name: name, allowed: Self.anyInput, isChecked: isChecked)
                guard let base = whole.baseAddress else { continue }
                let place = unsafe Place(
                    table: UnsafeRawBufferPointer(rebasing: whole[block.tableOffset..<block.bytesOffset]),
                    bytes: base + block.bytesOffset, count: Int(block.count))
                let last = unsafe place.table.count - WireLimits.tableEntryBytes
                if unsafe TableEntry(loading: place.table, at: 0).input < lastInput { inOrder = false }
                lastInput = unsafe TableEntry(loading: place.table, at: last).input
                found += place.count
                places.append(place)
                start += block.length
            }
        }
        guard found == Int(stated) else {
            throw WireError(.length, "process frame", found: "\(found) records in blocks", expected: "\(stated)")
        }
        return inOrder
    }

    /// The entries of blocks that came in any order, by input; entries of one input keep their order.
    private func merged() -> [(entry: TableEntry, bytes: UnsafeRawPointer)] {
        var entries: [(entry: TableEntry, bytes: UnsafeRawPointer)] = unsafe []
        for place in places {
            for index in 0..<place.count {
                unsafe entries.append((TableEntry(loading: place.table, at: index * WireLimits.tableEntryBytes), place.bytes))
            }
        }
        let order = unsafe entries.indices.sorted { unsafe (entries[$0].entry.input, $0) < (entries[$1].entry.input, $1) }
        return unsafe order.map { unsafe entries[$0] }
    }
}
