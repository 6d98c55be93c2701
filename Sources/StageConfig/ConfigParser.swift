/// Reads JSON5 into a tree with places.
///
/// All of JSON5 except `Infinity` and `NaN`, which no JSON can carry. Beyond it, a number must fit (a whole number that
/// needs more than 64 bits is refused, not rounded), keys of an object must differ, and depth and size are limited, so
/// that no input can exhaust the stack.
package struct ConfigParser {
    package static let maximumBytes = 4 << 20
    package static let maximumDepth = 64

    private static let mostDuplicates = 20

    /// How much a text may ask of the parser.
    struct Limits {
        var bytes = ConfigParser.maximumBytes
        var depth = ConfigParser.maximumDepth

        /// For texts that this program wrote itself: what it can make of the largest file and the longest flags.
        static let ownDocument = Limits(bytes: 128 << 20, depth: 256)
    }

    let source: SourceText
    let bytes: [UInt8]
    private let limits: Limits
    var index: Int
    var duplicates: [Diagnostic] = []

    private init(_ source: SourceText, from start: Int, limits: Limits) {
        self.source = source
        self.limits = limits
        bytes = source.bytes
        index = start
    }

    /// The tree, or what is wrong: every duplicate key, or the first error of syntax.
    package static func parse(_ source: SourceText, from start: Int = 0) -> Result<ConfigNode, DiagnosticList> {
        parse(source, from: start, limits: Limits())
    }

    static func parse(_ source: SourceText, from start: Int = 0, limits: Limits) -> Result<ConfigNode, DiagnosticList> {
        var parser = ConfigParser(source, from: start, limits: limits)
        do throws(Diagnostic) {
            let node = try parser.document()
            return parser.duplicates.isEmpty ? .success(node) : .failure(DiagnosticList(parser.duplicates))
        } catch {
            return .failure(DiagnosticList(parser.duplicates + [error]))
        }
    }

    private mutating func document() throws(Diagnostic) -> ConfigNode {
        guard bytes.count <= limits.bytes else {
            throw Diagnostic(
                "\(source.name) is too large", found: "\(bytes.count) bytes",
                expected: "at most \(limits.bytes) bytes",
                help: "keep data out of the pipeline file: name a file that holds it")
        }
        if let offset = firstInvalidUTF8() {
            throw Diagnostic(
                "\(source.name) is not UTF-8 text", at: Place(source, offset..<offset),
                found: "byte 0x\(String(bytes[offset], radix: 16)) at offset \(offset)", expected: "UTF-8",
                help: "save the file as UTF-8")
        }
        try skipSpace()
        let node = try value(depth: 0)
        try skipSpace()
        guard index == bytes.count else {
            throw unexpected(expected: "the end of the text", help: "there must be one value only")
        }
        return node
    }

    private func firstInvalidUTF8() -> Int? {
        if String(validating: bytes, as: UTF8.self) != nil { return nil }
        // Repairing replaces the first bad byte by U+FFFD: that is where the two first differ.
        let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8)
        return zip(bytes, repaired).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? bytes.count - 1
    }

    // MARK: Values

    mutating func value(depth: Int) throws(Diagnostic) -> ConfigNode {
        guard depth < limits.depth else {
            throw Diagnostic(
                "values are nested too deeply", at: Place(source, index..<index + 1),
                expected: "at most \(limits.depth) levels")
        }
        let start = index
        guard let byte = peek else { throw unexpected(expected: "a value") }
        let content: ConfigNode.Content
        switch byte {
        case UInt8(ascii: "{"): content = .object(try members(depth: depth))
        case UInt8(ascii: "["): content = .array(try elements(depth: depth))
        case UInt8(ascii: "\""), UInt8(ascii: "'"): content = .string(try quotedString())
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            content = try number()
        default: content = try keyword()
        }
        return ConfigNode(content, at: Place(source, start..<index))
    }

    private mutating func members(depth: Int) throws(Diagnostic) -> [ConfigMember] {
        index += 1
        var members: [ConfigMember] = []
        var places: [String: Place] = [:]
        while true {
            try skipSpace()
            if peek == UInt8(ascii: "}") { break }
            let start = index
            let key = try memberKey()
            let place = Place(source, start..<index)
            try skipSpace()
            guard peek == UInt8(ascii: ":") else {
                throw unexpected(expected: "\":\" after the key \"\(key)\"", help: keyHelp(key, start: start))
            }
            index += 1
            try skipSpace()
            let node = try value(depth: depth + 1)
            if let first = places[key] {
                guard duplicates.count < Self.mostDuplicates else { throw duplicates[0] }
                duplicates.append(
                    Diagnostic(
                        "duplicate key \"\(key)\"", at: place,
                        found: "the key was given before, at line \(first.span.line), column \(first.span.column)",
                        help: "keep one of the two"))
            } else {
                places[key] = place
                members.append(ConfigMember(key: key, keyPlace: place, node: node))
            }
            guard try separator(before: UInt8(ascii: "}"), "\",\" or \"}\"") else { break }
        }
        index += 1
        return members
    }

    private func keyHelp(_ key: String, start: Int) -> String? {
        guard peek == UInt8(ascii: "-"), bytes[start] != UInt8(ascii: "\"") else { return nil }
        return "a key with a \"-\" in it needs quotes"
    }

    private mutating func elements(depth: Int) throws(Diagnostic) -> [ConfigNode] {
        index += 1
        var elements: [ConfigNode] = []
        while true {
            try skipSpace()
            if peek == UInt8(ascii: "]") { break }
            elements.append(try value(depth: depth + 1))
            guard try separator(before: UInt8(ascii: "]"), "\",\" or \"]\"") else { break }
        }
        index += 1
        return elements
    }

    /// Steps over a comma; false at the closing bracket.
    private mutating func separator(before close: UInt8, _ expected: String) throws(Diagnostic) -> Bool {
        let end = index
        try skipSpace()
        if peek == close { return false }
        guard peek == UInt8(ascii: ",") else {
            let crossesLine = bytes[end..<index].contains(0x0A)
            throw unexpected(expected: expected, help: crossesLine ? "is a comma missing on the line above?" : nil)
        }
        index += 1
        return true
    }

    private mutating func keyword() throws(Diagnostic) -> ConfigNode.Content {
        let start = index
        guard let word = try? identifier() else { throw unexpected(expected: "a value") }
        switch word {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "null": return .null
        case "Infinity", "NaN": throw notFinite(from: start)
        default:
            throw Diagnostic(
                "unexpected word \(word)", at: Place(source, start..<index), found: word, expected: "a value",
                help: "text needs quotes: \"\(word)\"")
        }
    }

    func notFinite(from start: Int) -> Diagnostic {
        let place = Place(source, start..<index)
        return Diagnostic(
            "\(place.text) is not a number that can be used", at: place, found: place.text, expected: "a finite number")
    }

    // MARK: Reading on

    var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    func peek(_ ahead: Int) -> UInt8? { index + ahead < bytes.count ? bytes[index + ahead] : nil }

    /// The scalar at the index and its length. The bytes have been validated.
    var scalar: (value: Unicode.Scalar, length: Int)? {
        guard let first = peek else { return nil }
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        let end = min(index + length, bytes.count)
        guard let value = String(decoding: bytes[index..<end], as: UTF8.self).unicodeScalars.first else { return nil }
        return (value, length)
    }

    func unexpected(expected: String, help: String? = nil) -> Diagnostic {
        guard let scalar else {
            return Diagnostic(
                "the text ends too early", at: Place(source, bytes.count..<bytes.count), found: "the end of the text",
                expected: expected, help: help)
        }
        let place = Place(source, index..<index + scalar.length)
        return Diagnostic(
            "unexpected \"\(scalar.value)\"", at: place, found: "\"\(scalar.value)\"", expected: expected, help: help)
    }

    mutating func skipSpace() throws(Diagnostic) {
        while let byte = peek {
            switch byte {
            case 0x09...0x0D, 0x20: index += 1
            case UInt8(ascii: "/"):
                if peek(1) == UInt8(ascii: "/") {
                    skipLineComment()
                } else if peek(1) == UInt8(ascii: "*") {
                    try skipBlockComment()
                } else {
                    return
                }
            case 0x80...:
                guard let scalar, Self.isSpace(scalar.value) else { return }
                index += scalar.length
            default: return
            }
        }
    }

    private mutating func skipLineComment() {
        while let byte = peek, byte != 0x0A, byte != 0x0D {
            if byte == 0xE2, let scalar, Self.isLineEnd(scalar.value) { return }
            index += 1
        }
    }

    private mutating func skipBlockComment() throws(Diagnostic) {
        let start = index
        index += 2
        while index < bytes.count {
            if peek == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
                index += 2
                return
            }
            index += 1
        }
        throw Diagnostic(
            "a comment does not end", at: Place(source, start..<start + 2), expected: "*/ somewhere below")
    }

    static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool { scalar.value == 0x2028 || scalar.value == 0x2029 }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value == 0xFEFF || isLineEnd(scalar) || scalar.properties.generalCategory == .spaceSeparator
    }
}

/// One or more diagnostics, as an error.
package struct DiagnosticList: Error, Sendable, Equatable {
    package var all: [Diagnostic]

    package init(_ all: [Diagnostic]) { self.all = all }
}
