import StageModel
import StageWire

/// Frames and blocks as arrays, for tests that bend them.
enum Bytes {
    struct Record {
        var identifier: UInt64
        var input: UInt32
        var key: [UInt8]
        var value: [UInt8]

        init(_ identifier: UInt64, _ input: UInt32, _ key: String, _ value: String) {
            self.identifier = identifier
            self.input = input
            self.key = Array(key.utf8)
            self.value = Array(value.utf8)
        }
    }

    static func frame(_ header: FrameHeader, blocks: [UInt8] = [], extra: [UInt8] = []) -> [UInt8] {
        var header = header
        header.blocksLength = UInt32(blocks.count)
        header.extraLength = UInt32(extra.count)
        header.extraChecksum = checksum(of: extra)
        var bytes = [UInt8](repeating: 0, count: WireLimits.frameHeaderBytes)
        unsafe bytes.withUnsafeMutableBytes { unsafe header.encode(into: $0) }
        return bytes + blocks + extra
    }

    static func block(_ records: [Record]) -> [UInt8] {
        var bytes = [UInt8](
            repeating: 0,
            count: Block.length(count: records.count, bytes: records.reduce(0) { $0 + $1.key.count + $1.value.count }))
        unsafe bytes.withUnsafeMutableBytes { buffer in
            var offset = 0
            let start = WireLimits.blockHeaderBytes + records.count * WireLimits.tableEntryBytes
            for (index, record) in records.enumerated() {
                unsafe TableEntry(
                    identifier: record.identifier, input: record.input, offset: UInt32(offset),
                    keySize: UInt32(record.key.count), valueSize: UInt32(record.value.count)
                ).store(into: buffer, at: WireLimits.blockHeaderBytes + index * WireLimits.tableEntryBytes)
                for byte in record.key + record.value {
                    unsafe buffer[start + offset] = byte
                    offset += 1
                }
            }
            unsafe encodeHeader(buffer, count: UInt32(records.count), bytesLength: UInt32(offset))
        }
        return bytes
    }

    static func encodeHeader(_ buffer: UnsafeMutableRawBufferPointer, count: UInt32, bytesLength: UInt32) {
        let payload = unsafe UnsafeRawBufferPointer(rebasing: buffer[WireLimits.blockHeaderBytes...])
        unsafe Block.encodeHeader(
            into: buffer, count: count, bytesLength: bytesLength, length: UInt32(buffer.count),
            checksum: checksum(of: payload))
    }

    /// Changes a little-endian number and makes the checksums right again: only the rule in question is then broken.
    static func bend(_ block: [UInt8], _ offset: Int, to value: UInt32) -> [UInt8] {
        var bytes = block
        for position in 0..<4 { bytes[offset + position] = UInt8(truncatingIfNeeded: value >> (8 * position)) }
        let sum = checksum(of: Array(bytes[32...]))
        for position in 0..<4 { bytes[12 + position] = UInt8(truncatingIfNeeded: sum >> (8 * position)) }
        let headerSum = checksum(of: Array(bytes[..<28]))
        for position in 0..<4 { bytes[28 + position] = UInt8(truncatingIfNeeded: headerSum >> (8 * position)) }
        return bytes
    }

    static func bendFrame(_ frame: [UInt8], _ offset: Int, _ values: [UInt8]) -> [UInt8] {
        var bytes = frame
        for (position, value) in values.enumerated() { bytes[offset + position] = value }
        let sum = checksum(of: Array(bytes[..<60]))
        for position in 0..<4 { bytes[60 + position] = UInt8(truncatingIfNeeded: sum >> (8 * position)) }
        return bytes
    }

    static func header(_ frame: [UInt8], answer: Bool = false) -> Result<FrameHeader, WireError> {
        unsafe frame.withUnsafeBytes { bytes in
            Result { () throws(WireError) in unsafe try FrameHeader(decoding: bytes, expectingAnswer: answer) }
        }
    }

    static func summary(
        _ blocks: [UInt8], allowed: IndexRanges? = IndexRanges(count: 100), limit: UInt64 = 65_536
    ) -> Result<BlocksSummary, WireError> {
        unsafe blocks.withUnsafeBytes { bytes in
            Result { () throws(WireError) in unsafe try BlocksSummary(validating: bytes, allowed: allowed, maximumRecords: limit) }
        }
    }

    static func rule<Success>(_ result: Result<Success, WireError>) -> WireError.Rule? {
        if case .failure(let error) = result { return error.rule }
        return nil
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
