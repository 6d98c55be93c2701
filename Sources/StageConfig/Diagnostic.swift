/// One thing that is wrong with what somebody wrote, with its place and a way out.
package struct Diagnostic: Error, Sendable, Equatable {
    package enum Severity: String, Sendable {
        case error
        case warning
    }

    package var severity: Severity
    /// One line that names the subject.
    package var message: String
    package var file: String?
    /// From 1; nil where there is no text to point into.
    package var line: Int?
    package var column: Int?
    package var found: String?
    package var expected: String?
    /// One thing to do.
    package var help: String?
    var excerpt: Excerpt?

    package init(
        _ message: String, at place: Place? = nil, found: String? = nil, expected: String? = nil, help: String? = nil,
        severity: Severity = .error
    ) {
        self.severity = severity
        self.message = message
        self.found = found
        self.expected = expected
        self.help = help
        guard let place else { return }
        file = place.source.name
        excerpt = Excerpt(place)
        let span = place.span
        line = span.line
        column = span.column
    }

    package static func warning(_ message: String, at place: Place? = nil, help: String? = nil) -> Diagnostic {
        Diagnostic(message, at: place, help: help, severity: .warning)
    }

    /// The diagnostic in full, without a newline at the end:
    ///
    ///     error: unknown key "bacth"
    ///      --> index.json5:3:5
    ///       |
    ///     3 |     bacth: { records: 10 },
    ///       |     ^^^^^
    ///       = help: did you mean "batch"?
    package func rendered() -> String {
        var lines = ["\(severity.rawValue): \(Self.printable(message))"]
        var gutter = " "
        if let file, let line, let column, let excerpt {
            let number = excerpt.isFile ? String(line) : " "
            gutter = String(repeating: " ", count: number.count)
            let place = excerpt.isFile ? "\(file):\(line):\(column)" : file
            lines.append("\(gutter)--> \(Self.printable(place))")
            lines.append("\(gutter) |")
            lines.append("\(number) | \(excerpt.text)")
            lines.append("\(gutter) | \(excerpt.padding)\(String(repeating: "^", count: excerpt.width))")
        } else if let file {
            lines.append("\(gutter)--> \(Self.printable(file))")
        }
        for (label, text) in [("found", found), ("expected", expected), ("help", help)] {
            guard let text else { continue }
            lines.append("\(gutter) = \(label): \(Self.printable(text))")
        }
        return lines.joined(separator: "\n")
    }

    /// The diagnostic as one JSON object: severity, message, file, line, column, found, expected, help.
    package var json: JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        func number(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }
        return .object([
            .init("severity", .string(severity.rawValue)), .init("message", .string(message)),
            .init("file", text(file)), .init("line", number(line)), .init("column", number(column)),
            .init("found", text(found)), .init("expected", text(expected)), .init("help", text(help)),
        ])
    }

    /// Those that point into the file from top to bottom, then the others as they are.
    static func inReadingOrder(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
        func rank(_ diagnostic: Diagnostic) -> (Int, Int) {
            guard diagnostic.excerpt?.isFile == true, let line = diagnostic.line else { return (.max, 0) }
            return (line, diagnostic.column ?? 0)
        }
        return diagnostics.enumerated().sorted { left, right in
            let (a, b) = (rank(left.element), rank(right.element))
            return a == b ? left.offset < right.offset : a < b
        }.map(\.element)
    }

    /// Text from outside must not steer the terminal: control characters are written out, long text is cut.
    static func printable(_ text: String, limit: Int = 300) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(limit) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                result += scalar == "\t" ? " " : "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        if text.unicodeScalars.count > limit { result += "…" }
        return result
    }
}

/// The line of a text that a diagnostic shows, cut to what fits a screen, and what to underline in it.
struct Excerpt: Sendable, Equatable {
    var text: String
    var padding: String
    var width: Int
    var isFile: Bool

    private static let charactersBefore = 70
    private static let charactersAfter = 80

    init(_ place: Place) {
        let source = place.source
        isFile = source.kind == .file
        let line = source.line(at: place.range.lowerBound).range
        let start = min(max(place.range.lowerBound, line.lowerBound), line.upperBound)
        let end = min(max(place.range.upperBound, start), line.upperBound)
        var before = Diagnostic.printable(source.text(line.lowerBound..<start), limit: .max)
        if before.count > Self.charactersBefore { before = "…" + before.suffix(Self.charactersBefore) }
        let marked = Diagnostic.printable(source.text(start..<end), limit: Self.charactersAfter)
        let after = Diagnostic.printable(source.text(end..<line.upperBound), limit: Self.charactersAfter)
        text = before + marked + after
        padding = String(repeating: " ", count: before.count)
        width = max(1, marked.count)
    }
}
