/// A JSON value (RFC 8259), read strictly. Small on purpose: it reads one configuration at start.
indirect enum JSON {
    case null
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    case string([UInt8])
    case array([JSON])
    case object([(key: [UInt8], value: JSON)])

    static let maximumDepth = 128

    /// Where the text stops being JSON.
    struct Fault: Error, CustomStringConvertible {
        var offset: Int
        var expected: String
        var description: String { "no \(expected) at byte \(offset)" }
    }

    init(reading bytes: [UInt8]) throws(Fault) {
        var reader = JSONReader(bytes)
        self = try reader.wholeText()
    }

    /// `text` as a JSON string, quotes included.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

private struct JSONReader {
    let bytes: [UInt8]
    var offset = 0
    var depth = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func wholeText() throws(JSON.Fault) -> JSON {
        let result = try value()
        skipSpace()
        guard offset == bytes.count else { throw fault("end of the text") }
        return result
    }

    private func fault(_ expected: String) -> JSON.Fault { JSON.Fault(offset: offset, expected: expected) }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func take(_ byte: Character) -> Bool {
        guard next == byte.asciiValue else { return false }
        offset += 1
        return true
    }

    private mutating func value() throws(JSON.Fault) -> JSON {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try nested { reader throws(JSON.Fault) in try reader.object() }
        case UInt8(ascii: "["): return try nested { reader throws(JSON.Fault) in try reader.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func nested(_ body: (inout JSONReader) throws(JSON.Fault) -> JSON) throws(JSON.Fault) -> JSON {
        guard depth < JSON.maximumDepth else { throw fault("less than \(JSON.maximumDepth) levels") }
        depth += 1
        offset += 1
        let result = try body(&self)
        depth -= 1
        return result
    }

    private mutating func word(_ text: String, _ result: JSON) throws(JSON.Fault) -> JSON {
        guard bytes[offset...].starts(with: text.utf8) else { throw fault("value") }
        offset += text.utf8.count
        return result
    }

    private mutating func object() throws(JSON.Fault) -> JSON {
        var members: [(key: [UInt8], value: JSON)] = []
        skipSpace()
        if take("}") { return .object([]) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw fault("name in quotes") }
            let key = try string()
            skipSpace()
            guard take(":") else { throw fault("colon") }
            members.append((key, try value()))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw fault("comma or closing brace") }
        }
    }

    private mutating func array() throws(JSON.Fault) -> JSON {
        var elements: [JSON] = []
        skipSpace()
        if take("]") { return .array([]) }
        while true {
            elements.append(try value())
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw fault("comma or closing bracket") }
        }
    }

    private mutating func string() throws(JSON.Fault) -> [UInt8] {
        offset += 1
        var result: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return result
            case UInt8(ascii: "\\"): result.append(contentsOf: try escape())
            case 0..<0x20:
                offset -= 1
                throw fault("escape for a control character")
            default: result.append(byte)
            }
        }
        throw fault("closing quote")
    }

    private mutating func escape() throws(JSON.Fault) -> [UInt8] {
        guard let byte = next else { throw fault("escape") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = try fourDigits()
            if code & 0xFC00 == 0xD800 {
                guard take("\\"), take("u") else { throw fault("second half of a surrogate pair") }
                let low = try fourDigits()
                guard low & 0xFC00 == 0xDC00 else { throw fault("second half of a surrogate pair") }
                code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault("Unicode scalar") }
            return Array(String(Character(scalar)).utf8)
        default:
            offset -= 1
            throw fault("known escape")
        }
    }

    private mutating func fourDigits() throws(JSON.Fault) -> UInt32 {
        guard bytes.count - offset >= 4 else { throw fault("four hexadecimal digits") }
        let text = String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
        guard !text.hasPrefix("+"), !text.hasPrefix("-"), let code = UInt32(text, radix: 16) else {
            throw fault("four hexadecimal digits")
        }
        offset += 4
        return code
    }

    private mutating func digits() -> Int {
        let start = offset
        while let byte = next, byte >= 0x30, byte <= 0x39 { offset += 1 }
        return offset - start
    }

    private mutating func number() throws(JSON.Fault) -> JSON {
        let start = offset
        _ = take("-")
        let first = next
        let whole = digits()
        guard whole >= 1, whole == 1 || first != 0x30 else {
            offset = start
            throw fault("value")
        }
        var isInteger = true
        if take(".") {
            isInteger = false
            guard digits() > 0 else { throw fault("digit") }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            offset += 1
            if !take("+") { _ = take("-") }
            guard digits() > 0 else { throw fault("digit") }
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else {
            offset = start
            throw fault("number that a double can hold")
        }
        return .number(number)
    }
}
