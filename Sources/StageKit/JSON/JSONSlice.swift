/// One value inside a JSON text that has been checked: a typed view of its bytes, valid as long as they are.
@safe public struct JSONSlice {
    public enum Kind: String, Sendable {
        case object, array, string, number, boolean, null
    }

    public let kind: Kind

    /// Where in the text it begins.
    public let offset: Int

    /// The text of the value as it stands, quotes included. Valid as long as the text it was found in.
    @unsafe public let bytes: UnsafeRawBufferPointer

    let hasEscapes: Bool

    init(kind: Kind, offset: Int, bytes: UnsafeRawBufferPointer, hasEscapes: Bool) {
        self.kind = kind
        self.offset = offset
        unsafe self.bytes = bytes
        self.hasEscapes = hasEscapes
    }

    /// The text of the value as it stands, quotes included.
    public var text: String { unsafe lossyText(bytes) }

    public var isNull: Bool { kind == .null }

    /// The boolean, or nil when it is something else.
    public var boolean: Bool? { kind == .boolean ? text == "true" : nil }

    /// The string with its escapes decoded, or nil when it is something else.
    public var string: String? {
        guard kind == .string else { return nil }
        return withStringBytes { unsafe lossyText($0) }
    }

    /// The number as the nearest double, or nil when it is something else; infinite when it is beyond doubles.
    public var number: Double? {
        guard kind == .number else { return nil }
        return simpleNumber ?? Double(text)
    }

    /// The number if it is written as a whole one (no point, no exponent) and fits, or nil.
    public var integer: Int64? {
        guard kind == .number else { return nil }
        var value: Int64 = 0
        let isNegative = unsafe bytes[0] == UInt8(ascii: "-")
        for unsafe byte in unsafe bytes.dropFirst(isNegative ? 1 : 0) {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            let digit = Int64(byte - UInt8(ascii: "0"))
            let (sum, carry) = shifted.addingReportingOverflow(isNegative ? -digit : digit)
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// Calls `body` with the bytes of the string, escapes decoded: in place when it has none. Nothing when it is
    /// something else than a string.
    @safe public func withStringBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        guard kind == .string else { return unsafe try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        guard hasEscapes else {
            return try unsafe body(UnsafeRawBufferPointer(rebasing: bytes[1..<(bytes.count - 1)]))
        }
        var decoded: [UInt8] = []
        appendString(to: &decoded)
        return try decoded.withStageBytes(body)
    }

    /// Appends the bytes of the string, escapes decoded.
    public func appendString(to result: inout [UInt8]) {
        guard kind == .string else { return }
        var at = 1
        let end = unsafe bytes.count - 1
        while at < end {
            var stop = at
            while stop < end, unsafe bytes[stop] != UInt8(ascii: "\\") { stop += 1 }
            unsafe result.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<stop]))
            at = stop
            if at < end { at += appendEscape(at: at, to: &result) }
        }
    }

    /// Decodes the escape at `at`, which the scanner has checked; returns its length.
    private func appendEscape(at: Int, to result: inout [UInt8]) -> Int {
        let letter = unsafe bytes[at + 1]
        switch letter {
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            let unit = UInt32(unit(at: at))
            guard unit & 0xF800 == 0xD800 else {
                append(unit, to: &result)
                return 6
            }
            append(0x10000 + (unit & 0x3FF) << 10 + UInt32(self.unit(at: at + 6)) & 0x3FF, to: &result)
            return 12
        default: result.append(letter)
        }
        return 2
    }

    private func unit(at: Int) -> UInt16 {
        var unit: UInt16 = 0
        for index in (at + 2)..<(at + 6) { unit = unsafe unit << 4 | (Self.hexDigit(bytes[index]) ?? 0) }
        return unit
    }

    private func append(_ scalar: UInt32, to result: inout [UInt8]) {
        result.append(contentsOf: Array(String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8))
    }

    static func hexDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// The number, when it has at most 15 digits, at most 22 of them after the point, and no exponent: then one
    /// division of two doubles that are exact gives the nearest one.
    private var simpleNumber: Double? {
        var mantissa: Int64 = 0
        var digits = 0
        var fraction = -1
        var at = 0
        let isNegative = unsafe bytes[0] == UInt8(ascii: "-")
        if isNegative { at = 1 }
        while at < (unsafe bytes.count) {
            let byte = unsafe bytes[at]
            at += 1
            if byte == UInt8(ascii: ".") {
                fraction = 0
                continue
            }
            guard byte <= UInt8(ascii: "9"), digits < 15 else { return nil }
            mantissa = mantissa * 10 + Int64(byte - UInt8(ascii: "0"))
            digits += 1
            if fraction >= 0 { fraction += 1 }
        }
        var value = Double(mantissa)
        if fraction > 0 {
            var power = 1.0
            for _ in 0..<fraction { power *= 10 }
            value /= power
        }
        return isNegative ? -value : value
    }
}
