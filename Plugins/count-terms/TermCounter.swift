import StageKit

/// Counts the words of one text after another, in memory that it keeps.
///
/// A word is a run of letters, combining marks, digits and `_`; an apostrophe between two of them belongs to it. Words are
/// case-folded: each scalar is the lower case of its upper case. Characters are Unicode scalars.
struct TermCounter {
    private(set) var characters = 0
    private(set) var words = 0

    private struct Term {
        var start: Int
        var length: Int
        var hash: UInt32
        var count: Int
    }

    // The folded words, each once, one behind the other; what each counts; and a hash table of 1 + index into `terms`,
    // whose size is a power of two and at least twice the number of terms.
    private var folded: [UInt8] = []
    private var terms: [Term] = []
    private var slots: [UInt32] = Array(repeating: 0, count: 256)

    // The word in the making: where it begins in `folded`, and the hash so far (FNV-1a).
    private var wordStart = 0
    private var hash = Self.hashSeed
    private static let hashSeed: UInt32 = 2_166_136_261

    /// For each ASCII byte: itself folded if it belongs to words, else 0.
    private static let wordBytes: [UInt8] = (0..<128).map { code in
        let byte = UInt8(code)
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): return byte | 0x20
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): return byte
        default: return 0
        }
    }

    /// Counts `text`, which must be UTF-8, and forgets what was counted before.
    mutating func count(_ text: UnsafeRawBufferPointer) {
        forget()
        let wordBytes = Self.wordBytes
        var at = 0
        var continuations = 0
        while at < text.count {
            let byte = unsafe text[at]
            if byte < 0x80 {
                let letter = wordBytes[Int(byte)]
                if letter != 0 {
                    add(letter)
                } else if byte != UInt8(ascii: "'") || !(unsafe addApostrophe(text, behind: at + 1)) {
                    endWord()
                }
                at += 1
                continue
            }
            let length = unsafe UTF8Sequence.length(in: text, at: at)
            guard length > 0 else {
                endWord()
                at += 1
                continue
            }
            let scalar = unsafe UTF8Sequence.scalar(in: text, at: at, length: length)
            at += length
            continuations += length - 1
            if scalar == "\u{2019}" {
                if !(unsafe addApostrophe(text, behind: at)) { endWord() }
            } else if isPartOfWord(scalar) {
                add(scalar)
            } else {
                endWord()
            }
        }
        endWord()
        characters = text.count - continuations
    }

    private mutating func forget() {
        folded.removeAll(keepingCapacity: true)
        terms.removeAll(keepingCapacity: true)
        for index in slots.indices { slots[index] = 0 }
        wordStart = 0
        hash = Self.hashSeed
        words = 0
    }

    private mutating func add(_ byte: UInt8) {
        folded.append(byte)
        hash = (hash ^ UInt32(byte)) &* 16_777_619
    }

    private mutating func add(_ scalar: Unicode.Scalar) {
        let properties = scalar.properties
        guard properties.changesWhenCaseFolded else {
            for byte in UTF8.encode(scalar) ?? .init() { add(byte) }
            return
        }
        for upper in properties.uppercaseMapping.unicodeScalars {
            for byte in upper.properties.lowercaseMapping.utf8 { add(byte) }
        }
    }

    /// Adds an apostrophe if it stands inside a word; says whether it did.
    private mutating func addApostrophe(_ text: UnsafeRawBufferPointer, behind at: Int) -> Bool {
        guard folded.count > wordStart, at < text.count else { return false }
        let length = unsafe UTF8Sequence.length(in: text, at: at)
        guard length > 0, isPartOfWord(unsafe UTF8Sequence.scalar(in: text, at: at, length: length)) else { return false }
        add(UInt8(ascii: "'"))
        return true
    }

    private func isPartOfWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return Self.wordBytes[Int(scalar.value)] != 0 }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber:
            return true
        case .nonspacingMark, .spacingMark, .enclosingMark:
            return folded.count > wordStart
        default:
            return false
        }
    }

    private mutating func endWord() {
        let length = folded.count - wordStart
        guard length > 0 else { return }
        words += 1
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            if terms[index].hash == hash, terms[index].length == length, isSame(terms[index].start, wordStart, length) {
                terms[index].count += 1
                folded.removeLast(length)
                hash = Self.hashSeed
                return
            }
            slot = (slot + 1) & mask
        }
        terms.append(Term(start: wordStart, length: length, hash: hash, count: 1))
        slots[slot] = UInt32(terms.count)
        wordStart = folded.count
        hash = Self.hashSeed
        if terms.count * 2 > slots.count { growTable() }
    }

    private func isSame(_ left: Int, _ right: Int, _ length: Int) -> Bool {
        for offset in 0..<length where folded[left + offset] != folded[right + offset] { return false }
        return true
    }

    private mutating func growTable() {
        slots = Array(repeating: 0, count: slots.count * 2)
        let mask = slots.count - 1
        for (index, term) in terms.enumerated() {
            var slot = Int(term.hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(index + 1)
        }
    }

    /// Calls `body` with the `limit` most frequent words, those of the same count by their bytes.
    func forEachTop(_ limit: Int, _ body: (ArraySlice<UInt8>, Int) -> Void) {
        guard limit > 0 else { return }
        var best: [Term] = []
        best.reserveCapacity(min(limit, terms.count) + 1)
        for term in terms {
            if best.count == limit, let last = best.last, !isBefore(term, last) { continue }
            var low = 0
            var high = best.count
            while low < high {
                let middle = (low + high) / 2
                if isBefore(term, best[middle]) { high = middle } else { low = middle + 1 }
            }
            best.insert(term, at: low)
            if best.count > limit { best.removeLast() }
        }
        for term in best { body(folded[term.start..<(term.start + term.length)], term.count) }
    }

    private func isBefore(_ left: Term, _ right: Term) -> Bool {
        if left.count != right.count { return left.count > right.count }
        return folded[left.start..<(left.start + left.length)]
            .lexicographicallyPrecedes(folded[right.start..<(right.start + right.length)])
    }
}
