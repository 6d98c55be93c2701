/// A text with places that each record fills: `{{key}}`, `{{value}}` and `{{json:/pointer}}`.
///
/// What is filled in is escaped for where it stands, so that a record cannot change the shape of the text around it.
/// `{{{{` stands for two braces.
public struct Template: Sendable {
    /// What the text is, which decides how values are written into it.
    public enum Form: Sendable {
        /// Plain text: values as they are; a JSON member that is a string as its characters, any other as its JSON text.
        case text
        /// A JSON text. Inside quotes a value is written as the inside of a string. Outside, `key` and `value` become
        /// strings with their quotes, and a member is copied as the JSON that it is.
        case json
        /// A URL: every byte but letters, digits, `-`, `.`, `_` and `~` as `%XX` (RFC 3986).
        case url
    }

    private enum Subject: Sendable {
        case key, value
        case member(JSONPointer)
    }

    private enum Part: Sendable {
        case literal([UInt8])
        case place(Subject, isInString: Bool)
    }

    private let form: Form
    private let parts: [Part]

    /// Throws a ``TemplateError`` that says what is wrong with `text`, and at which character.
    public init(_ text: String, form: Form) throws(TemplateError) {
        self.form = form
        var parts: [Part] = []
        var literal: [UInt8] = []
        var strings = StringTracker()
        let bytes = Array(text.utf8)
        var at = 0
        while at < bytes.count {
            guard bytes[at...].starts(with: Self.opening) else {
                literal.append(bytes[at])
                strings.pass(bytes[at])
                at += 1
                continue
            }
            if bytes[(at + 2)...].starts(with: Self.opening) {
                literal += Self.opening
                at += 4
                continue
            }
            guard let end = Self.end(of: bytes, from: at + 2) else {
                throw TemplateError(description: "found {{ without }} at character \(Self.character(at, in: bytes))")
            }
            let name = String(decoding: bytes[(at + 2)..<end], as: UTF8.self)
            if !literal.isEmpty { parts.append(.literal(literal)) }
            literal = []
            parts.append(.place(try Self.subject(name, at: Self.character(at, in: bytes)), isInString: strings.isInside))
            at = end + 2
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        self.parts = parts
    }

    /// The text for `record`. Throws a permanent failure when a value cannot be written: there is nothing at a pointer, or it
    /// is not UTF-8 where text is needed.
    public func fill(with record: borrowing Record) throws -> [UInt8] {
        var text: [UInt8] = []
        for part in parts {
            switch part {
            case .literal(let bytes): text += bytes
            case .place(.key, let isInString):
                unsafe try append(record.keyBuffer, isString: true, isInString: isInString, "the key", to: &text)
            case .place(.value, let isInString):
                unsafe try append(record.valueBuffer, isString: true, isInString: isInString, "the value", to: &text)
            case .place(.member(let pointer), let isInString):
                guard let slice = try record.json(pointer) else {
                    throw RecordFailure.permanent("found nothing at \(pointer) of the value, expected what {{json:\(pointer)}} asks for")
                }
                guard slice.kind == .string else {
                    unsafe try append(slice.bytes, isString: false, isInString: isInString, "\(pointer)", to: &text)
                    continue
                }
                try slice.withStringBytes { unsafe try append($0, isString: true, isInString: isInString, "\(pointer)", to: &text) }
            }
        }
        return text
    }

    @unsafe private func append(
        _ bytes: UnsafeRawBufferPointer, isString: Bool, isInString: Bool, _ name: String, to text: inout [UInt8]
    ) throws {
        switch form {
        case .text: unsafe text.append(contentsOf: bytes)
        case .url: unsafe Self.appendPercentEncoded(bytes, to: &text)
        case .json:
            if let offset = unsafe firstInvalidUTF8(in: bytes) {
                throw RecordFailure.permanent("\(name) is not UTF-8: byte \(offset) of \(bytes.count) cannot stand in JSON")
            }
            guard isString || isInString else { return unsafe text.append(contentsOf: bytes) }
            var quoted: [UInt8] = []
            unsafe JSON.appendQuoted(bytes, to: &quoted)
            text += isInString ? quoted.dropFirst().dropLast() : quoted[...]
        }
    }

    @unsafe private static func appendPercentEncoded(_ bytes: UnsafeRawBufferPointer, to text: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for unsafe byte in unsafe bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                text.append(byte)
            default: text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    private static let opening = Array("{{".utf8)

    private static func end(of bytes: [UInt8], from start: Int) -> Int? {
        bytes.indices.dropLast().first { $0 >= start && bytes[$0] == UInt8(ascii: "}") && bytes[$0 + 1] == UInt8(ascii: "}") }
    }

    private static func character(_ offset: Int, in bytes: [UInt8]) -> Int {
        String(decoding: bytes[..<offset], as: UTF8.self).count + 1
    }

    private static func subject(_ name: String, at character: Int) throws(TemplateError) -> Subject {
        switch name {
        case "key": return .key
        case "value": return .value
        case let name where name.hasPrefix("json:"):
            do {
                return .member(try JSONPointer(String(name.dropFirst(5))))
            } catch {
                throw TemplateError(description: "{{\(name)}} at character \(character): \(error)")
            }
        default:
            throw TemplateError(
                description: "found {{\(name)}} at character \(character), expected {{key}}, {{value}} or {{json:/pointer}}")
        }
    }
}

/// Whether the next byte of a JSON text stands inside a string.
private struct StringTracker {
    private(set) var isInside = false
    private var isEscaped = false

    mutating func pass(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\"") {
            isInside.toggle()
        } else if isInside, byte == UInt8(ascii: "\\") {
            isEscaped = true
        }
    }
}

/// What is wrong with the text of a ``Template``.
public struct TemplateError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}
