/// JSON by RFC 8259, over bytes: strict, without a tree, without an allocation on the common path.
///
/// "Strict" means: UTF-8 only, no byte order mark, no lone surrogates, nothing after the value, and nesting up to
/// ``maximumDepth``. A key that occurs twice in an object counts as what it says the last time.
public enum JSON {
    /// Arrays and objects inside each other, at most.
    public static let maximumDepth = 512

    /// Throws what is wrong with `bytes`, and where, unless they are one JSON value.
    @unsafe public static func validate(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        var scanner = unsafe JSONScanner(bytes)
        try scanner.scanDocument()
    }

    /// Throws what is wrong with `bytes`, and where, unless they are one JSON value.
    public static func validate(_ bytes: some Bytes) throws {
        try bytes.withStageBytes { unsafe try validate($0) }
    }

    /// Whether `bytes` are one JSON value.
    public static func isValid(_ bytes: some Bytes) -> Bool {
        bytes.withStageBytes { bytes in
            do {
                unsafe try validate(bytes)
                return true
            } catch {
                return false
            }
        }
    }

    /// What stands at `pointer`, or nil when nothing does. The whole of `bytes` is validated on the way. The result
    /// is valid as long as `bytes` are.
    @unsafe public static func find(
        _ pointer: JSONPointer, in bytes: UnsafeRawBufferPointer
    ) throws(JSONError) -> JSONSlice? {
        var scanner = unsafe JSONScanner(bytes, lookingFor: pointer)
        try scanner.scanDocument()
        return scanner.found
    }

    /// Calls `body` with what stands at `pointer`, or with nil when nothing does. The whole of `bytes` is validated.
    @safe public static func withValue<Result>(
        at pointer: JSONPointer, in bytes: some Bytes, _ body: (JSONSlice?) throws -> Result
    ) throws -> Result {
        try bytes.withStageBytes { try body(unsafe try find(pointer, in: $0)) }
    }

    /// `bytes` with `value`, which must be JSON, at `pointer`: in place of what stands there, or as a new last member of the
    /// object above. Throws when `bytes` are not JSON, or have no object at the place above.
    public static func replacing(_ pointer: JSONPointer, in bytes: [UInt8], with value: [UInt8]) throws -> [UInt8] {
        if let place = try withValue(at: pointer, in: bytes, { $0.map { unsafe $0.offset..<($0.offset + $0.bytes.count) } }) {
            return Array(bytes[..<place.lowerBound]) + value + bytes[place.upperBound...]
        }
        guard let name = pointer.tokens.last?.name, let above = pointer.parent else { return value }
        let object = try withValue(at: above, in: bytes) { slice in
            slice?.kind == .object ? slice.map { unsafe $0.offset..<($0.offset + $0.bytes.count) } : nil
        }
        guard let object else { throw JSONPointerError(description: "found no object at \"\(above)\", expected one to put \(pointer) into") }
        let isEmpty = bytes[(object.lowerBound + 1)..<(object.upperBound - 1)].allSatisfy { [0x20, 0x0A, 0x0D, 0x09].contains($0) }
        var member: [UInt8] = isEmpty ? [] : [UInt8(ascii: ",")]
        appendQuoted(name, to: &member)
        return Array(bytes[..<(object.upperBound - 1)]) + member + [UInt8(ascii: ":")] + value + bytes[(object.upperBound - 1)...]
    }

    /// `text` as a JSON string, with its quotes.
    public static func quote(_ text: String) -> String {
        var result: [UInt8] = []
        appendQuoted(text, to: &result)
        return String(decoding: result, as: UTF8.self)
    }

    /// Appends `text` as a JSON string, with its quotes.
    public static func appendQuoted(_ text: some Bytes, to result: inout [UInt8]) {
        text.withStageBytes { text in unsafe appendQuoted(text, to: &result) }
    }

    /// Appends UTF-8 `text` as a JSON string, with its quotes. Bytes that are not UTF-8 are copied as they are: check
    /// before.
    @unsafe public static func appendQuoted(_ text: UnsafeRawBufferPointer, to result: inout [UInt8]) {
        result.append(UInt8(ascii: "\""))
        var start = 0
        var at = 0
        while at < text.count {
            at = unsafe JSONScanner.endOfPlainRun(in: text, from: at, stopAtNonASCII: false)
            guard at < text.count else { break }
            let byte = unsafe text[at]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                at += 1
                continue
            }
            unsafe result.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<at]))
            appendEscape(of: byte, to: &result)
            at += 1
            start = at
        }
        unsafe result.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<text.count]))
        result.append(UInt8(ascii: "\""))
    }

    private static func appendEscape(of byte: UInt8, to result: inout [UInt8]) {
        result.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): result.append(byte)
        case 0x08: result.append(UInt8(ascii: "b"))
        case 0x09: result.append(UInt8(ascii: "t"))
        case 0x0A: result.append(UInt8(ascii: "n"))
        case 0x0C: result.append(UInt8(ascii: "f"))
        case 0x0D: result.append(UInt8(ascii: "r"))
        default:
            let digits = Array("0123456789abcdef".utf8)
            result.append(contentsOf: [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")])
            result.append(digits[Int(byte >> 4)])
            result.append(digits[Int(byte & 15)])
        }
    }
}

/// Why some bytes are not JSON, and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Offset of the byte at which it went wrong; the number of bytes when they end too early.
    public let offset: Int

    /// What was found and what was expected.
    public let problem: String

    public var description: String { "\(problem) at byte \(offset)" }
}
