/// UTF-8 by the byte, for scanners that meet it in passing.
package enum UTF8Sequence {
    /// Length of the well-formed sequence that starts at `at`, or 0 when there is none (RFC 3629: no overlong forms, no
    /// surrogates, nothing above U+10FFFF). `at` must lie inside `text`.
    @unsafe package static func length(in text: UnsafeRawBufferPointer, at: Int) -> Int {
        let first = unsafe text[at]
        guard first >= 0x80 else { return 1 }
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: return 0
        }
        guard at + length <= text.count, unsafe second.contains(text[at + 1]) else { return 0 }
        if length > 2 {
            for offset in 2..<length where unsafe text[at + offset] & 0xC0 != 0x80 { return 0 }
        }
        return length
    }

    /// The scalar of the well-formed sequence of `length` bytes at `at`.
    @unsafe package static func scalar(in text: UnsafeRawBufferPointer, at: Int, length: Int) -> Unicode.Scalar {
        var value = unsafe UInt32(text[at])
        if length > 1 {
            value &= 0x7F >> UInt32(length)
            for offset in 1..<length { value = unsafe value << 6 | UInt32(text[at + offset] & 0x3F) }
        }
        return Unicode.Scalar(value) ?? "\u{FFFD}"
    }
}
