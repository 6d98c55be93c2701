/// Names and texts as they stand in a statement.
enum SQLText {
    static func name(_ name: String) -> String { inQuotes(name, "\"") }

    static func name(_ name: String, in schema: String?) -> String {
        (schema.map { self.name($0) + "." } ?? "") + self.name(name)
    }

    /// A text; backslashes mean nothing in it (`standard_conforming_strings`).
    static func literal(_ text: String) -> String { inQuotes(text, "'") }

    private static func inQuotes(_ text: String, _ quote: Character) -> String {
        var result = String(quote)
        for character in text.unicodeScalars {
            if Character(character) == quote { result.append(quote) }
            result.unicodeScalars.append(character)
        }
        result.append(quote)
        return result
    }
}
