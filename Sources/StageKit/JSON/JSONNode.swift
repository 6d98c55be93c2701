/// A small JSON text as a tree: configurations, checkpoints, states. Values of records are scanned instead.
enum JSONNode: Hashable {
    struct Member: Hashable {
        let key: String
        let value: JSONNode
    }

    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case array([JSONNode])
    case object([Member])

    init(parsing text: [UInt8]) throws {
        self = try text.withStageBytes { bytes in
            unsafe try JSON.validate(bytes)
            var builder = unsafe TreeBuilder(bytes)
            return builder.value()
        }
    }

    /// The value as shown in a message.
    var description: String {
        switch self {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .number(let text): text
        case .string(let text): JSON.quote(text.count > 60 ? text.prefix(60) + "…" : text)
        case .array: "a list"
        case .object: "an object"
        }
    }

    /// The text of the node, without spaces.
    func append(to result: inout [UInt8]) {
        switch self {
        case .null: result.append(contentsOf: "null".utf8)
        case .boolean(let value): result.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let text): result.append(contentsOf: text.utf8)
        case .string(let text): JSON.appendQuoted(text, to: &result)
        case .array(let elements):
            result.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { result.append(UInt8(ascii: ",")) }
                element.append(to: &result)
            }
            result.append(UInt8(ascii: "]"))
        case .object(let members):
            result.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { result.append(UInt8(ascii: ",")) }
                JSON.appendQuoted(member.key, to: &result)
                result.append(UInt8(ascii: ":"))
                member.value.append(to: &result)
            }
            result.append(UInt8(ascii: "}"))
        }
    }
}

/// Builds the tree of a text that the scanner has found valid: structure is followed, not checked.
@safe private struct TreeBuilder {
    // Points to valid JSON for as long as the builder lives.
    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
    }

    private func byte() -> UInt8 { unsafe at < bytes.count ? bytes[at] : 0 }

    /// Skips space and the marks between values.
    private mutating func skipBetween() {
        while true {
            switch byte() {
            case 0x20, 0x0A, 0x0D, 0x09, UInt8(ascii: ","), UInt8(ascii: ":"): at += 1
            default: return
            }
        }
    }

    mutating func value() -> JSONNode {
        skipBetween()
        switch byte() {
        case UInt8(ascii: "{"):
            at += 1
            var members: [JSONNode.Member] = []
            skipBetween()
            while byte() != UInt8(ascii: "}") {
                let key = string()
                members.append(JSONNode.Member(key: key, value: value()))
                skipBetween()
            }
            at += 1
            return .object(members)
        case UInt8(ascii: "["):
            at += 1
            var elements: [JSONNode] = []
            skipBetween()
            while byte() != UInt8(ascii: "]") {
                elements.append(value())
                skipBetween()
            }
            at += 1
            return .array(elements)
        case UInt8(ascii: "\""): return .string(string())
        case UInt8(ascii: "t"):
            at += 4
            return .boolean(true)
        case UInt8(ascii: "f"):
            at += 5
            return .boolean(false)
        case UInt8(ascii: "n"):
            at += 4
            return .null
        default:
            let start = at
            while isPartOfNumber(byte()) { at += 1 }
            return .number(unsafe lossyText(UnsafeRawBufferPointer(rebasing: bytes[start..<at])))
        }
    }

    private func isPartOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private mutating func string() -> String {
        let start = at
        at += 1
        while byte() != UInt8(ascii: "\"") { at += byte() == UInt8(ascii: "\\") ? 2 : 1 }
        at += 1
        let slice = unsafe JSONSlice(
            kind: .string, offset: start, bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), hasEscapes: true)
        return slice.string ?? ""
    }
}
