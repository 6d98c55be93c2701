import StageConfig

/// Bytes from outside as JSON: what is text or JSON is shown as that, the rest as base64.
enum BlobText {
    /// A plugin's state: JSON if it is JSON, else a string of base64.
    static func state(_ bytes: [UInt8]) -> JSONValue {
        json(bytes) ?? .string(base64(bytes))
    }

    /// A value or a key of a record: a string if it is UTF-8, else `{"base64": …}`.
    static func value(_ bytes: [UInt8]) -> JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return .object([.init("base64", .string(base64(bytes)))])
    }

    /// The bytes as JSON; nil when they are none, in the strict sense.
    static func json(_ bytes: [UInt8]) -> JSONValue? {
        guard StrictJSON.accepts(bytes),
            case .success(let node) = ConfigParser.parse(SourceText(name: "state", bytes: bytes))
        else { return nil }
        return node.plain
    }

    /// Text that is JSON, as a value; else as a string.
    static func json(_ text: String) -> JSONValue { json(Array(text.utf8)) ?? .string(text) }

    /// RFC 4648, section 4, with padding.
    private static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let word = part.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << (16 - 8 * UInt32($1.offset)) }
            for place in 0..<4 {
                text.append(place <= part.count ? alphabet[Int(word >> (18 - 6 * UInt32(place)) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
