import CLinux

// The loads and stores of this module. All are by explicit offset, little endian and unaligned. The caller has checked
// that offset + size lies inside the buffer; the standard library checks again in debug builds.

extension UnsafeRawBufferPointer {
    @inline(__always)
    func load16(_ offset: Int) -> UInt16 {
        unsafe UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
    @inline(__always)
    func load32(_ offset: Int) -> UInt32 {
        unsafe UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    @inline(__always)
    func load64(_ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    /// `count` bytes from `offset`, as a view.
    @inline(__always)
    func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        unsafe storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }
}

/// CRC32C (Castagnoli) of `bytes`, going on from `previous`, the checksum of what came before.
@inline(__always)
package func checksum(of bytes: UnsafeRawBufferPointer, after previous: UInt32 = 0) -> UInt32 {
    guard bytes.count > 0, let base = bytes.baseAddress else { return previous }
    return unsafe clinux_crc32c(previous, base, bytes.count)
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
