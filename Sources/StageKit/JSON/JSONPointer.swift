/// Where in a JSON text something stands, by RFC 6901: "/items/0/name"; "" is the whole text.
public struct JSONPointer: Hashable, Sendable, CustomStringConvertible {
    struct Token: Hashable, Sendable {
        let name: [UInt8]

        /// The token as an index of an array: digits without a leading zero.
        let index: Int?
    }

    public let description: String
    let tokens: [Token]

    /// Throws a ``ConfigurationError`` when `text` is not a JSON pointer.
    public init(_ text: String) throws {
        description = text
        guard !text.isEmpty else {
            tokens = []
            return
        }
        guard text.utf8.first == UInt8(ascii: "/") else {
            throw JSONPointerError(description: "found \(JSON.quote(text)), expected a JSON pointer such as \"/name\"")
        }
        tokens = try text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map {
            try Self.token(Array($0), in: text)
        }
    }

    /// Where the thing stands that this one is in; nil for the whole text.
    var parent: JSONPointer? {
        guard let slash = description.lastIndex(of: "/") else { return nil }
        return JSONPointer(description: String(description[..<slash]), tokens: Array(tokens.dropLast()))
    }

    private init(description: String, tokens: [Token]) {
        self.description = description
        self.tokens = tokens
    }

    private static func token(_ escaped: [UInt8], in text: String) throws -> Token {
        var name: [UInt8] = []
        var at = 0
        while at < escaped.count {
            var byte = escaped[at]
            if byte == UInt8(ascii: "~") {
                at += 1
                switch at < escaped.count ? escaped[at] : 0 {
                case UInt8(ascii: "0"): byte = UInt8(ascii: "~")
                case UInt8(ascii: "1"): byte = UInt8(ascii: "/")
                default:
                    throw JSONPointerError(
                        description: "found \(JSON.quote(text)), expected ~0 or ~1 after each ~ of a JSON pointer")
                }
            }
            name.append(byte)
            at += 1
        }
        let digits = name.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        let isIndex = digits && !name.isEmpty && (name.count == 1 || name[0] != UInt8(ascii: "0"))
        return Token(name: name, index: isIndex ? Int(String(decoding: name, as: UTF8.self)) : nil)
    }
}

extension JSONPointer: Decodable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do {
            try self.init(text)
        } catch {
            throw ConfigurationError(path: decoder.codingPath.map(\.stringValue), problem: "\(error)")
        }
    }
}

struct JSONPointerError: Error, CustomStringConvertible {
    let description: String
}
