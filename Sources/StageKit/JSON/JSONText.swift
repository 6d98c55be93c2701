/// Any JSON value inside a `Decodable` type, kept as text: without spaces, members in their order, numbers as written.
public struct JSONText: Decodable, Hashable, Sendable {
    public let bytes: [UInt8]

    /// The characters of a value that is a string; nil for any other.
    public let string: String?

    public init(from decoder: any Decoder) throws {
        guard let decoding = decoder as? any JSONNodeDecoder else {
            throw ConfigurationError(path: decoder.codingPath.map(\.stringValue), problem: "JSON text can be decoded from JSON only")
        }
        var text: [UInt8] = []
        decoding.node.append(to: &text)
        bytes = text
        if case .string(let characters) = decoding.node { string = characters } else { string = nil }
    }
}

/// A decoder that stands on a tree of JSON.
protocol JSONNodeDecoder {
    var node: JSONNode { get }
}
