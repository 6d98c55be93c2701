/// Values that are nobody's business but the job's own: what a report may show of a configuration.
extension ResolvedValue {
    private static let hidden = JSONValue.string("(hidden)")

    /// The value without what its key names as a secret, without what came from the environment, and without passwords in
    /// addresses.
    package var withoutSecrets: ResolvedValue {
        var shown = self
        if case .environment = origin {
            // Who puts a value there may have done so to keep it out of files.
            shown.value = .string("(from the environment)")
            return shown
        }
        shown.value = path.contains(where: Self.namesSecret) ? Self.hidden : Self.cleaned(value)
        if case .flag(let text) = origin, shown.value != value {
            shown.origin = .flag((text.firstIndex(of: "=").map { String(text[...$0]) } ?? "") + "…")
        }
        return shown
    }

    private static func cleaned(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): .array(elements.map(cleaned))
        case .object(let members):
            .object(members.map { .init($0.key, namesSecret($0.key) ? hidden : cleaned($0.value)) })
        case .string(let text): .string(withoutPassword(text))
        default: value
        }
    }

    private static let secretWords: Set = [
        "password", "passwd", "passphrase", "secret", "secrets", "token", "credential", "credentials", "authorization", "cookie",
        "apikey", "accesskey", "privatekey",
    ]

    /// Whether a key such as "api_key", "authToken" or "db-password" names a secret.
    static func namesSecret(_ key: String) -> Bool {
        var words: [String] = [""]
        var wasLower = false
        for character in key {
            guard character.isLetter || character.isNumber else {
                words.append("")
                continue
            }
            if character.isUppercase, wasLower { words.append("") }
            wasLower = character.isLowercase
            words[words.count - 1] += character.lowercased()
        }
        return words.contains(where: secretWords.contains) || zip(words, words.dropFirst()).contains { secretWords.contains($0 + $1) }
    }

    /// "https://user:word@host/" without the word.
    private static func withoutPassword(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let authority = text[scheme.upperBound...].prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else { return text }
        return text[...colon] + "…" + text[at...]
    }
}

