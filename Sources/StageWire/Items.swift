package import StageModel

/// The types of items in `extra`; see `docs/wire.md`.
package enum ItemType: UInt16, Sendable {
    case checkpoint = 1
    case failure = 2
    case sourceFailure = 3
    case ranges = 4
    case metric = 5
    case message = 6
    case resume = 7
    /// In logs only.
    case failed = 8
    /// Where in the shared memory the answer's blocks may be put.
    case room = 9
    /// Where in the shared memory blocks of the request are.
    case place = 10
    case stageName = 16
    case configuration = 17
    case parameters = 18
    case pluginIdentifier = 32
    case pluginVersion = 33
    case pluginDescription = 34
    case pluginSchema = 35
    case pluginTable = 36
}

/// An amount of something that a stage has used up.
package struct MetricItem: Sendable, Equatable {
    package var name: String
    package var amount: Double
    package var input: UInt32

    package init(name: String, amount: Double, input: UInt32) {
        self.name = name
        self.amount = amount
        self.input = input
    }
}

/// Bytes that the next attempt at a record is to get.
package struct ResumeItem: Sendable, Equatable {
    package var input: UInt32
    package var bytes: [UInt8]

    package init(input: UInt32, bytes: [UInt8]) {
        self.input = input
        self.bytes = bytes
    }
}

/// Numbers that a worker is opened with.
package struct OpenParameters: Sendable, Equatable {
    package var workerIndex: UInt32 = 0
    package var workerCount: UInt32 = 1
    package var shardIndex: UInt32 = 0
    package var shardCount: UInt32 = 1
    package var threads: UInt32 = 1

    package init() {}
}

/// The numbers of a plugin's table.
package struct PluginTableItem: Sendable, Equatable {
    package var kind: StageKind
    package var flags: PluginFlags
    package var maximumWorkers: UInt32
    package var functions: PluginFunctions

    package init(kind: StageKind, flags: PluginFlags, maximumWorkers: UInt32, functions: PluginFunctions) {
        self.kind = kind
        self.flags = flags
        self.maximumWorkers = maximumWorkers
        self.functions = functions
    }
}

/// Builds the `extra` section of a frame.
package struct ItemWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package var isEmpty: Bool { bytes.isEmpty }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// Appends items that were encoded before.
    package mutating func append(encoded items: [UInt8]) {
        bytes.append(contentsOf: items)
    }

    package mutating func append(_ type: ItemType, _ content: some Collection<UInt8>) {
        append(type, length: content.count) { $0.append(contentsOf: content) }
    }

    package mutating func append(_ type: ItemType, text: String) {
        append(type, text.utf8)
    }

    package mutating func append(_ failure: RecordFailure) {
        let message = truncated(failure.message)
        append(.failure, length: 16 + message.count) {
            $0.append(littleEndian: failure.input)
            $0.append(littleEndian: failure.kind.rawValue)
            $0.append(littleEndian: failure.retryAfterMilliseconds)
            $0.append(littleEndian: UInt32(0))
            $0.append(contentsOf: message)
        }
    }

    package mutating func append(_ failure: UnreadableRecord) {
        let message = truncated(failure.message)
        append(.sourceFailure, length: 16 + failure.key.count + failure.value.count + message.count) {
            $0.append(littleEndian: failure.identifier)
            $0.append(littleEndian: UInt32(failure.key.count))
            $0.append(littleEndian: UInt32(failure.value.count))
            $0.append(contentsOf: failure.key)
            $0.append(contentsOf: failure.value)
            $0.append(contentsOf: message)
        }
    }

    package mutating func append(_ ranges: IndexRanges) {
        append(.ranges, ranges)
    }

    package mutating func append(_ type: ItemType, _ ranges: IndexRanges) {
        append(type, length: ranges.ranges.count * 8) {
            for range in ranges.ranges {
                $0.append(littleEndian: range.lowerBound)
                $0.append(littleEndian: UInt32(range.count))
            }
        }
    }

    package mutating func append(_ metric: MetricItem) {
        append(.metric, length: 16 + metric.name.utf8.count) {
            $0.append(littleEndian: metric.amount.bitPattern)
            $0.append(littleEndian: metric.input)
            $0.append(littleEndian: UInt32(0))
            $0.append(contentsOf: metric.name.utf8)
        }
    }

    package mutating func append(_ resume: ResumeItem) {
        append(.resume, length: 8 + resume.bytes.count) {
            $0.append(littleEndian: resume.input)
            $0.append(littleEndian: UInt32(0))
            $0.append(contentsOf: resume.bytes)
        }
    }

    /// `type` is `.room` or `.place`.
    package mutating func append(_ type: ItemType, _ place: SharedPlace) {
        append(type, length: 16) {
            $0.append(littleEndian: UInt64(place.offset))
            $0.append(littleEndian: UInt64(place.length))
        }
    }

    package mutating func append(_ parameters: OpenParameters) {
        append(
            .parameters,
            numbers: [
                parameters.workerIndex, parameters.workerCount, parameters.shardIndex, parameters.shardCount,
                parameters.threads, 0,
            ])
    }

    package mutating func append(_ table: PluginTableItem) {
        append(
            .pluginTable,
            numbers: [table.kind.rawValue, table.flags.rawValue, table.maximumWorkers, table.functions.rawValue])
    }

    private mutating func append(_ type: ItemType, numbers: [UInt32]) {
        append(type, length: numbers.count * 4) { for number in numbers { $0.append(littleEndian: number) } }
    }

    private mutating func append(_ type: ItemType, length: Int, _ content: (inout [UInt8]) -> Void) {
        let start = bytes.count
        bytes.append(littleEndian: type.rawValue)
        bytes.append(littleEndian: UInt16(0))
        bytes.append(littleEndian: UInt32(length))
        content(&bytes)
        bytes.pad(from: start)
    }

    private func truncated(_ message: String) -> ArraySlice<UInt8> {
        Array(message.utf8).prefix(WireLimits.maximumMessageBytes)
    }
}

/// Takes the `extra` section of a frame apart, one item after another, believing nothing.
///
/// Invariant: a reader and its items are used only while the bytes given to `init` are alive.
@safe package struct ItemReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    /// `bytes` must outlive the reader.
    package init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
    }

    /// An item: its type and a view of its content.
    @safe package struct Item {
        package var type: ItemType
        package var content: UnsafeRawBufferPointer

        package var text: String { unsafe String(decoding: content, as: UTF8.self) }
        package var array: [UInt8] { unsafe [UInt8](content) }
    }

    package mutating func next() throws(WireError) -> Item? {
        let left = unsafe bytes.count - offset
        guard left > 0 else { return nil }
        guard left >= WireLimits.itemHeaderBytes else {
            throw WireError(.truncated, "item at \(offset)", found: "\(left) bytes", expected: "a header of 8 bytes")
        }
        let raw = unsafe bytes.load16(offset)
        let reserved = unsafe bytes.load16(offset + 2)
        let length = unsafe Int(bytes.load32(offset + 4))
        guard let type = ItemType(rawValue: raw), reserved == 0 else {
            throw WireError(.item, "item at \(offset)", found: "type \(raw), reserved \(reserved)", expected: "a known type")
        }
        let padded = (WireLimits.itemHeaderBytes + length + 7) / 8 * 8
        guard padded <= left else {
            throw WireError(.length, "\(type) item at \(offset)", found: "\(length) bytes", expected: "at most \(left - 8)")
        }
        let content = unsafe bytes.part(offset + WireLimits.itemHeaderBytes, length)
        offset += padded
        return unsafe Item(type: type, content: content)
    }
}

extension ItemReader.Item {
    package func failure() throws(WireError) -> RecordFailure {
        try need(16)
        let rawKind = unsafe content.load32(4)
        guard let kind = FailureKind(rawValue: rawKind) else {
            throw WireError(.item, "failure item", found: "kind \(rawKind)", expected: "1 or 2")
        }
        return unsafe RecordFailure(
            input: content.load32(0), kind: kind, retryAfterMilliseconds: content.load32(8), message: textAfter(16))
    }

    package func sourceFailure() throws(WireError) -> UnreadableRecord {
        try need(16)
        let keySize = unsafe content.load32(8)
        let valueSize = unsafe content.load32(12)
        guard keySize <= WireLimits.maximumKeyBytes, valueSize <= WireLimits.maximumValueBytes,
            unsafe 16 + Int(keySize) + Int(valueSize) <= content.count
        else {
            throw WireError(
                .item, "source failure item", found: "key of \(keySize), value of \(valueSize) bytes",
                expected: "both inside the item")
        }
        return unsafe UnreadableRecord(
            identifier: content.load64(0),
            key: [UInt8](content.part(16, Int(keySize))),
            value: [UInt8](content.part(16 + Int(keySize), Int(valueSize))),
            message: textAfter(16 + Int(keySize) + Int(valueSize)))
    }

    package func ranges() throws(WireError) -> IndexRanges {
        guard unsafe content.count % 8 == 0 else {
            throw WireError(.item, "ranges item", found: unsafe "\(content.count) bytes", expected: "pairs of 8 bytes")
        }
        var ranges: [Range<UInt32>] = []
        unsafe ranges.reserveCapacity(content.count / 8)
        for offset in unsafe stride(from: 0, to: content.count, by: 8) {
            let first = unsafe content.load32(offset)
            let (end, overflow) = unsafe first.addingReportingOverflow(content.load32(offset + 4))
            guard !overflow else {
                throw WireError(.item, "ranges item", found: "an index beyond 32 bits", expected: "indexes of a batch")
            }
            ranges.append(first..<end)
        }
        guard let result = IndexRanges(validating: ranges) else {
            throw WireError(.item, "ranges item", found: "\(ranges)", expected: "ascending, disjoint, not empty")
        }
        return result
    }

    package func metric() throws(WireError) -> MetricItem {
        try need(16)
        let amount = unsafe Double(bitPattern: content.load64(0))
        guard amount.isFinite else {
            throw WireError(.item, "metric item", found: "\(amount)", expected: "a finite amount")
        }
        return unsafe MetricItem(name: textAfter(16), amount: amount, input: content.load32(8))
    }

    package func resume() throws(WireError) -> ResumeItem {
        try need(8)
        guard unsafe content.count - 8 <= WireLimits.maximumResumeBytes else {
            throw WireError(
                .item, "resume item", found: unsafe "\(content.count - 8) bytes",
                expected: "at most \(WireLimits.maximumResumeBytes)")
        }
        return unsafe ResumeItem(input: content.load32(0), bytes: [UInt8](content.part(8, content.count - 8)))
    }

    /// A place inside a memory of `size` bytes.
    package func place(inside size: Int) throws(WireError) -> SharedPlace {
        try need(16)
        let (offset, length) = unsafe (content.load64(0), content.load64(8))
        guard offset <= UInt64(size), length <= UInt64(size) - offset, offset % 8 == 0 else {
            throw WireError(
                .range, "\(type) item", found: "\(length) bytes at \(offset)", expected: "a place inside \(size) bytes")
        }
        return SharedPlace(offset: Int(offset), length: Int(length))
    }

    package func parameters() throws(WireError) -> OpenParameters {
        try need(24)
        var result = OpenParameters()
        unsafe result.workerIndex = content.load32(0)
        unsafe result.workerCount = content.load32(4)
        unsafe result.shardIndex = content.load32(8)
        unsafe result.shardCount = content.load32(12)
        unsafe result.threads = content.load32(16)
        return result
    }

    package func pluginTable() throws(WireError) -> PluginTableItem {
        try need(16)
        let rawKind = unsafe content.load32(0)
        guard let kind = StageKind(rawValue: rawKind) else {
            throw WireError(.item, "plugin table item", found: "kind \(rawKind)", expected: "1, 2 or 3")
        }
        return unsafe PluginTableItem(
            kind: kind, flags: PluginFlags(rawValue: content.load32(4)), maximumWorkers: content.load32(8),
            functions: PluginFunctions(rawValue: content.load32(12)))
    }

    private func need(_ size: Int) throws(WireError) {
        guard unsafe content.count >= size else {
            throw WireError(.item, "\(type) item", found: unsafe "\(content.count) bytes", expected: "at least \(size)")
        }
    }

    private func textAfter(_ offset: Int) -> String {
        unsafe String(decoding: content.part(offset, content.count - offset), as: UTF8.self)
    }
}
