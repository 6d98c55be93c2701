/// What messages of one kind have in common: numbers, paths and quoted parts are left out, so that a thousand failures make a
/// few groups.
package enum MessageShape {
    private static let limitCharacters = 160

    package static func of(_ message: String) -> String {
        var result = ""
        var rest = Substring(message.prefix { $0 != "\n" }.prefix(1_000))
        while let character = rest.first {
            // An apostrophe inside a word opens nothing.
            let isApostrophe = character == "'" && (result.last?.isLetter ?? false)
            if let path = path(at: rest, after: result.last) {
                result += "…/…"
                rest = rest[path.endIndex...]
                continue
            }
            if "\"'`“".contains(character), !isApostrophe, let end = closing(character, in: rest) {
                result.append(character)
                result += "…"
                result.append(rest[end])
                rest = rest[rest.index(after: end)...]
            } else if character.isASCII, character.isNumber {
                result += "#"
                rest = rest.drop { $0.isASCII && ($0.isHexDigit || $0 == "x" || $0 == ".") && !$0.isNewline }
            } else {
                result.append(character)
                rest = rest.dropFirst()
            }
        }
        return result.count > limitCharacters ? result.prefix(limitCharacters - 1) + "…" : result
    }

    /// The path or address that begins here, without the punctuation behind it.
    private static func path(at rest: Substring, after last: Character?) -> Substring? {
        guard last.map({ $0.isWhitespace || "(=:[".contains($0) }) ?? true else { return nil }
        var word = rest.prefix { !$0.isWhitespace && !"\"'`“,;)]".contains($0) }
        while let end = word.last, ":.".contains(end) { word = word.dropLast() }
        let slashes = word.count { $0 == "/" }
        let begins = ["/", "./", "../", "~/"].contains { word.hasPrefix($0) }
        return word.count > 2 && (begins && slashes > 0 || slashes > 1 || slashes == 1 && word.contains(".")) ? word : nil
    }

    private static func closing(_ quote: Character, in text: Substring) -> Substring.Index? {
        let end: Character = quote == "“" ? "”" : quote
        return text.dropFirst().firstIndex(of: end)
    }
}
