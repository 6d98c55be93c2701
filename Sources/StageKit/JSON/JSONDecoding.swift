extension JSON {
    /// Decodes a value, refusing keys that it does not ask for. Throws a ``JSONError`` or a ``ConfigurationError``.
    public static func decode<T: Decodable>(_ type: T.Type, from text: [UInt8]) throws -> T {
        let root = try JSONNode(parsing: text)
        let strays = StrayKeys()
        let value: T
        do {
            value = try JSONDecoding(root, path: [], strays: strays).unbox(type)
        } catch let error as DecodingError {
            throw ConfigurationError(error)
        }
        try strays.check()
        return value
    }
}

extension ConfigurationError {
    fileprivate init(_ error: DecodingError) {
        let context: DecodingError.Context
        var key: [String] = []
        switch error {
        case .typeMismatch(_, let inner), .valueNotFound(_, let inner), .dataCorrupted(let inner): context = inner
        case .keyNotFound(let missing, let inner):
            key = [missing.stringValue]
            context = inner
        @unknown default: context = DecodingError.Context(codingPath: [], debugDescription: "\(error)")
        }
        self.init(path: context.codingPath.map(\.stringValue) + key, problem: context.debugDescription)
    }
}

/// Remembers which keys each object was asked for; what is left over at the end is refused. A class because the
/// containers of one decoding share it.
private final class StrayKeys {
    final class Asked {
        let path: [String]
        let present: [String]
        var asked: [String] = []
        var askedForAll = false

        init(path: [String], present: [String]) {
            self.path = path
            self.present = present
        }
    }

    private var objects: [Asked] = []

    func add(path: [String], present: [String]) -> Asked {
        let asked = Asked(path: path, present: present)
        objects.append(asked)
        return asked
    }

    func check() throws {
        for object in objects where !object.askedForAll {
            guard let stray = object.present.first(where: { !object.asked.contains($0) }) else { continue }
            let known = object.asked.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }.sorted()
            let advice =
                known.isEmpty ? "there is nothing to configure" : "the keys are \(known.joined(separator: ", "))"
            throw ConfigurationError(path: object.path + [stray], problem: "unknown key; \(advice)")
        }
    }
}

private struct JSONDecoding: Decoder, SingleValueDecodingContainer, JSONNodeDecoder {
    let node: JSONNode
    let codingPath: [any CodingKey]
    let strays: StrayKeys
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ node: JSONNode, path: [any CodingKey], strays: StrayKeys) {
        self.node = node
        codingPath = path
        self.strays = strays
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let members) = node else { throw mismatch("an object") }
        let asked = strays.add(path: codingPath.map(\.stringValue), present: members.map(\.key))
        let byName = Dictionary(members.map { ($0.key, $0.value) }) { _, last in last }
        return KeyedDecodingContainer(
            KeyedDecoding<Key>(members: byName, codingPath: codingPath, strays: strays, asked: asked))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = node else { throw mismatch("a list") }
        return UnkeyedDecoding(elements: elements, codingPath: codingPath, strays: strays)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    func mismatch(_ expected: String) -> ConfigurationError {
        ConfigurationError(
            path: codingPath.map(\.stringValue), problem: "found \(node.description), expected \(expected)")
    }

    func decodeNil() -> Bool { node == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard case .boolean(let value) = node else { throw mismatch("true or false") }
        return value
    }

    func decode(_ type: String.Type) throws -> String {
        guard case .string(let value) = node else { throw mismatch("a string") }
        return value
    }

    func decode(_ type: Double.Type) throws -> Double {
        guard case .number(let text) = node, let value = Double(text), value.isFinite else { throw mismatch("a number") }
        return value
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }

    private func integer<T: FixedWidthInteger>() throws -> T {
        let expected = T.min == 0 ? "a whole number, not negative" : "a whole number"
        guard case .number(let text) = node else { throw mismatch(expected) }
        // 1e6 and 5.0 are whole numbers too.
        guard let value = T(text) ?? Double(text).flatMap({ T(exactly: $0) }) else { throw mismatch(expected) }
        return value
    }

    func decode(_ type: Int.Type) throws -> Int { try integer() }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer() }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer() }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer() }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer() }
    func decode(_ type: UInt.Type) throws -> UInt { try integer() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer() }

    func decode<T: Decodable>(_ type: T.Type) throws -> T { try unbox(type) }

    func unbox<T: Decodable>(_ type: T.Type) throws -> T { try T(from: self) }
}

private struct KeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: [String: JSONNode]
    let codingPath: [any CodingKey]
    let strays: StrayKeys
    let asked: StrayKeys.Asked

    var allKeys: [Key] {
        asked.askedForAll = true
        return members.keys.sorted().compactMap { Key(stringValue: $0) }
    }

    func contains(_ key: Key) -> Bool {
        asked.asked.append(key.stringValue)
        return members[key.stringValue] != nil
    }

    private func decoder(_ key: Key) throws -> JSONDecoding {
        asked.asked.append(key.stringValue)
        guard let node = members[key.stringValue] else {
            throw ConfigurationError(
                path: codingPath.map(\.stringValue) + [key.stringValue], problem: "is missing, and has no default")
        }
        return JSONDecoding(node, path: codingPath + [key], strays: strays)
    }

    func decodeNil(forKey key: Key) throws -> Bool { try decoder(key).decodeNil() }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try decoder(key).decode(type) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try decoder(key).decode(type) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try decoder(key).decode(type) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try decoder(key).decode(type) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try decoder(key).decode(type) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try decoder(key).decode(type) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try decoder(key).decode(type) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try decoder(key).decode(type) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try decoder(key).decode(type) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try decoder(key).decode(type) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try decoder(key).decode(type) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try decoder(key).decode(type) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try decoder(key).decode(type) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try decoder(key).decode(type) }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try decoder(key).unbox(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try decoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { throw noSuper(codingPath) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }
}

private struct UnkeyedDecoding: UnkeyedDecodingContainer {
    let elements: [JSONNode]
    let codingPath: [any CodingKey]
    let strays: StrayKeys
    var currentIndex = 0

    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    init(elements: [JSONNode], codingPath: [any CodingKey], strays: StrayKeys) {
        self.elements = elements
        self.codingPath = codingPath
        self.strays = strays
    }

    private mutating func next() throws -> JSONDecoding {
        let path = codingPath + [PositionKey(currentIndex)]
        guard !isAtEnd else {
            throw ConfigurationError(path: path.map(\.stringValue), problem: "is missing from the list")
        }
        defer { currentIndex += 1 }
        return JSONDecoding(elements[currentIndex], path: path, strays: strays)
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, elements[currentIndex] == .null else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().unbox(type) }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }
}

private func noSuper(_ path: [any CodingKey]) -> ConfigurationError {
    ConfigurationError(path: path.map(\.stringValue), problem: "classes with a decodable superclass are not supported")
}

/// The key of an element in a list.
struct PositionKey: CodingKey {
    let intValue: Int?
    let stringValue: String

    init(_ index: Int) {
        intValue = index
        stringValue = "\(index)"
    }

    init?(intValue: Int) { self.init(intValue) }
    init?(stringValue: String) { nil }
}
