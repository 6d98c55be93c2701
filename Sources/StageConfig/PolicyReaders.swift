/// The sections that say what happens when something fails, and how fast things may go.
extension RetrySettings {
    init(_ stage: inout SectionReader) {
        var reader = stage.section("retry")
        attempts = reader.setting("attempts", default: 3, as: .integer(1...1000))
        backoff = reader.setting("backoff", default: .milliseconds(200), as: .duration())
        factor = reader.setting("factor", default: 2, as: .factor)
        max = reader.setting("max", default: .seconds(10), as: .duration())
        jitter = reader.setting("jitter", default: 0.1, as: .fraction)
        on = reader.setting("on", default: [.transient], as: .categories)
        reader.checkBackoff(backoff, against: max, "max")
        reader.finish()
    }
}

extension RestartSettings {
    init(_ stage: inout SectionReader) {
        var reader = stage.section("restart")
        max = reader.setting("max", default: 5, as: .integer(0...1_000_000))
        within = reader.setting("within", default: .seconds(30), as: .duration(from: .milliseconds(1)))
        backoff = reader.setting("backoff", default: .milliseconds(50), as: .duration())
        factor = reader.setting("factor", default: 2, as: .factor)
        maxBackoff = reader.setting("max_backoff", default: .seconds(5), as: .duration())
        jitter = reader.setting("jitter", default: 0.1, as: .fraction)
        resetAfter = reader.setting("reset_after", default: .seconds(60), as: .duration(from: .milliseconds(1)))
        reader.checkBackoff(backoff, against: maxBackoff, "max_backoff")
        reader.finish()
    }
}

extension FailureLimits {
    init(_ parent: inout SectionReader) {
        var reader = parent.section("failures")
        max = reader.optional("max", as: .integer(0...Int.max))
        maxRate = reader.optional("max_rate", as: .fraction)
        minimumSample = reader.setting("minimum_sample", default: 100, as: .integer(1...Int.max))
        reader.finish()
    }
}

extension RateSettings {
    /// Reads from the section itself, which may have other keys too.
    init(_ reader: inout SectionReader) {
        recordsPerSecond = reader.optional("records_per_second", as: .perSecond)
        burst = reader.optional("burst", as: .integer(1...1_000_000_000))
        let full = recordsPerSecond.value
        minimum = reader.setting("minimum", default: min(1, full ?? 1), as: .perSecond)
        decrease = reader.setting("decrease", default: 0.5, as: .number(0.01...1, "a number from 0.01 to 1"))
        increase = reader.optional("increase", as: .perSecond)
        guard let full else {
            if let place = burst.place {
                reader.report(
                    "\(reader.name("burst")) needs a rate", at: place,
                    help: "add records_per_second beside it")
            }
            return
        }
        if minimum.value > full {
            reader.report(
                "\(reader.name("minimum")) is above the rate itself", at: minimum.place,
                found: JSONValue.number(minimum.value).json(), expected: "at most records_per_second")
        }
    }
}

extension SectionReader {
    fileprivate func checkBackoff(_ backoff: Setting<Duration>, against most: Setting<Duration>, _ key: String) {
        guard backoff.value > most.value else { return }
        report(
            "\(name("backoff")) is longer than \(key)", at: backoff.place ?? most.place,
            found: "\(DurationText.format(backoff.value)) and \(DurationText.format(most.value))",
            expected: "backoff at most \(key)")
    }
}

extension ValueForm where Value == Double {
    fileprivate static let factor = number(1...100, "a number from 1 to 100")
}

extension ValueForm where Value == Int {
    static let window = integer(1...65_536)
}

extension ValueForm where Value == String {
    static let jobName = text(Names.jobNameRule, pattern: "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$", where: Names.isJobName)
    static let name = text(Names.nameRule, pattern: "^[a-z0-9_-]{1,64}$", where: Names.isName)
}

extension ValueForm where Value == BatchSize {
    private static let number = ValueForm<Int>.integer(1...65_536)

    static let batchSize = ValueForm(
        expected: number.expected + ", or \"auto\"",
        decode: { node in node.string == "auto" ? .automatic : number.decode(node).map { .records($0) } },
        encode: { size in
            switch size {
            case .records(let count): .integer(Int64(count))
            case .automatic: .string("auto")
            }
        },
        schema: .anyOf([.object([.init("enum", .array([.string("auto")]))]), number.schema]),
        help: { node in number.help(node) ?? node.string.flatMap { Suggestion.question(for: $0, among: ["auto"]) } })
}

extension ValueForm where Value == SyncPolicy {
    static let sync = ValueForm(
        expected: "a duration such as \"200ms\", \"batch\" or \"never\"",
        decode: { node in
            switch node.string {
            case "batch": return .everyBatch
            case "never": return .never
            default:
                let interval = ValueForm<Duration>.duration(from: .milliseconds(1), upTo: .seconds(3600)).decode(node)
                return interval.map { .interval($0) }
            }
        },
        encode: { policy in
            switch policy {
            case .interval(let duration): .string(DurationText.format(duration))
            case .everyBatch: .string("batch")
            case .never: .string("never")
            }
        },
        schema: .anyOf([
            .object([.init("enum", .array([.string("batch"), .string("never")]))]), ValueForm<Duration>.duration().schema,
        ]),
        help: { node in
            ValueForm<Duration>.duration().help(node)
                ?? node.string.flatMap { Suggestion.question(for: $0, among: ["batch", "never"]) }
        })
}

extension ValueForm where Value == ProgressPace {
    static let pace = ValueForm(
        expected: "a number of records such as 100, or a duration such as \"1s\"",
        decode: { node in
            if let count = ValueForm<Int>.integer(1...1_000_000_000).decode(node) { return .records(count) }
            return ValueForm<Duration>.duration(from: .milliseconds(10)).decode(node).map { .time($0) }
        },
        encode: { pace in
            switch pace {
            case .records(let count): .integer(Int64(count))
            case .time(let interval): .string(DurationText.format(interval))
            }
        },
        schema: .anyOf([ValueForm<Int>.integer(1...1_000_000_000).schema, ValueForm<Duration>.duration().schema]))
}

extension ValueForm where Value == [RetryCategory] {
    static let categories = ValueForm(
        expected: "an array of " + RetryCategory.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "),
        decode: { node in
            guard case .array(let elements) = node.content else { return nil }
            let categories = elements.compactMap { $0.string.flatMap(RetryCategory.init(rawValue:)) }
            return categories.count == elements.count ? categories : nil
        },
        encode: { .array($0.map { .string($0.rawValue) }) },
        schema: .schema("array", .init("items", ValueForm<RetryCategory>.choice.schema)))
}

/// What things may be called.
package enum Names {
    static let nameRule = "1 to 64 of a-z, 0-9, _ and -"
    package static let jobNameRule =
        "1 to 64 letters, digits, \".\", \"_\" and \"-\", not beginning with \".\" or \"-\""

    /// Whether a stage, a limit or a budget may have this name.
    package static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { ("a"..."z") ~= Unicode.Scalar($0) || isDigitOrSign($0) }
    }

    /// Whether a job, and so its folder, may have this name.
    package static func isJobName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && !text.hasPrefix(".") && !text.hasPrefix("-")
            && text.utf8.allSatisfy { byte in
                let scalar = Unicode.Scalar(byte)
                return ("a"..."z") ~= scalar || ("A"..."Z") ~= scalar || scalar == "." || isDigitOrSign(byte)
            }
    }

    private static func isDigitOrSign(_ byte: UInt8) -> Bool {
        let scalar = Unicode.Scalar(byte)
        return ("0"..."9") ~= scalar || scalar == "_" || scalar == "-"
    }
}

extension Range where Bound == Int {
    /// At most the first `count` of the range.
    func prefix(_ count: Int) -> Range<Int> { lowerBound..<Swift.min(upperBound, lowerBound + count) }
}
