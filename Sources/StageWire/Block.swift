package import StageModel

/// One entry of a block's table.
public struct TableEntry: Sendable, Equatable {
    @usableFromInline package var identifier: UInt64
    @usableFromInline package var input: UInt32
    @usableFromInline package var offset: UInt32
    @usableFromInline package var keySize: UInt32
    @usableFromInline package var valueSize: UInt32

    @inlinable @inline(__always)
    package init(identifier: UInt64, input: UInt32, offset: UInt32, keySize: UInt32, valueSize: UInt32) {
        self.identifier = identifier
        self.input = input
        self.offset = offset
        self.keySize = keySize
        self.valueSize = valueSize
    }

    @inlinable @inline(__always)
    package init(loading bytes: UnsafeRawBufferPointer, at offset: Int) {
        unsafe identifier = bytes.load64(offset)
        unsafe input = bytes.load32(offset + 8)
        unsafe self.offset = bytes.load32(offset + 12)
        unsafe keySize = bytes.load32(offset + 16)
        unsafe valueSize = bytes.load32(offset + 20)
    }

    @inlinable @inline(__always)
    package func store(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
        unsafe buffer.store(identifier, at: offset)
        unsafe buffer.store(input, at: offset + 8)
        unsafe buffer.store(self.offset, at: offset + 12)
        unsafe buffer.store(keySize, at: offset + 16)
        unsafe buffer.store(valueSize, at: offset + 20)
    }
}

/// The header of a block and the places of its parts, all validated. Holds no bytes itself.
package struct Block: Sendable, Equatable {
    package static let magic: UInt32 = 0x3142_4853

    package var count: UInt32
    package var length: Int
    package var bytesLength: UInt32
    /// CRC32C of everything after the header, as the header states it.
    package var checksum: UInt32

    package var tableOffset: Int { WireLimits.blockHeaderBytes }
    package var bytesOffset: Int { WireLimits.blockHeaderBytes + Int(count) * WireLimits.tableEntryBytes }

    /// What a block of so many records and bytes takes, padding included.
    package static func length(count: Int, bytes: Int) -> Int {
        (WireLimits.blockHeaderBytes + count * WireLimits.tableEntryBytes + bytes + 7) / 8 * 8
    }

    /// Writes a block header. `payload` is everything after it, padding included.
    package static func encodeHeader(
        into buffer: UnsafeMutableRawBufferPointer, count: UInt32, bytesLength: UInt32, length: UInt32, checksum sum: UInt32
    ) {
        unsafe buffer.store(magic, at: 0)
        unsafe buffer.store(count, at: 4)
        unsafe buffer.store(length, at: 8)
        unsafe buffer.store(sum, at: 12)
        unsafe buffer.store(bytesLength, at: 16)
        unsafe buffer.store(UInt32(0), at: 20)
        unsafe buffer.store(UInt32(0), at: 24)
        let headerSum = unsafe StageWire.checksum(of: UnsafeRawBufferPointer(buffer).part(0, 28))
        unsafe buffer.store(headerSum, at: 28)
    }

    /// Takes the header of the block that begins at `start` of `bytes`; checks everything but the table and the
    /// payload's checksum. `name` says which block in a message.
    package init(decodingHeaderOf bytes: UnsafeRawBufferPointer, at start: Int, name: Int) throws(WireError) {
        let left = bytes.count - start
        guard left >= WireLimits.blockHeaderBytes else {
            throw WireError(.truncated, "block \(name)", found: "\(left) bytes", expected: "a header of 32 bytes")
        }
        let magic = unsafe bytes.load32(start)
        guard magic == Self.magic else {
            throw WireError(.magic, "block \(name)", found: hex(magic), expected: hex(Self.magic))
        }
        let stated = unsafe bytes.load32(start + 28)
        let sum = unsafe StageWire.checksum(of: bytes.part(start, 28))
        guard stated == sum else {
            throw WireError(.checksum, "block \(name), header", found: hex(sum), expected: hex(stated))
        }
        unsafe count = bytes.load32(start + 4)
        unsafe length = Int(bytes.load32(start + 8))
        unsafe bytesLength = bytes.load32(start + 16)
        unsafe checksum = bytes.load32(start + 12)
        let reserved = unsafe (bytes.load32(start + 20), bytes.load32(start + 24))
        guard reserved == (0, 0) else {
            throw WireError(.reserved, "block \(name), header", found: "\(reserved)", expected: "zeros")
        }
        let expected = Self.length(count: Int(count), bytes: Int(bytesLength))
        guard count >= 1, length == expected, length <= left else {
            throw WireError(
                .length, "block \(name)", found: "\(length) bytes for \(count) records in \(left) bytes",
                expected: "\(expected) bytes, and at least one record")
        }
    }

    /// Checks the payload's checksum and every entry of the table. `bytes` is the whole block. `allowed`: nil for the
    /// blocks of a source or a finish, where `input` is 0. `isChecked`: the checksum has been looked at before.
    /// - Returns: The number of distinct inputs.
    package func validate(
        _ bytes: UnsafeRawBufferPointer, name: Int, allowed: IndexRanges?, isChecked: Bool = false
    ) throws(WireError) -> UInt32 {
        if !isChecked {
            let sum = unsafe StageWire.checksum(of: bytes.part(WireLimits.blockHeaderBytes, length - WireLimits.blockHeaderBytes))
            guard sum == checksum else {
                throw WireError(.checksum, "block \(name)", found: hex(sum), expected: hex(checksum))
            }
        }
        var distinct: UInt32 = 0
        var previous: UInt32 = 0
        let ranges = allowed?.ranges ?? [0..<1]
        var position = 0
        for index in 0..<Int(count) {
            let entry = unsafe TableEntry(
                loading: bytes, at: WireLimits.blockHeaderBytes + index * WireLimits.tableEntryBytes)
            guard entry.keySize <= WireLimits.maximumKeyBytes, entry.valueSize <= WireLimits.maximumValueBytes,
                UInt64(entry.offset) + UInt64(entry.keySize) + UInt64(entry.valueSize) <= UInt64(bytesLength)
            else {
                throw WireError(
                    .range, "block \(name), entry \(index)",
                    found: "offset \(entry.offset), key of \(entry.keySize), value of \(entry.valueSize) bytes",
                    expected: "a key and a value inside \(bytesLength) bytes")
            }
            if distinct == 0 || entry.input != previous {
                guard distinct == 0 || entry.input > previous else {
                    throw WireError(
                        .order, "block \(name), entry \(index)", found: "input \(entry.input)",
                        expected: "at least \(previous)")
                }
                while position < ranges.count, ranges[position].upperBound <= entry.input { position += 1 }
                guard position < ranges.count, ranges[position].contains(entry.input) else {
                    throw WireError(
                        .range, "block \(name), entry \(index)", found: "input \(entry.input)",
                        expected: "an input that was asked for")
                }
                distinct += 1
                previous = entry.input
            }
        }
        return distinct
    }
}

/// What a sequence of blocks holds, found while validating it.
package struct BlocksSummary: Sendable, Equatable {
    package var blocks = 0
    /// Records in all.
    package var records: UInt64 = 0
    /// Inputs that something was emitted for.
    package var inputs: UInt64 = 0
    /// CRC32C of all the bytes, joined from those in the blocks, which have been checked.
    package var checksum: UInt32 = 0

    package init() {}

    /// Validates the blocks that came in one answer.
    ///
    /// - Parameters:
    ///   - bytes: All blocks, nothing else.
    ///   - allowed: The indexes that may occur as `input`; nil where there is no input (read, finish).
    ///   - maximumRecords: The limit for `records`.
    package init(
        validating bytes: UnsafeRawBufferPointer, allowed: IndexRanges?, maximumRecords: UInt64
    ) throws(WireError) {
        var start = 0
        while start < bytes.count {
            let block = unsafe try Block(decodingHeaderOf: bytes, at: start, name: blocks)
            records += UInt64(block.count)
            guard records <= maximumRecords else {
                throw WireError(
                    .length, "blocks", found: "more than \(maximumRecords) records", expected: "at most so many")
            }
            inputs += UInt64(
                unsafe try block.validate(bytes.part(start, block.length), name: blocks, allowed: allowed))
            unsafe join(block, header: bytes.part(start, WireLimits.blockHeaderBytes))
            blocks += 1
            start += block.length
        }
        // An input may stand in one block only: with several blocks, distinct counts of different blocks could overlap.
        if blocks > 1, let allowed, unsafe Self.inputsOverlap(bytes, count: allowed.last.map { Int($0) + 1 } ?? 0) {
            throw WireError(.duplicate, "blocks", found: "one input in two blocks", expected: "each in one")
        }
    }

    private mutating func join(_ block: Block, header: UnsafeRawBufferPointer) {
        let sum = unsafe StageWire.checksum(of: header, after: checksum)
        checksum = joined(sum, block.checksum, count: block.length - WireLimits.blockHeaderBytes)
    }

    private static func inputsOverlap(_ bytes: UnsafeRawBufferPointer, count: Int) -> Bool {
        var owner = [Int32](repeating: -1, count: count)
        var start = 0
        var number: Int32 = 0
        while start < bytes.count {
            guard let block = unsafe try? Block(decodingHeaderOf: bytes, at: start, name: Int(number)) else { return true }
            for index in 0..<Int(block.count) {
                let offset = start + WireLimits.blockHeaderBytes + index * WireLimits.tableEntryBytes + 8
                let input = Int(unsafe bytes.load32(offset))
                guard input < count, owner[input] == -1 || owner[input] == number else { return true }
                owner[input] = number
            }
            start += block.length
            number += 1
        }
        return false
    }
}
