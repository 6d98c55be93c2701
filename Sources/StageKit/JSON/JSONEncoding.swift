extension JSON {
    /// Encodes a value as JSON text without spaces, keys sorted by their bytes: the same value gives the same text.
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let slot = JSONSlot()
        try JSONEncoding(slot: slot, codingPath: []).encode(value)
        var text: [UInt8] = []
        slot.node.append(to: &text)
        return text
    }
}

/// The place of one value in the making. A class because `Encoder` hands out containers that write later.
private final class JSONSlot {
    enum Content {
        case leaf(JSONNode)
        case array([JSONSlot])
        case object([String: JSONSlot])
    }

    var content: Content?

    /// What was written; an empty object when nothing was, as Codable types without members do.
    var node: JSONNode {
        switch content {
        case .leaf(let node): node
        case .array(let slots): .array(slots.map(\.node))
        case .object(let slots):
            .object(
                slots.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                    .map { JSONNode.Member(key: $0.key, value: $0.value.node) })
        case nil: .object([])
        }
    }

    func member(_ key: String) -> JSONSlot {
        var slots: [String: JSONSlot] = [:]
        if case .object(let existing) = content { slots = existing }
        let slot = slots[key] ?? JSONSlot()
        slots[key] = slot
        content = .object(slots)
        return slot
    }

    func element() -> JSONSlot {
        var slots: [JSONSlot] = []
        if case .array(let existing) = content {
            slots = existing
            content = nil  // so that the append below happens in place
        }
        let slot = JSONSlot()
        slots.append(slot)
        content = .array(slots)
        return slot
    }
}

private struct JSONEncoding: Encoder, SingleValueEncodingContainer {
    let slot: JSONSlot
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if slot.content == nil { slot.content = .object([:]) }
        return KeyedEncodingContainer(KeyedEncoding<Key>(slot: slot, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if slot.content == nil { slot.content = .array([]) }
        return UnkeyedEncoding(slot: slot, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() { slot.content = .leaf(.null) }
    func encode(_ value: Bool) { slot.content = .leaf(.boolean(value)) }
    func encode(_ value: String) { slot.content = .leaf(.string(value)) }

    func encode(_ value: Double) throws {
        guard value.isFinite else {
            let context = EncodingError.Context(codingPath: codingPath, debugDescription: "JSON has no number \(value)")
            throw EncodingError.invalidValue(value, context)
        }
        slot.content = .leaf(.number(JSON.text(of: value)))
    }

    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Int) { number(value) }
    func encode(_ value: Int8) { number(value) }
    func encode(_ value: Int16) { number(value) }
    func encode(_ value: Int32) { number(value) }
    func encode(_ value: Int64) { number(value) }
    func encode(_ value: UInt) { number(value) }
    func encode(_ value: UInt8) { number(value) }
    func encode(_ value: UInt16) { number(value) }
    func encode(_ value: UInt32) { number(value) }
    func encode(_ value: UInt64) { number(value) }
    func encode<T: Encodable>(_ value: T) throws { try value.encode(to: self) }

    private func number(_ value: some BinaryInteger) { slot.content = .leaf(.number("\(value)")) }
}

extension JSON {
    /// A finite double as JSON writes it: the shortest text that reads back as the same number, whole ones without a
    /// point.
    public static func text(of value: Double) -> String {
        let whole = value.rounded(.towardZero)
        return whole == value && abs(value) < 9_007_199_254_740_992 ? "\(Int64(value))" : "\(value)"
    }
}

private struct KeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let slot: JSONSlot
    let codingPath: [any CodingKey]

    private func encoding(_ key: Key) -> JSONEncoding {
        JSONEncoding(slot: slot.member(key.stringValue), codingPath: codingPath + [key])
    }

    func encodeNil(forKey key: Key) { encoding(key).encodeNil() }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try value.encode(to: encoding(key)) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoding(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoding(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { JSONEncoding(slot: slot.member("super"), codingPath: codingPath) }
    func superEncoder(forKey key: Key) -> any Encoder { encoding(key) }
}

private struct UnkeyedEncoding: UnkeyedEncodingContainer {
    let slot: JSONSlot
    let codingPath: [any CodingKey]

    var count: Int {
        if case .array(let slots) = slot.content { slots.count } else { 0 }
    }

    private func next() -> JSONEncoding {
        JSONEncoding(slot: slot.element(), codingPath: codingPath + [PositionKey(count)])
    }

    func encodeNil() { next().encodeNil() }
    func encode<T: Encodable>(_ value: T) throws { try value.encode(to: next()) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        next().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { next().unkeyedContainer() }
    func superEncoder() -> any Encoder { next() }
}
