/// What is wrong with one key of a configuration.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The keys that lead there.
    public let path: [String]

    /// What was found, what was expected, what to do.
    public let problem: String

    public init(path: [String], problem: String) {
        self.path = path
        self.problem = problem
    }

    /// `key` holds something else than it should.
    public init(_ key: String, found: String, expected: String) {
        self.init(path: [key], problem: "found \(found), expected \(expected)")
    }

    public var description: String {
        path.isEmpty ? problem : path.joined(separator: ".") + ": " + problem
    }

    /// Throws unless `value` lies in `range`.
    public static func check(_ key: String, _ value: Int, in range: ClosedRange<Int>) throws {
        guard !range.contains(value) else { return }
        throw ConfigurationError(
            key, found: "\(value)", expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
}

/// A configuration value that is one of a few words: an enum of String that gets its `Decodable` from here, with a
/// message that lists the words.
public protocol ConfigurationChoice: RawRepresentable, CaseIterable, Decodable, Sendable where RawValue == String {}

extension ConfigurationChoice {
    public init(from decoder: any Decoder) throws {
        let word = try decoder.singleValueContainer().decode(String.self)
        guard let choice = Self(rawValue: word) else {
            let words = Self.allCases.map { JSON.quote($0.rawValue) }.joined(separator: ", ")
            throw ConfigurationError(
                path: decoder.codingPath.map(\.stringValue), problem: "found \(JSON.quote(word)), expected one of \(words)")
        }
        self = choice
    }
}

/// A list of strings that may be written as one string.
public struct OneOrMore: Decodable, Hashable, Sendable {
    public let values: [String]

    public init(_ values: [String]) {
        self.values = values
    }

    public init(from decoder: any Decoder) throws {
        if let one = try? decoder.singleValueContainer().decode(String.self) {
            values = [one]
            return
        }
        let path = decoder.codingPath.map(\.stringValue)
        guard let several = try? decoder.singleValueContainer().decode([String].self), !several.isEmpty else {
            throw ConfigurationError(path: path, problem: "expected a string, or a list of at least one string")
        }
        values = several
    }
}
