/// What `config` prints: every value with its origin.
extension Pipeline {
    /// Three columns: key, value, origin.
    package var listing: String {
        let rows = resolved.map { entry in
            (key: Diagnostic.printable(entry.key), value: Self.shown(entry.value), origin: entry.origin)
        }
        let keyWidth = min(rows.map(\.key.count).max() ?? 0, Self.widestKey)
        let valueWidth = min(rows.map(\.value.count).max() ?? 0, Self.widestValue)
        return rows.map { row in
            let origin = Diagnostic.printable(describe(row.origin))
            return "\(Self.pad(row.key, keyWidth))  \(Self.pad(row.value, valueWidth))  \(origin)\n"
        }.joined()
    }

    /// An array of `{key, value, origin}`.
    package var listingJSON: JSONValue { listingJSON(of: resolved) }

    /// The same for eyes that may be anybody's.
    package var listingJSONWithoutSecrets: JSONValue { listingJSON(of: resolved.map(\.withoutSecrets)) }

    private func listingJSON(of entries: [ResolvedValue]) -> JSONValue {
        .array(
            entries.map { entry in
                .object([
                    .init("key", .string(entry.key)), .init("value", entry.value),
                    .init("origin", .string(describe(entry.origin))),
                ])
            })
    }

    private func describe(_ origin: Origin) -> String {
        guard case .file(let span) = origin else { return origin.text }
        return "\(file):\(span.line):\(span.column)"
    }

    private static func shown(_ value: JSONValue) -> String {
        if case .null = value { return "-" }
        return Diagnostic.printable(value.json())
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text.count < width ? text + String(repeating: " ", count: width - text.count) : text
    }

    private static let widestKey = 48
    private static let widestValue = 32
}
