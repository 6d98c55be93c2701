import CLinux

// The loads and stores of this module. All are by explicit offset, little endian and unaligned. The caller has checked
// that offset + size lies inside the buffer; the standard library checks again in debug builds.

extension UnsafeRawBufferPointer {
    @inlinable @inline(__always)
    package func load16(_ offset: Int) -> UInt16 {
        unsafe UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
    @inlinable @inline(__always)
    package func load32(_ offset: Int) -> UInt32 {
        unsafe UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    @inlinable @inline(__always)
    package func load64(_ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    /// `count` bytes from `offset`, as a view.
    @inlinable @inline(__always)
    package func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
    }
}

extension UnsafeMutableRawBufferPointer {
    @inlinable @inline(__always)
    package func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        unsafe storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }
}

/// CRC32C (Castagnoli) of `bytes`, going on from `previous`, the checksum of what came before.
@inline(__always)
package func checksum(of bytes: UnsafeRawBufferPointer, after previous: UInt32 = 0) -> UInt32 {
    guard bytes.count > 0, let base = bytes.baseAddress else { return previous }
    return unsafe clinux_crc32c(previous, base, bytes.count)
}

/// The checksum of some bytes followed by `count` others, from the checksums of both.
package func joined(_ first: UInt32, _ second: UInt32, count: Int) -> UInt32 {
    clinux_crc32c_joined(first, second, count)
}

/// CRC32C (Castagnoli) of an array of bytes.
package func checksum(of bytes: [UInt8]) -> UInt32 {
    unsafe bytes.withUnsafeBytes { unsafe checksum(of: $0) }
}

extension Array where Element == UInt8 {
    mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
        var rest = value
        for _ in 0..<Value.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// Zeros up to the next multiple of eight, counted from `start`.
    mutating func pad(from start: Int) {
        while (count - start) % 8 != 0 { append(0) }
    }
}
