/// One value of a parsed configuration, with its place in the text.
package struct ConfigNode: Sendable {
    package var content: Content
    package var place: Place

    package enum Content: Sendable {
        case null
        case boolean(Bool)
        case integer(Int64)
        case number(Double)
        case string(String)
        case array([ConfigNode])
        case object([ConfigMember])
    }

    package init(_ content: Content, at place: Place) {
        self.content = content
        self.place = place
    }

    /// The member of that name, if this is an object that has it.
    package subscript(key: String) -> ConfigNode? {
        guard case .object(let members) = content else { return nil }
        return members.first { $0.key == key }?.node
    }

    package var string: String? {
        guard case .string(let value) = content else { return nil }
        return value
    }

    /// The same value without places.
    package var plain: JSONValue {
        switch content {
        case .null: .null
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .number(let value): .number(value)
        case .string(let value): .string(value)
        case .array(let elements): .array(elements.map(\.plain))
        case .object(let members): .object(members.map { .init($0.key, $0.node.plain) })
        }
    }

    /// What a diagnostic says was found: the kind of a container, the text of a scalar.
    package var found: String {
        switch content {
        case .array: "an array"
        case .object: "an object"
        default: plain.json()
        }
    }
}

/// A key of an object with its value.
package struct ConfigMember: Sendable {
    package var key: String
    package var keyPlace: Place
    package var node: ConfigNode

    package init(key: String, keyPlace: Place, node: ConfigNode) {
        self.key = key
        self.keyPlace = keyPlace
        self.node = node
    }
}
