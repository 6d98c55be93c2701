import FoundationEssentials
import StageConfig

/// Bytes from outside as JSON: what is text or JSON is shown as that, the rest as base64.
enum BlobText {
    /// A plugin's state: JSON if it is JSON, else a string of base64.
    static func state(_ bytes: [UInt8]) -> JSONValue {
        json(bytes) ?? .string(Data(bytes).base64EncodedString())
    }

    /// A value or a key of a record: a string if it is UTF-8, else `{"base64": …}`.
    static func value(_ bytes: [UInt8]) -> JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return .object([.init("base64", .string(Data(bytes).base64EncodedString()))])
    }

    /// The bytes as JSON; nil when they are none, in the strict sense.
    static func json(_ bytes: [UInt8]) -> JSONValue? {
        guard (try? JSONDecoder().decode(AnyJSON.self, from: Data(bytes))) != nil,
            case .success(let node) = ConfigParser.parse(SourceText(name: "state", bytes: bytes))
        else { return nil }
        return node.plain
    }

    /// Text that is JSON, as a value; else as a string.
    static func json(_ text: String) -> JSONValue { json(Array(text.utf8)) ?? .string(text) }

    /// Decodes from any JSON text and keeps nothing: the decoder checks the whole text first.
    private struct AnyJSON: Decodable {
        init(from decoder: any Decoder) throws {}
    }
}
