/// One pass over a JSON text: checks all of it, and remembers the value at a pointer.
@safe struct JSONScanner {
    // `base` may be read from 0 up to `end`; `at` never leaves 0...end. Every load below is guarded by one of the two.
    private let base: UnsafePointer<UInt8>
    private let end: Int
    private var at = 0
    private let tokens: [JSONPointer.Token]
    private let looking: Bool
    private(set) var found: JSONSlice?

    /// Says that a value is not on the way to the one looked for.
    private static let elsewhere = -1

    init(_ bytes: UnsafeRawBufferPointer, lookingFor pointer: JSONPointer? = nil) {
        // An empty buffer may have no address; then nothing is ever loaded.
        let start = unsafe bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        unsafe base = start.assumingMemoryBound(to: UInt8.self)
        end = bytes.count
        tokens = pointer?.tokens ?? []
        looking = pointer != nil
    }

    mutating func scanDocument() throws(JSONError) {
        try scanValue(depth: 0, matched: looking ? 0 : Self.elsewhere)
        skipSpace()
        guard at == end else { throw unexpected("the end of the text") }
    }

    private func byte(_ offset: Int) -> UInt8 { unsafe base[offset] }

    private mutating func skipSpace() {
        while at < end {
            switch byte(at) {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    /// `matched`: how many tokens of the pointer lead here.
    private mutating func scanValue(depth: Int, matched: Int) throws(JSONError) {
        skipSpace()
        guard at < end else { throw unexpected("a value") }
        let start = at
        var escapes = false
        let kind: JSONSlice.Kind
        let inner = matched == tokens.count ? Self.elsewhere : matched
        switch byte(at) {
        case UInt8(ascii: "{"):
            try scanObject(depth: depth + 1, matched: inner)
            kind = .object
        case UInt8(ascii: "["):
            try scanArray(depth: depth + 1, matched: inner)
            kind = .array
        case UInt8(ascii: "\""):
            escapes = try scanString()
            kind = .string
        case UInt8(ascii: "t"):
            try scanWord("true")
            kind = .boolean
        case UInt8(ascii: "f"):
            try scanWord("false")
            kind = .boolean
        case UInt8(ascii: "n"):
            try scanWord("null")
            kind = .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try scanNumber()
            kind = .number
        default:
            throw unexpected("a value")
        }
        if matched == tokens.count {
            let bytes = unsafe UnsafeRawBufferPointer(start: base + start, count: at - start)
            found = unsafe JSONSlice(kind: kind, offset: start, bytes: bytes, hasEscapes: escapes)
        }
    }

    private mutating func scanObject(depth: Int, matched: Int) throws(JSONError) {
        try check(depth)
        at += 1
        skipSpace()
        if at < end, byte(at) == UInt8(ascii: "}") {
            at += 1
            return
        }
        while true {
            skipSpace()
            guard at < end, byte(at) == UInt8(ascii: "\"") else { throw unexpected("a key in quotes") }
            let start = at
            let escapes = try scanString()
            var inner = Self.elsewhere
            if matched >= 0, keyMatches(start..<at, escapes: escapes, tokens[matched].name) {
                found = nil  // a key that occurs again replaces what it said before
                inner = matched + 1
            }
            skipSpace()
            guard at < end, byte(at) == UInt8(ascii: ":") else { throw unexpected("a colon after the key") }
            at += 1
            try scanValue(depth: depth, matched: inner)
            skipSpace()
            guard at < end else { throw unexpected("a comma or }") }
            switch byte(at) {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "}"):
                at += 1
                return
            default: throw unexpected("a comma or }")
            }
        }
    }

    private mutating func scanArray(depth: Int, matched: Int) throws(JSONError) {
        try check(depth)
        at += 1
        skipSpace()
        if at < end, byte(at) == UInt8(ascii: "]") {
            at += 1
            return
        }
        let wanted = matched >= 0 ? tokens[matched].index : nil
        var index = 0
        while true {
            try scanValue(depth: depth, matched: index == wanted ? matched + 1 : Self.elsewhere)
            index += 1
            skipSpace()
            guard at < end else { throw unexpected("a comma or ]") }
            switch byte(at) {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "]"):
                at += 1
                return
            default: throw unexpected("a comma or ]")
            }
        }
    }

    private func check(_ depth: Int) throws(JSONError) {
        guard depth <= JSON.maximumDepth else {
            throw JSONError(offset: at, problem: "nested deeper than \(JSON.maximumDepth) levels")
        }
    }

    private func keyMatches(_ range: Range<Int>, escapes: Bool, _ name: [UInt8]) -> Bool {
        let bytes = unsafe UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
        let slice = unsafe JSONSlice(kind: .string, offset: range.lowerBound, bytes: bytes, hasEscapes: escapes)
        guard !escapes else {
            var decoded: [UInt8] = []
            slice.appendString(to: &decoded)
            return decoded == name
        }
        guard range.count - 2 == name.count else { return false }
        for index in name.indices where byte(range.lowerBound + 1 + index) != name[index] { return false }
        return true
    }

    /// Scans a string from its opening quote; says whether it has escapes.
    private mutating func scanString() throws(JSONError) -> Bool {
        let text = unsafe UnsafeRawBufferPointer(start: base, count: end)
        var escapes = false
        at += 1
        while true {
            at = unsafe Self.endOfPlainRun(in: text, from: at, stopAtNonASCII: true)
            guard at < end else { throw unexpected("the closing quote of a string") }
            switch byte(at) {
            case UInt8(ascii: "\""):
                at += 1
                return escapes
            case UInt8(ascii: "\\"):
                escapes = true
                try scanEscape()
            case 0x80...0xFF:
                let length = unsafe UTF8Sequence.length(in: text, at: at)
                guard length > 0 else { throw JSONError(offset: at, problem: "a string that is not UTF-8") }
                at += length
            default:
                throw JSONError(offset: at, problem: "a control character in a string, which must be escaped,")
            }
        }
    }

    private mutating func scanEscape() throws(JSONError) {
        guard at + 1 < end else {
            at = end
            throw unexpected("the rest of an escape")
        }
        switch byte(at + 1) {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 2
        case UInt8(ascii: "u"):
            let start = at
            let unit = try scanUnit()
            guard unit & 0xF800 == 0xD800 else { return }
            let isHigh = unit & 0xFC00 == 0xD800
            guard isHigh, at + 1 < end, byte(at) == UInt8(ascii: "\\"), byte(at + 1) == UInt8(ascii: "u"),
                try scanUnit() & 0xFC00 == 0xDC00
            else { throw JSONError(offset: start, problem: "half of a surrogate pair in a string") }
        default:
            at += 1
            throw unexpected("one of \"\\/bfnrtu after a backslash")
        }
    }

    /// Scans `\uXXXX`.
    private mutating func scanUnit() throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        at += 2
        for _ in 0..<4 {
            guard at < end, let digit = JSONSlice.hexDigit(byte(at)) else { throw unexpected("a hexadecimal digit") }
            unit = unit << 4 | digit
            at += 1
        }
        return unit
    }

    private mutating func scanNumber() throws(JSONError) {
        if byte(at) == UInt8(ascii: "-") { at += 1 }
        if at < end, byte(at) == UInt8(ascii: "0") {
            at += 1
        } else {
            try scanDigits()
        }
        if at < end, byte(at) == UInt8(ascii: ".") {
            at += 1
            try scanDigits()
        }
        if at < end, byte(at) | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < end, byte(at) == UInt8(ascii: "+") || byte(at) == UInt8(ascii: "-") { at += 1 }
            try scanDigits()
        }
    }

    private mutating func scanDigits() throws(JSONError) {
        let start = at
        while at < end, byte(at) >= UInt8(ascii: "0"), byte(at) <= UInt8(ascii: "9") { at += 1 }
        guard at > start else { throw unexpected("a digit") }
    }

    private mutating func scanWord(_ word: StaticString) throws(JSONError) {
        for index in 0..<word.utf8CodeUnitCount {
            guard at < end, unsafe byte(at) == word.utf8Start[index] else { throw unexpected("\(word)") }
            at += 1
        }
    }

    private func unexpected(_ expected: String) -> JSONError {
        guard at < end else { return JSONError(offset: end, problem: "the text ends, expected \(expected),") }
        let found = byte(at)
        let shown =
            found > 0x20 && found < 0x7F
            ? "'\(Unicode.Scalar(found))'" : "the byte 0x" + String(found, radix: 16, uppercase: true)
        return JSONError(offset: at, problem: "found \(shown), expected \(expected),")
    }
}

extension JSONScanner {
    /// The offset of the first byte from `start` on that may not stand for itself in a string: a quote, a backslash, a
    /// control character and, if asked, what is not ASCII. Eight bytes at a time.
    @unsafe static func endOfPlainRun(
        in text: UnsafeRawBufferPointer, from start: Int, stopAtNonASCII: Bool
    ) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let mask = stopAtNonASCII ? highs : 0
        var at = start
        // The lowest bit that is set marks the first such byte; bits above it may be carries, which does no harm.
        while at + 8 <= text.count {
            let word = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            let quote = word ^ (ones &* 0x22)
            let slash = word ^ (ones &* 0x5C)
            let controls = (word &- ones &* 0x20) & ~word
            let hits = ((controls | (quote &- ones) & ~quote | (slash &- ones) & ~slash) & highs) | (word & mask)
            if hits != 0 { return at + hits.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < text.count {
            let byte = unsafe text[at]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C || (stopAtNonASCII && byte >= 0x80) { return at }
            at += 1
        }
        return at
    }
}
