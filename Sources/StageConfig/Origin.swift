/// Where a resolved value was decided.
package enum Origin: Sendable, Hashable {
    /// A flag, as it was typed: `--set stages.terms.workers=4`.
    case flag(String)
    /// An environment variable, by name.
    case environment(String)
    case file(SourceSpan)
    case `default`

    /// "flag --set …", "environment NAME", "file 3:5" or "default".
    package var text: String {
        switch self {
        case .flag(let text): "flag \(text)"
        case .environment(let name): "environment \(name)"
        case .file(let span): "file \(span.line):\(span.column)"
        case .default: "default"
        }
    }

    /// Reads back what `text` wrote; nil for anything else.
    package init?(text: String) {
        guard text != "default" else {
            self = .default
            return
        }
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case "flag": self = .flag(parts[1])
        case "environment": self = .environment(parts[1])
        case "file":
            let numbers = parts[1].split(separator: ":").map { Int($0) }
            guard numbers.count == 2, let line = numbers[0], let column = numbers[1] else { return nil }
            self = .file(SourceSpan(line: line, column: column))
        default: return nil
        }
    }
}

/// A resolved value together with where it was decided.
package struct Setting<Value: Sendable>: Sendable {
    package var value: Value
    package var origin: Origin
    /// Where to point in a diagnostic; nil for a default.
    package var place: Place?

    package init(_ value: Value, origin: Origin = .default, place: Place? = nil) {
        self.value = value
        self.origin = origin
        self.place = place
    }
}
