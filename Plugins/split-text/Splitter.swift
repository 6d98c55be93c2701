/// Cuts a text into chunks.
///
/// A chunk ends at the last paragraph, else sentence, else word that fits, else at the last character that does. Size is
/// counted in Unicode scalars; cuts lie between characters (grapheme clusters). White space around a chunk is dropped, and
/// nothing else is.
struct Splitter {
    let maximum: Int
    let overlap: Int

    /// How good a place is for a cut.
    private enum Quality: Int, Comparable {
        case word, sentence, paragraph

        static func < (left: Quality, right: Quality) -> Bool { left.rawValue < right.rawValue }
    }

    func split(_ text: String, _ emit: (Substring) throws -> Void) rethrows {
        var start = skipSpace(text, from: text.startIndex)
        var cut = start
        while cut < text.endIndex {
            let end = self.end(text, from: start, beyond: cut)
            try emit(text[start..<trimmedEnd(text, start, end)])
            cut = skipSpace(text, from: end)
            guard cut < text.endIndex else { break }
            start = overlap > 0 ? overlapStart(text, cut: cut, end: end, after: start) : cut
        }
    }

    /// Where the chunk that begins at `start` ends. It goes beyond `previous`, where the last one ended.
    private func end(_ text: String, from start: String.Index, beyond previous: String.Index) -> String.Index {
        var index = start
        var size = 0
        var fitting = start  // the end of the last character that fits
        var best: (quality: Quality, place: String.Index)?
        var run = SpaceRun()
        while index < text.endIndex {
            let character = text[index]
            let isSpace = character.isWhitespace
            if !isSpace {
                if index > previous, let quality = run.quality, quality >= best?.quality ?? .word {
                    best = (quality, index)
                }
                // Characters count only up to the last that is not space: what follows is dropped anyway.
                let next = size + character.unicodeScalars.count
                if next > maximum {
                    if let best { return best.place }
                    return fitting > previous ? fitting : text.index(after: max(previous, start))
                }
            }
            run.add(character, isSpace: isSpace)
            size += character.unicodeScalars.count
            index = text.index(after: index)
            if !isSpace { fitting = index }
        }
        return text.endIndex
    }

    /// Where the next chunk begins: at a word up to `overlap` scalars before the cut, or at the cut.
    private func overlapStart(
        _ text: String, cut: String.Index, end: String.Index, after previous: String.Index
    ) -> String.Index {
        var index = cut
        var size = 0
        var firstWord = cut
        while index > previous {
            let before = text.index(before: index)
            guard before > previous else { break }
            size += text[before].unicodeScalars.count
            guard size <= overlap else { break }
            index = before
            if !text[index].isWhitespace, text[text.index(before: index)].isWhitespace { firstWord = index }
        }
        if firstWord < cut { return firstWord }
        // No word begins in there. In a text without spaces the overlap begins inside; otherwise there is none.
        let isCutAtSpace = text[text.index(before: cut)].isWhitespace
        return isCutAtSpace ? cut : index
    }

    private func skipSpace(_ text: String, from start: String.Index) -> String.Index {
        var index = start
        while index < text.endIndex, text[index].isWhitespace { index = text.index(after: index) }
        return index
    }

    private func trimmedEnd(_ text: String, _ start: String.Index, _ end: String.Index) -> String.Index {
        var index = end
        while index > start, text[text.index(before: index)].isWhitespace { index = text.index(before: index) }
        return index
    }
}

extension Splitter {
    /// What lies between the last word and the next.
    private struct SpaceRun {
        private var hasSpace = false
        private var newlines = 0
        private var endsSentence = false
        private var endsWideSentence = false

        /// How good a cut before the character that follows is; nil: it is inside a word.
        var quality: Quality? {
            if newlines >= 2 { return .paragraph }
            if hasSpace { return endsSentence ? .sentence : .word }
            return endsWideSentence ? .sentence : nil
        }

        mutating func add(_ character: Character, isSpace: Bool) {
            if isSpace {
                hasSpace = true
                if character.isNewline { newlines += 1 }
                return
            }
            hasSpace = false
            newlines = 0
            switch character {
            case ".", "!", "?", "…", "؟", "।":
                (endsSentence, endsWideSentence) = (true, false)
            case "。", "！", "？":  // no space follows these
                (endsSentence, endsWideSentence) = (true, true)
            case "\"", "'", ")", "]", "”", "’", "»", "」", "』", "）":  // closes what a sentence ended in
                break
            default:
                (endsSentence, endsWideSentence) = (false, false)
            }
        }
    }
}
