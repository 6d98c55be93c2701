/// How one kind of value is read from a configuration and written back.
struct ValueForm<Value: Sendable>: Sendable {
    /// What a diagnostic says was expected.
    var expected: String
    var decode: @Sendable (ConfigNode) -> Value?
    var encode: @Sendable (Value) -> JSONValue
    /// The same for editors: a JSON Schema that refuses nothing which `decode` takes.
    var schema: JSONValue
    /// One thing to do about a value that does not fit.
    var help: @Sendable (ConfigNode) -> String? = { _ in nil }
}

extension ValueForm where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> ValueForm {
        ValueForm(
            expected: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            decode: { node in
                let value: Int? =
                    switch node.content {
                    case .integer(let value): Int(exactly: value)
                    case .number(let value): Int(exactly: value)
                    default: nil
                    }
                return value.flatMap { range.contains($0) ? $0 : nil }
            },
            encode: { .integer(Int64($0)) },
            schema: .schema(
                "integer", .init("minimum", .integer(Int64(range.lowerBound))), .init("maximum", .integer(Int64(range.upperBound)))),
            help: { node in node.string.flatMap(Int64.init).map { "write \($0) without quotes" } })
    }

    /// A size in bytes, with its unit.
    static func size(from least: Int, upTo most: Int = .max) -> ValueForm {
        ValueForm(
            expected: "a size of at least \(SizeText.format(least))"
                + (most == .max ? "" : " and at most \(SizeText.format(most))")
                + ", such as \"64KiB\", \"512MiB\" or \"1GB\"",
            decode: { node in
                let value = node.isZero ? 0 : node.string.flatMap(SizeText.parse)
                return value.flatMap { (least...most).contains($0) ? $0 : nil }
            },
            encode: { .string(SizeText.format($0)) },
            schema: .schema("string", .init("pattern", .string("^[0-9.]+ *[KMGTkmgt]?[iI]?[bB]?$"))).orZero,
            help: { node in
                if let number = node.bareNumber { return "a size needs a unit: \"\(number)B\" or \"\(number)MiB\"" }
                guard let text = node.string, SizeText.parse(text) == nil, SizeText.parse(text + "iB") != nil else {
                    return nil
                }
                return "write \"\(text)iB\""
            })
    }
}

extension ValueForm where Value == Double {
    static func number(_ range: ClosedRange<Double>, _ expected: String) -> ValueForm {
        ValueForm(
            expected: expected,
            decode: { node in
                let value: Double? =
                    switch node.content {
                    case .integer(let value): Double(value)
                    case .number(let value): value
                    default: nil
                    }
                return value.flatMap { range.contains($0) ? $0 : nil }
            },
            encode: { value in Int64(exactly: value).map { .integer($0) } ?? .number(value) },
            schema: .schema("number", .init("minimum", .number(range.lowerBound)), .init("maximum", .number(range.upperBound))),
            help: { node in
                node.string.flatMap(Double.init).map { "write \(JSONValue.number($0).json()) without quotes" }
            })
    }

    /// A share of a whole.
    static let fraction = number(0...1, "a number from 0 to 1")

    static let perSecond = number(0.000_001...1e9, "a number of records above 0")
}

extension ValueForm where Value == Bool {
    static let boolean = ValueForm(
        expected: "true or false",
        decode: { node in
            guard case .boolean(let value) = node.content else { return nil }
            return value
        },
        encode: { .boolean($0) },
        schema: .schema("boolean"),
        help: { node in
            switch node.string?.lowercased() {
            case "true", "yes", "on": "write true"
            case "false", "no", "off": "write false"
            default: nil
            }
        })
}

extension ValueForm where Value == String {
    static func text(
        _ expected: String = "text in quotes", pattern: String? = nil,
        where isValid: @escaping @Sendable (String) -> Bool = { _ in true }
    )
        -> ValueForm
    {
        ValueForm(
            expected: expected,
            decode: { node in node.text.flatMap { isValid($0) ? $0 : nil } },
            encode: { .string($0) },
            schema: pattern.map { .schema("string", .init("pattern", .string($0))) } ?? .schema("string"))
    }
}

extension ValueForm where Value == Duration {
    static func duration(from least: Duration = .zero, upTo most: Duration = .seconds(36_500 * 86_400)) -> ValueForm {
        ValueForm(
            expected: "a duration"
                + (least > .zero ? " of at least \(DurationText.format(least))" : "")
                + ", such as \"500ms\", \"2s\" or \"1m30s\"",
            decode: { node in
                let value = node.isZero ? .zero : node.string.flatMap(DurationText.parse)
                return value.flatMap { (least...most).contains($0) ? $0 : nil }
            },
            encode: { .string(DurationText.format($0)) },
            schema: .schema("string", .init("pattern", .string("^(0|([0-9.]+(d|h|m|s|ms|us))+)$"))).orZero,
            help: { node in
                node.bareNumber.map { "a duration needs a unit: \"\($0)s\" or \"\($0)ms\"" }
            })
    }
}

extension ValueForm where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the words that an enumeration has.
    static var choice: ValueForm {
        let words = Value.allCases.map(\.rawValue)
        let quoted = words.map { "\"\($0)\"" }
        return ValueForm(
            expected: quoted.dropLast().joined(separator: ", ") + " or " + (quoted.last ?? ""),
            decode: { $0.string.flatMap(Value.init(rawValue:)) },
            encode: { .string($0.rawValue) },
            schema: .object([.init("enum", .array(words.map(JSONValue.string)))]),
            help: { $0.text.flatMap { Suggestion.question(for: $0, among: words) } })
    }
}

extension ConfigNode {
    /// Text. What was typed without quotes in a flag or a variable is text too, even if it looks like a number.
    fileprivate var text: String? {
        switch content {
        case .string(let value): value
        case .array, .object, .null: nil
        default: place.source.kind == .file ? nil : place.text
        }
    }

    fileprivate var isZero: Bool {
        guard case .integer(0) = content else { return false }
        return true
    }

    /// A number where a number with a unit belongs.
    fileprivate var bareNumber: String? {
        switch content {
        case .integer(let value) where value > 0: String(value)
        case .string(let value): Int64(value).flatMap { $0 > 0 ? value : nil }
        default: nil
        }
    }
}
