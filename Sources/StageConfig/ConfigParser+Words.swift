/// Strings, keys and numbers of JSON5.
extension ConfigParser {
    // MARK: Strings

    mutating func quotedString() throws(Diagnostic) -> String {
        let start = index
        let quote = bytes[index]
        index += 1
        var text: [UInt8] = []
        while let byte = peek {
            switch byte {
            case quote:
                index += 1
                return String(decoding: text, as: UTF8.self)
            case 0x0A, 0x0D:
                throw Diagnostic(
                    "a string does not end on its line", at: Place(source, start..<index),
                    expected: "a closing \(Character(Unicode.Scalar(quote)))",
                    help: "write \\n for a line break inside a string")
            case UInt8(ascii: "\\"): try escape(into: &text)
            default:
                text.append(byte)
                index += 1
            }
        }
        throw Diagnostic(
            "a string does not end", at: Place(source, start..<start + 1),
            expected: "a closing \(Character(Unicode.Scalar(quote)))")
    }

    private mutating func escape(into text: inout [UInt8]) throws(Diagnostic) {
        let start = index
        index += 1
        guard let (value, length) = scalar else { throw unexpected(expected: "an escaped character") }
        index += length
        switch value {
        case "b": text.append(0x08)
        case "f": text.append(0x0C)
        case "n": text.append(0x0A)
        case "r": text.append(0x0D)
        case "t": text.append(0x09)
        case "v": text.append(0x0B)
        case "0" where !(peek.map(Self.isDigit) ?? false): text.append(0x00)
        case "0"..."9":
            throw Diagnostic(
                "a string has an escape with digits", at: Place(source, start..<index), found: "\\\(value)",
                expected: "\\xHH or \\uHHHH")
        case "x": Self.append(try escapedScalar(digits: 2, from: start), to: &text)
        case "u": Self.append(try escapedScalar(digits: 4, from: start), to: &text)
        case "\r":
            // A line continuation: the break is not part of the string.
            if peek == 0x0A { index += 1 }
        case "\n", "\u{2028}", "\u{2029}": break
        default: Self.append(value, to: &text)
        }
    }

    private static func append(_ scalar: Unicode.Scalar, to text: inout [UInt8]) {
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    /// Reads the digits after \x or \u; a pair of surrogates makes one scalar, half a pair is refused.
    private mutating func escapedScalar(digits: Int, from start: Int) throws(Diagnostic) -> Unicode.Scalar {
        let first = try hexDigits(digits, from: start)
        if let scalar = Unicode.Scalar(first) { return scalar }
        if first < 0xDC00, peek == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "u") {
            index += 2
            let second = try hexDigits(4, from: start)
            if (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            {
                return scalar
            }
        }
        throw Diagnostic(
            "a string has half a surrogate pair", at: Place(source, start..<index), found: source.text(start..<index),
            expected: "both halves, \\uD83D\\uDE00, or the character itself")
    }

    private mutating func hexDigits(_ count: Int, from start: Int) throws(Diagnostic) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let byte = peek, let digit = Self.hexDigit(byte) else {
                throw unexpected(expected: "\(count) hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }

    // MARK: Keys

    mutating func memberKey() throws(Diagnostic) -> String {
        if peek == UInt8(ascii: "\"") || peek == UInt8(ascii: "'") { return try quotedString() }
        return try identifier()
    }

    mutating func identifier() throws(Diagnostic) -> String {
        var text = ""
        while let (found, length) = scalar {
            var value = found
            let start = index
            if found == "\\" {
                guard peek(1) == UInt8(ascii: "u") else { break }
                index += 2
                value = try escapedScalar(digits: 4, from: start)
            } else {
                index += length
            }
            guard text.isEmpty ? Self.startsIdentifier(value) : Self.continuesIdentifier(value) else {
                index = start
                break
            }
            text.unicodeScalars.append(value)
        }
        guard !text.isEmpty else {
            throw unexpected(expected: "a key or \"}\"", help: "a key that is not a plain word needs quotes")
        }
        return text
    }

    private static func startsIdentifier(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "$" || scalar == "_" || scalar.properties.isIDStart
    }

    private static func continuesIdentifier(_ scalar: Unicode.Scalar) -> Bool {
        startsIdentifier(scalar) || scalar.properties.isIDContinue || scalar.value == 0x200C || scalar.value == 0x200D
    }

    // MARK: Numbers

    mutating func number() throws(Diagnostic) -> ConfigNode.Content {
        let start = index
        let isNegative = peek == UInt8(ascii: "-")
        if isNegative || peek == UInt8(ascii: "+") { index += 1 }
        if let byte = peek, byte == UInt8(ascii: "I") || byte == UInt8(ascii: "N") {
            _ = try? identifier()
            throw notFinite(from: start)
        }
        let content: ConfigNode.Content
        if peek == UInt8(ascii: "0"), peek(1) == UInt8(ascii: "x") || peek(1) == UInt8(ascii: "X") {
            content = .integer(try hexadecimal(isNegative: isNegative, from: start))
        } else {
            content = try decimal(isNegative: isNegative, from: start)
        }
        if let (next, _) = scalar, Self.continuesIdentifier(next) || next == "." {
            while let (next, length) = scalar, Self.continuesIdentifier(next) || next == "." { index += length }
            let place = Place(source, start..<index)
            throw Diagnostic(
                "\(place.text) is not a number", at: place, found: place.text, expected: "a number",
                help: "a value with a unit needs quotes: \"\(place.text)\"")
        }
        return content
    }

    private mutating func hexadecimal(isNegative: Bool, from start: Int) throws(Diagnostic) -> Int64 {
        index += 2
        var magnitude: UInt64 = 0
        var digits = 0
        var overflow = false
        while let byte = peek, let digit = Self.hexDigit(byte) {
            overflow = overflow || magnitude >> 60 != 0
            magnitude = magnitude << 4 | UInt64(digit)
            digits += 1
            index += 1
        }
        guard digits > 0 else { throw unexpected(expected: "a hexadecimal digit") }
        let value = isNegative ? Int64(exactly: magnitude).map { -$0 } : Int64(exactly: magnitude)
        guard let value, !overflow else { throw tooLarge(from: start) }
        return value
    }

    private mutating func decimal(isNegative: Bool, from start: Int) throws(Diagnostic) -> ConfigNode.Content {
        let whole = digits()
        guard whole.count < 2 || whole.first != "0" else {
            throw Diagnostic(
                "a number begins with 0", at: Place(source, start..<index), found: source.text(start..<index),
                expected: "a number without leading zeros")
        }
        var fraction: String?
        if peek == UInt8(ascii: ".") {
            index += 1
            fraction = digits()
        }
        guard !whole.isEmpty || !(fraction ?? "").isEmpty else { throw unexpected(expected: "a digit") }
        var exponent: String?
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            index += 1
            var sign = ""
            if peek == UInt8(ascii: "-") || peek == UInt8(ascii: "+") {
                sign = peek == UInt8(ascii: "-") ? "-" : ""
                index += 1
            }
            let power = digits()
            guard !power.isEmpty else { throw unexpected(expected: "the digits of the exponent") }
            exponent = sign + power
        }
        let sign = isNegative ? "-" : ""
        if fraction == nil, exponent == nil {
            guard let value = Int64(sign + whole) else { throw tooLarge(from: start) }
            return .integer(value)
        }
        let text = "\(sign)\(whole.isEmpty ? "0" : whole).\((fraction ?? "").isEmpty ? "0" : fraction ?? "0")"
        guard let value = Double(text + (exponent.map { "e" + $0 } ?? "")), value.isFinite else {
            throw tooLarge(from: start)
        }
        return .number(value)
    }

    private mutating func digits() -> String {
        let start = index
        while let byte = peek, Self.isDigit(byte) { index += 1 }
        return source.text(start..<index)
    }

    private func tooLarge(from start: Int) -> Diagnostic {
        let place = Place(source, start..<index)
        return Diagnostic(
            "a number is too large", at: place, found: place.text, expected: "a number that fits 64 bits",
            help: "write it as a string if it is an identifier")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func hexDigit(_ byte: UInt8) -> Int? { Character(Unicode.Scalar(byte)).hexDigitValue }
}
