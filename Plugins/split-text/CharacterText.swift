/// A text seen as characters (grapheme clusters) at byte offsets, which are cheap where the text is ASCII.
@safe struct CharacterText {
    /// What a character means for splitting.
    enum Class {
        case space, newline
        case sentenceEnd
        case wideSentenceEnd  // no space follows these
        case closer  // closes what a sentence ended in
        case other
    }

    struct Element {
        /// Behind its last byte.
        let end: Int
        let scalars: Int
        let kind: Class

        var isSpace: Bool { kind == .space || kind == .newline }
    }

    // The bytes of `text`, which the caller of `with` keeps in place.
    private let bytes: UnsafeRawBufferPointer
    private let text: String

    /// Calls `body` with `text` as characters.
    static func with<Result>(_ text: String, _ body: (CharacterText) throws -> Result) rethrows -> Result {
        var text = text
        text.makeContiguousUTF8()
        let copy = text
        return try text.withUTF8 { try body(unsafe CharacterText(bytes: UnsafeRawBufferPointer($0), text: copy)) }
    }

    private init(bytes: UnsafeRawBufferPointer, text: String) {
        unsafe self.bytes = bytes
        self.text = text
    }

    var count: Int { unsafe bytes.count }

    /// The characters from `start` to `end`, which lie between characters.
    func slice(_ start: Int, _ end: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    /// The character that begins at `offset`, which is below `count`.
    func element(at offset: Int) -> Element {
        let byte = unsafe bytes[offset]
        let next = offset + 1 < count ? unsafe bytes[offset + 1] : 0
        // Between two ASCII characters there is always a boundary, but inside CR LF.
        if byte < 0x80, next < 0x80 {
            let isPair = byte == 0x0D && next == 0x0A
            return Element(end: offset + (isPair ? 2 : 1), scalars: isPair ? 2 : 1, kind: Self.kind(ofASCII: byte))
        }
        let index = text.utf8.index(text.startIndex, offsetBy: offset)
        let character = text[index]
        return Element(
            end: offset + character.utf8.count, scalars: character.unicodeScalars.count, kind: Self.kind(of: character))
    }

    /// Where the character before `offset`, which is above 0, begins.
    func start(before offset: Int) -> Int {
        let byte = unsafe bytes[offset - 1]
        let previous = offset > 1 ? unsafe bytes[offset - 2] : 0
        if byte < 0x80, previous < 0x80 { return byte == 0x0A && previous == 0x0D ? offset - 2 : offset - 1 }
        let index = text.utf8.index(text.startIndex, offsetBy: offset)
        return text.utf8.distance(from: text.startIndex, to: text.index(before: index))
    }

    func isSpace(at offset: Int) -> Bool { element(at: offset).isSpace }

    private static func kind(ofASCII byte: UInt8) -> Class {
        switch byte {
        case 0x0A...0x0D: .newline
        case 0x20, 0x09: .space
        case UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "?"): .sentenceEnd
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: ")"), UInt8(ascii: "]"): .closer
        default: .other
        }
    }

    private static func kind(of character: Character) -> Class {
        if character.isNewline { return .newline }
        if character.isWhitespace { return .space }
        switch character {
        case ".", "!", "?", "…", "؟", "।": return .sentenceEnd
        case "。", "！", "？": return .wideSentenceEnd
        case "\"", "'", ")", "]", "”", "’", "»", "」", "』", "）": return .closer
        default: return .other
        }
    }
}
