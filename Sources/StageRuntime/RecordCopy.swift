import StageModel
import StageWire

/// One record, copied out of the blocks of a batch: for letters and for people, never on the way of the work.
package struct RecordCopy: Sendable, Equatable {
    package var identifier: UInt64
    package var key: [UInt8]
    package var value: [UInt8]

    package init(identifier: UInt64, key: [UInt8], value: [UInt8]) {
        self.identifier = identifier
        self.key = key
        self.value = value
    }

    /// The record at `input` of the batch whose blocks are given: the order is that of `docs/wire.md`, sorted by the
    /// entries' `input`.
    init?(input: UInt32, of payloads: [BlockPayload]) {
        var places: [(input: UInt32, payload: Int, block: Int, entry: TableEntry)] = []
        for (number, payload) in payloads.enumerated() {
            var start = 0
            while start < payload.byteCount {
                guard let block = unsafe try? Block(decodingHeaderOf: payload.blocks, at: start, name: number) else { return nil }
                for index in 0..<Int(block.count) {
                    let entry = unsafe TableEntry(
                        loading: payload.blocks, at: start + block.tableOffset + index * WireLimits.tableEntryBytes)
                    places.append((entry.input, number, start + block.bytesOffset, entry))
                }
                start += block.length
            }
        }
        guard input < places.count else { return nil }
        let order = places.indices.sorted { (places[$0].input, $0) < (places[$1].input, $1) }
        let place = places[order[Int(input)]]
        let bytes = unsafe payloads[place.payload].blocks
        let keyStart = place.block + Int(place.entry.offset)
        let valueStart = keyStart + Int(place.entry.keySize)
        // Validated long ago, and in memory that is shared.
        guard valueStart + Int(place.entry.valueSize) <= payloads[place.payload].byteCount else { return nil }
        self.init(
            identifier: place.entry.identifier,
            key: unsafe Array(bytes[keyStart..<valueStart]),
            value: unsafe Array(bytes[valueStart..<valueStart + Int(place.entry.valueSize)]))
    }

    /// The record as a block of one.
    package func block() -> [UInt8] { Self.block(of: [self]) }

    /// Records as one block, each an input of its own, in order. They must fit into one: see `WireLimits`.
    static func block(of records: [RecordCopy]) -> [UInt8] {
        let size = records.reduce(0) { $0 + $1.key.count + $1.value.count }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Block.length(count: records.count, bytes: size))
        let table = WireLimits.blockHeaderBytes
        bytes += [UInt8](repeating: 0, count: table + records.count * WireLimits.tableEntryBytes)
        let start = bytes.count
        for (index, record) in records.enumerated() {
            let entry = TableEntry(
                identifier: record.identifier, input: UInt32(index), offset: UInt32(bytes.count - start),
                keySize: UInt32(record.key.count), valueSize: UInt32(record.value.count))
            unsafe bytes.withUnsafeMutableBytes { raw in
                unsafe entry.store(into: raw, at: table + index * WireLimits.tableEntryBytes)
            }
            bytes += record.key
            bytes += record.value
        }
        bytes += [UInt8](repeating: 0, count: Block.length(count: records.count, bytes: size) - bytes.count)
        unsafe bytes.withUnsafeMutableBytes { raw in
            let payload = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(raw)[table...])
            unsafe Block.encodeHeader(
                into: raw, count: UInt32(records.count), bytesLength: UInt32(size), length: UInt32(raw.count),
                checksum: checksum(of: payload))
        }
        return bytes
    }

    /// The first record of some blocks.
    package init?(block bytes: [UInt8]) {
        let payload = unsafe bytes.withUnsafeBytes { unsafe BlockPayload(copying: $0, records: 1) }
        self.init(input: 0, of: [payload])
    }
}
