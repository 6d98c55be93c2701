/// What a record of a batch is recognised by when it comes again: 64 bits of its id, key and value.
///
/// The index does not serve: a batch may come again without records that are dead letters by now, and in pieces. The
/// digest is in databases, so it must stay what it is. Records that are alike have the same digest, and are told apart by
/// counting.
package struct RecordDigest: Hashable, Sendable {
    package let bits: UInt64

    package init(bits: UInt64) {
        self.bits = bits
    }

    package init(_ record: borrowing Record) {
        var state = Self.mix(record.id ^ 0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93)
        unsafe Self.add(record.keyBuffer, to: &state)
        unsafe Self.add(record.valueBuffer, to: &state)
        bits = state
    }

    /// The length goes first, so that the border between key and value counts.
    @unsafe private static func add(_ bytes: UnsafeRawBufferPointer, to state: inout UInt64) {
        state = mix(state ^ UInt64(bytes.count), 0xA076_1D64_78BD_642F)
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            state = mix(state ^ word, 0xE703_7ED1_A0B4_28DB)
            offset += 8
        }
        guard offset < bytes.count else { return }
        var word: UInt64 = 0
        while offset < bytes.count {
            word = unsafe word << 8 | UInt64(bytes[offset])
            offset += 1
        }
        state = mix(state ^ word, 0x8EBC_6AF0_9C88_C6E3)
    }

    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        // The sum keeps a product of nought from swallowing what came before.
        return (product.high ^ product.low) &+ left
    }
}
