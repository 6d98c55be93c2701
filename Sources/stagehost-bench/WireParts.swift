import CLinux
import Glibc
import StageModel
import StageWire

/// One block of records, encoded, checked and read as host and workers do.
struct WireParts {
    let count: Int
    let values: [UInt8]
    let table: [UInt8]
    let block: [UInt8]
    var blockBytes: Int { block.count }

    init(count: Int, valueBytes: Int) {
        self.count = count
        values = (0..<count * valueBytes).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        var table = [UInt8](repeating: 0, count: count * WireLimits.tableEntryBytes)
        unsafe table.withUnsafeMutableBytes { raw in
            for index in 0..<count {
                let entry = TableEntry(
                    identifier: UInt64(index), input: UInt32(index), offset: UInt32(index * valueBytes), keySize: 8,
                    valueSize: UInt32(valueBytes - 8))
                unsafe entry.store(into: raw, at: index * WireLimits.tableEntryBytes)
            }
        }
        self.table = table
        var block = [UInt8](repeating: 0, count: Block.length(count: count, bytes: count * valueBytes))
        Self.encode(table, values, count, into: &block)
        self.block = block
    }

    /// A table and its bytes made a block: what a worker does, but that the worker writes from where they lie.
    private static func encode(_ table: [UInt8], _ values: [UInt8], _ count: Int, into block: inout [UInt8]) {
        let length = block.count
        unsafe block.withUnsafeMutableBytes { raw in
            guard let start = raw.baseAddress else { return }
            let header = WireLimits.blockHeaderBytes
            unsafe table.withUnsafeBytes { table in
                guard let base = table.baseAddress else { return }
                unsafe memcpy(start + header, base, table.count)
            }
            unsafe values.withUnsafeBytes { values in
                guard let base = values.baseAddress else { return }
                unsafe memcpy(start + header + table.count, base, values.count)
            }
            let sum = unsafe checksum(of: UnsafeRawBufferPointer(rebasing: raw[header...]))
            unsafe Block.encodeHeader(
                into: UnsafeMutableRawBufferPointer(rebasing: raw[0..<header]), count: UInt32(count),
                bytesLength: UInt32(values.count), length: UInt32(length), checksum: sum)
        }
    }

    func encode(_ rounds: Int) throws(BenchError) -> Double {
        var target = [UInt8](repeating: 0, count: block.count)
        let seconds = try secondsEach(rounds) { Self.encode(table, values, count, into: &target) }
        guard target == block else { throw .failed("encode: found another block, expected the same") }
        return seconds
    }

    func copy(_ rounds: Int) throws(BenchError) -> Double {
        var target = [UInt8](repeating: 0, count: block.count)
        return try secondsEach(rounds) {
            unsafe block.withUnsafeBytes { from in
                unsafe target.withUnsafeMutableBytes { to in unsafe to.copyMemory(from: from) }
            }
        }
    }

    func checksumHardware(_ rounds: Int) throws(BenchError) -> Double {
        let expected = unsafe block.withUnsafeBytes { unsafe clinux_crc32c_portable(0, $0.baseAddress, $0.count) }
        return try secondsEach(rounds) { () throws(BenchError) in
            guard checksum(of: block) == expected else { throw .failed("CRC32C: the two versions differ") }
        }
    }

    func checksumTable(_ rounds: Int) throws(BenchError) -> Double {
        let expected = checksum(of: block)
        return try secondsEach(rounds) { () throws(BenchError) in
            let sum = unsafe block.withUnsafeBytes { unsafe clinux_crc32c_portable(0, $0.baseAddress, $0.count) }
            guard sum == expected else { throw .failed("CRC32C: the two versions differ") }
        }
    }

    func validate(_ rounds: Int) throws(BenchError) -> Double {
        let allowed = IndexRanges(count: UInt32(count))
        return try secondsEach(rounds) { () throws(BenchError) in
            let summary = unsafe block.withUnsafeBytes { raw in
                unsafe try? BlocksSummary(validating: raw, allowed: allowed, maximumRecords: UInt64(count))
            }
            guard summary?.records == UInt64(count) else { throw .failed("validate: found a bad block, expected a good one") }
        }
    }

    /// Header and table entries of a block that is known to be good.
    func read(_ rounds: Int) throws(BenchError) -> Double {
        try secondsEach(rounds) { () throws(BenchError) in
            var bytes = 0
            unsafe block.withUnsafeBytes { raw in
                guard let header = unsafe try? Block(decodingHeaderOf: raw, at: 0, name: 0) else { return }
                for index in 0..<Int(header.count) {
                    let entry = unsafe TableEntry(loading: raw, at: header.tableOffset + index * WireLimits.tableEntryBytes)
                    bytes += Int(entry.keySize) + Int(entry.valueSize)
                }
            }
            guard bytes == values.count else { throw .failed("read: found \(bytes) bytes, expected \(values.count)") }
        }
    }
}
