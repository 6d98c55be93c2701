/// What a piece of text on a terminal should look like; plain where there are no colours.
package enum Style: Sendable {
    case plain, heading, good, attention, bad, quiet

    /// Parameters of SGR; empty: as it is.
    fileprivate var code: String {
        switch self {
        case .plain: ""
        case .heading: "1"
        case .good: "32"
        case .attention: "33"
        case .bad: "1;31"
        case .quiet: "2"
        }
    }
}

/// A line for a terminal, in pieces.
package struct StyledLine: Sendable {
    private var pieces: [(text: String, style: Style)] = []

    package init() {}

    package init(_ text: String, _ style: Style = .plain) { add(text, style) }

    package mutating func add(_ text: String, _ style: Style = .plain) {
        if !text.isEmpty { pieces.append((text, style)) }
    }

    package var text: String { pieces.map(\.text).joined() }

    /// The line, cut to so many columns.
    package func rendered(columns: Int, colours: Bool) -> String {
        var left = max(columns, 1)
        var result = ""
        for (text, style) in pieces where left > 0 {
            let part = text.prefix(left)
            left -= part.count
            result += colours && !style.code.isEmpty ? "\u{1B}[\(style.code)m\(part)\u{1B}[0m" : part
        }
        return result
    }
}
