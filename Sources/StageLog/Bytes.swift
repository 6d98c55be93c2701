import CLinux

extension [UInt8] {
    /// The little-endian integer at `offset`; traps outside of the array, so check lengths first.
    func integer<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type = T.self) -> T {
        unsafe T(littleEndian: span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// Traps outside of the array.
    mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<T>.size <= count)
        unsafe withUnsafeMutableBytes { bytes in
            unsafe bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
        }
    }
}

func crc32c(_ bytes: UnsafeRawBufferPointer, _ crc: UInt32 = 0) -> UInt32 {
    unsafe clinux_crc32c(crc, bytes.baseAddress, bytes.count)
}

func crc32c(_ bytes: [UInt8], _ range: Range<Int>, _ crc: UInt32 = 0) -> UInt32 {
    unsafe bytes.withUnsafeBytes { unsafe crc32c(UnsafeRawBufferPointer(rebasing: $0[range]), crc) }
}

func hexadecimal(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }
