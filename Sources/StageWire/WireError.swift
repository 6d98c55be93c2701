/// Why some bytes are not what they should be: where, what was found, what was expected.
package struct WireError: Error, Equatable, CustomStringConvertible {
    /// Which rule of `docs/wire.md` was broken.
    package enum Rule: String, Sendable {
        case truncated, magic, version, checksum, type, length, reserved, order, range, item, duplicate, status
    }

    package var rule: Rule
    /// The thing that is wrong: "frame header", "block 2, entry 17".
    package var subject: String
    package var found: String
    package var expected: String

    package init(_ rule: Rule, _ subject: String, found: String, expected: String) {
        self.rule = rule
        self.subject = subject
        self.found = found
        self.expected = expected
    }

    package var description: String { "\(subject): \(rule.rawValue): found \(found), expected \(expected)" }
}
