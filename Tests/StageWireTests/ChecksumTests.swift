import CLinux
import StageModel
import StageWire
import Testing

@Suite struct ChecksumTests {
    /// RFC 3720, appendix B.4.
    @Test func `the checksum gives the known answers`() {
        #expect(checksum(of: Array("123456789".utf8)) == 0xE306_9283)
        #expect(checksum(of: [UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(checksum(of: [UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(checksum(of: Array(0..<32)) == 0x46DD_794E)
        #expect(checksum(of: []) == 0)
    }

    @Test func `the processor and the table agree on any length and start`() {
        var random = SeededGenerator(seed: 1)
        let bytes = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        unsafe bytes.withUnsafeBytes { bytes in
            for _ in 0..<500 {
                let start = Int.random(in: 0..<64, using: &random)
                let size = Int.random(in: 0...(bytes.count - start), using: &random)
                let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<start + size])
                guard let base = part.baseAddress else { continue }
                unsafe #expect(clinux_crc32c(0, base, size) == clinux_crc32c_portable(0, base, size), "\(start), \(size)")
            }
        }
    }

    @Test func `the checksum of two pieces follows from theirs`() {
        var random = SeededGenerator(seed: 2)
        let bytes = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        for _ in 0..<100 {
            let size = Int.random(in: 0...bytes.count, using: &random)
            let cut = Int.random(in: 0...size, using: &random)
            let (first, second) = (checksum(of: Array(bytes[..<cut])), checksum(of: Array(bytes[cut..<size])))
            #expect(joined(first, second, count: size - cut) == checksum(of: Array(bytes[..<size])), "\(size), \(cut)")
        }
    }

    @Test func `the checksum of validated blocks is that of their bytes`() throws {
        let records = (0..<40).map { Bytes.Record(UInt64($0), UInt32($0), "key\($0)", "value \($0)") }
        let blocks = Bytes.block(Array(records[..<25])) + Bytes.block(Array(records[25...]))
        let summary = try unsafe blocks.withUnsafeBytes {
            unsafe try BlocksSummary(validating: $0, allowed: IndexRanges(count: 40), maximumRecords: 40)
        }
        #expect(summary.checksum == checksum(of: blocks) && summary.records == 40)
    }

    @Test func `a checksum can be made in pieces`() {
        let bytes = Array("the quick brown fox".utf8)
        unsafe bytes.withUnsafeBytes { whole in
            for cut in 0...whole.count {
                let first = unsafe checksum(of: UnsafeRawBufferPointer(rebasing: whole[..<cut]))
                unsafe #expect(checksum(of: UnsafeRawBufferPointer(rebasing: whole[cut...]), after: first) == checksum(of: bytes))
            }
        }
    }
}
