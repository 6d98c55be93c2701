import CStage
import StageModel
import StageWire

/// The records of a `process` request as the plugin sees them: an array of `stage_record` that points into the payload.
///
/// The array is kept from batch to batch. Invariant: what it points into is the payload given to the last `load`.
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

    /// Validates a `process` request and lays out its records. `payload` stays where it is until the next `load`.
    mutating func load(_ frame: FrameHeader, payload: UnsafeRawBufferPointer) throws {
        let blocksLength = Int(frame.blocksLength)
        let wanted = unsafe try readItems(UnsafeRawBufferPointer(rebasing: payload[blocksLength...]), count: frame.count)
        let blocks = unsafe UnsafeRawBufferPointer(rebasing: payload[..<blocksLength])
        let places = unsafe try validate(blocks, stated: frame.count)

        batchCount = frame.count
        first = (wanted?.first ?? 0) / WireLimits.maximumBatchRecords * WireLimits.maximumBatchRecords
        count = UInt32(wanted?.count ?? Int(frame.count))
        isSubset = wanted != nil
        records.count = 0
        map.count = 0
        guard unsafe records.reserve(Int(count) * MemoryLayout<stage_record>.stride), map.reserve(isSubset ? Int(count) * 4 : 0)
        else { throw Departure(code: 74, message: "batch \(frame.batch): no memory for its \(count) records") }

        if places.inOrder {
            var index: UInt32 = 0
            for place in places.blocks {
                for entry in 0..<place.count {
                    unsafe add(blocks, entryAt: place.table + entry * WireLimits.tableEntryBytes, bytesAt: place.bytes, index, wanted)
                    index += 1
                }
            }
        } else {
            for (index, entry) in unsafe merged(blocks, places.blocks).enumerated() {
                unsafe add(blocks, entryAt: entry.entry, bytesAt: entry.bytes, UInt32(index), wanted)
            }
        }
    }

    private mutating func add(
        _ blocks: UnsafeRawBufferPointer, entryAt offset: Int, bytesAt bytes: Int, _ index: UInt32, _ wanted: IndexRanges?
    ) {
        if let wanted {
            guard wanted.contains(index) else { return }
            unsafe withUnsafeBytes(of: index) { unsafe map.append($0.baseAddress, 4) }
        }
        let entry = unsafe TableEntry(loading: blocks, at: offset)
        guard let base = blocks.baseAddress, let target = unsafe records.base else { return }
        let key = unsafe base + bytes + Int(entry.offset)
        let record = unsafe stage_record(
            id: entry.identifier, key: stage_bytes(data: key, size: Int(entry.keySize)),
            value: stage_bytes(data: key + Int(entry.keySize), size: Int(entry.valueSize)))
        unsafe (target + records.count).storeBytes(of: record, as: stage_record.self)
        unsafe records.count += MemoryLayout<stage_record>.stride
    }

    private mutating func readItems(_ extra: UnsafeRawBufferPointer, count: UInt32) throws -> IndexRanges? {
        if !resumes.isEmpty { resumes = [:] }
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
            default:
                throw WireError(.item, "process frame", found: "a \(item.type) item", expected: "ranges and resume items")
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

    private struct Place {
        var table: Int
        var bytes: Int
        var count: Int
    }

    private func validate(
        _ blocks: UnsafeRawBufferPointer, stated: UInt32
    ) throws -> (blocks: [Place], inOrder: Bool) {
        var places: [Place] = []
        var inOrder = true
        var lastInput: UInt32 = 0
        var found = 0
        var start = 0
        while start < blocks.count {
            let block = unsafe try Block(decodingHeaderOf: blocks, at: start, name: places.count)
            _ = unsafe try block.validate(
                UnsafeRawBufferPointer(rebasing: blocks[start..<start + block.length]), name: places.count,
                allowed: Self.anyInput)
            let place = Place(table: start + block.tableOffset, bytes: start + block.bytesOffset, count: Int(block.count))
            let last = place.table + (place.count - 1) * WireLimits.tableEntryBytes
            if unsafe TableEntry(loading: blocks, at: place.table).input < lastInput { inOrder = false }
            lastInput = unsafe TableEntry(loading: blocks, at: last).input
            found += place.count
            places.append(place)
            start += block.length
        }
        guard found == Int(stated) else {
            throw WireError(.length, "process frame", found: "\(found) records in blocks", expected: "\(stated)")
        }
        return (places, inOrder)
    }

    /// The entries of blocks that came in any order, by input; entries of one input keep their order.
    private func merged(
        _ blocks: UnsafeRawBufferPointer, _ places: [Place]
    ) -> [(input: UInt32, entry: Int, bytes: Int)] {
        var entries: [(input: UInt32, entry: Int, bytes: Int)] = []
        for place in places {
            for index in 0..<place.count {
                let offset = place.table + index * WireLimits.tableEntryBytes
                unsafe entries.append((TableEntry(loading: blocks, at: offset).input, offset, place.bytes))
            }
        }
        entries.sort { ($0.input, $0.entry) < ($1.input, $1.entry) }
        return entries
    }
}
