package import StageConfig

/// An object that somebody else wrote: everything in it is optional, and of the right type or not there.
package struct LenientObject: Sendable {
    package private(set) var members: [String: JSONValue] = [:]
    private var order: [String] = []

    package init(_ value: JSONValue?) {
        guard case .object(let list) = value else { return }
        for member in list where members.updateValue(member.value, forKey: member.key) == nil {
            order.append(member.key)
        }
    }

    package var keys: [String] { order }

    package subscript(key: String) -> LenientObject { LenientObject(members[key]) }

    package func optionalCount(_ key: String) -> UInt64? {
        guard case .integer(let value) = members[key] else { return nil }
        return UInt64(exactly: value)
    }

    package func count(_ key: String) -> UInt64 { optionalCount(key) ?? 0 }

    package func optionalNumber(_ key: String) -> Double? {
        switch members[key] {
        case .integer(let value) where value >= 0: Double(value)
        case .number(let value) where value.isFinite && value >= 0: value
        default: nil
        }
    }

    package func number(_ key: String) -> Double { optionalNumber(key) ?? 0 }

    package func text(_ key: String) -> String? {
        guard case .string(let value) = members[key] else { return nil }
        return value
    }

    package func optionalFlag(_ key: String) -> Bool? {
        guard case .boolean(let value) = members[key] else { return nil }
        return value
    }

    package func object(_ key: String, orElse other: JSONValue = .object([])) -> JSONValue {
        guard case .object = members[key] else { return other }
        return members[key] ?? other
    }

    package func list(_ key: String) -> [JSONValue] {
        guard case .array(let list) = members[key] else { return [] }
        return list
    }

    /// Amounts by name.
    package func amounts(_ key: String) -> [(name: String, amount: Double)] {
        let object = self[key]
        return object.keys.compactMap { name in
            switch object.members[name] {
            case .integer(let value): (name, Double(value))
            case .number(let value) where value.isFinite: (name, value)
            default: nil
            }
        }
    }

    /// These members, and those of the object that are not among them.
    package func completed(_ known: [JSONValue.Member]) -> JSONValue {
        let keys = Set(known.map(\.key))
        let others = order.filter { !keys.contains($0) }.compactMap { key in
            members[key].map { JSONValue.Member(key, $0) }
        }
        return .object(known + others)
    }
}
