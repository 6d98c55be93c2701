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

    /// Calls `emit` with the bytes of each chunk, which are valid until it returns.
    @safe func split(_ text: String, _ emit: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        try CharacterText.with(text) { text in
            var start = skipSpace(text, from: 0)
            var cut = start
            while cut < text.count {
                let end = self.end(text, from: start, beyond: cut)
                unsafe try emit(text.slice(start, trimmedEnd(text, start, end)))
                cut = skipSpace(text, from: end)
                guard cut < text.count else { break }
                start = overlap > 0 ? overlapStart(text, cut: cut, after: start) : cut
            }
        }
    }

    /// Where the chunk that begins at `start` ends. It goes beyond `previous`, where the last one ended.
    private func end(_ text: CharacterText, from start: Int, beyond previous: Int) -> Int {
        var offset = start
        var size = 0
        var fitting = start  // the end of the last character that fits
        var best: (quality: Quality, place: Int)?
        var run = SpaceRun()
        while offset < text.count {
            let element = text.element(at: offset)
            if !element.isSpace {
                if offset > previous, let quality = run.quality, quality >= best?.quality ?? .word {
                    best = (quality, offset)
                }
                // Characters count only up to the last that is not space: what follows is dropped anyway.
                if size + element.scalars > maximum {
                    if let best { return best.place }
                    return fitting > previous ? fitting : text.element(at: max(previous, start)).end
                }
            }
            run.add(element.kind)
            size += element.scalars
            offset = element.end
            if !element.isSpace { fitting = offset }
        }
        return text.count
    }

    /// Where the next chunk begins: at a word up to `overlap` scalars before the cut, or at the cut.
    private func overlapStart(_ text: CharacterText, cut: Int, after previous: Int) -> Int {
        var offset = cut
        var size = 0
        var firstWord = cut
        while offset > previous {
            let before = text.start(before: offset)
            guard before > previous else { break }
            let element = text.element(at: before)
            size += element.scalars
            guard size <= overlap else { break }
            offset = before
            if !element.isSpace, text.isSpace(at: text.start(before: offset)) { firstWord = offset }
        }
        if firstWord < cut { return firstWord }
        // No word begins in there. In a text without spaces the overlap begins inside; otherwise there is none.
        return text.isSpace(at: text.start(before: cut)) ? cut : offset
    }

    private func skipSpace(_ text: CharacterText, from start: Int) -> Int {
        var offset = start
        while offset < text.count {
            let element = text.element(at: offset)
            guard element.isSpace else { break }
            offset = element.end
        }
        return offset
    }

    private func trimmedEnd(_ text: CharacterText, _ start: Int, _ end: Int) -> Int {
        var offset = end
        while offset > start {
            let before = text.start(before: offset)
            guard text.isSpace(at: before) else { break }
            offset = before
        }
        return offset
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

        mutating func add(_ kind: CharacterText.Class) {
            switch kind {
            case .newline:
                hasSpace = true
                newlines += 1
                return
            case .space:
                hasSpace = true
                return
            case .sentenceEnd: (endsSentence, endsWideSentence) = (true, false)
            case .wideSentenceEnd: (endsSentence, endsWideSentence) = (true, true)
            case .closer: break
            case .other: (endsSentence, endsWideSentence) = (false, false)
            }
            hasSpace = false
            newlines = 0
        }
    }
}
