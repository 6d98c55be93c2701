/// The part of JSON Schema by which a plugin describes its `with` object.
///
/// Read are type, properties, required, additionalProperties, enum, minimum, maximum, minLength, items, oneOf, anyOf,
/// default and description; other words are passed over, as JSON Schema asks for.
package struct ConfigSchema: Sendable {
    private let root: ConfigNode

    /// Reads the text of a schema; a text that is no schema is the fault of the plugin.
    package static func parse(_ text: String, plugin: String) -> Result<ConfigSchema, Diagnostic> {
        let source = SourceText(name: "schema of plugin \(plugin)", text: text)
        switch ConfigParser.parse(source) {
        case .failure(let problems):
            return .failure(problems.all.first ?? Diagnostic("the schema of plugin \(plugin) cannot be read"))
        case .success(let node):
            guard case .object = node.content else {
                return .failure(
                    Diagnostic("the schema of plugin \(plugin) is no object", at: node.place, found: node.found))
            }
            return .success(ConfigSchema(root: node))
        }
    }

    /// Everything in `node` that the schema does not allow, with its place in the pipeline file.
    package func check(_ node: ConfigNode, subject: String) -> [Diagnostic] {
        Self.check(node, against: root, subject: subject)
    }

    /// One option of a plugin, for people.
    package struct Option: Sendable, Equatable {
        package var name: String
        package var type: String
        package var isRequired: Bool
        /// As JSON.
        package var fallback: String?
        package var description: String
    }

    /// The options of the top level, in the order of the schema.
    package var options: [Option] {
        let required = Self.strings(root["required"])
        return Self.members(root["properties"]).map { member in
            Option(
                name: member.key, type: Self.typeName(member.node), isRequired: required.contains(member.key),
                fallback: member.node["default"]?.plain.json(), description: member.node["description"]?.string ?? "")
        }
    }

    // MARK: Checking

    /// Beyond so many in one object or array, more of the same says nothing new.
    private static let mostProblems = 20

    private static func check(_ node: ConfigNode, against schema: ConfigNode, subject: String) -> [Diagnostic] {
        if case .boolean(false) = schema.content {
            return [Diagnostic("\(subject) is not allowed", at: node.place, found: node.found)]
        }
        if let problem = checkAlternatives(node, schema, subject) { return problem }
        let types = typeNames(schema)
        if !types.isEmpty, !types.contains(where: { matches(node, $0) }) {
            return [mismatch(node, subject, expected: types.map(article).joined(separator: " or "))]
        }
        var problems: [Diagnostic] = []
        if case .array(let allowed) = schema["enum"]?.content, !allowed.contains(where: { $0.plain == node.plain }) {
            var problem = mismatch(node, subject, expected: "one of " + allowed.map(\.found).joined(separator: ", "))
            problem.help = node.string.flatMap { Suggestion.question(for: $0, among: allowed.compactMap(\.string)) }
            problems.append(problem)
        }
        switch node.content {
        case .integer, .number: problems += checkBounds(node, schema, subject)
        case .string(let text):
            if let least = number(schema["minLength"]), Double(text.unicodeScalars.count) < least {
                problems.append(
                    mismatch(
                        node, subject,
                        expected: least == 1
                            ? "text that is not empty" : "at least \(Int(exactly: least) ?? 0) characters"))
            }
        case .array(let elements):
            guard let items = schema["items"] else { break }
            for (index, element) in elements.enumerated() where problems.count < mostProblems {
                problems += check(element, against: items, subject: "\(subject).\(index)")
            }
        case .object(let members): problems += checkMembers(members, of: node, schema, subject)
        default: break
        }
        return problems
    }

    /// nil when there are no alternatives; else what is wrong with all of them.
    private static func checkAlternatives(_ node: ConfigNode, _ schema: ConfigNode, _ subject: String) -> [Diagnostic]?
    {
        for word in ["oneOf", "anyOf"] {
            guard case .array(let alternatives) = schema[word]?.content, !alternatives.isEmpty else { continue }
            let results = alternatives.map { check(node, against: $0, subject: subject) }
            if results.contains(where: \.isEmpty) { return nil }
            // The alternative whose type fits says best what is wrong.
            for (alternative, problems) in zip(alternatives, results) {
                let types = typeNames(alternative)
                if types.contains(where: { matches(node, $0) }) { return problems }
            }
            let types = alternatives.flatMap(typeNames).map(article)
            guard !types.isEmpty else {
                // Alternatives without a type say which keys must be there.
                let keys = alternatives.flatMap { strings($0["required"]) }
                let wanted = keys.isEmpty ? "something else" : "at least one of the keys \(keys.joined(separator: ", "))"
                return [mismatch(node, subject, expected: wanted)]
            }
            return [mismatch(node, subject, expected: types.joined(separator: " or "))]
        }
        return nil
    }

    private static func checkBounds(_ node: ConfigNode, _ schema: ConfigNode, _ subject: String) -> [Diagnostic] {
        guard let value = number(node) else { return [] }
        if let least = number(schema["minimum"]), value < least {
            return [mismatch(node, subject, expected: "at least \(schema["minimum"]?.found ?? "")")]
        }
        if let most = number(schema["maximum"]), value > most {
            return [mismatch(node, subject, expected: "at most \(schema["maximum"]?.found ?? "")")]
        }
        return []
    }

    private static func checkMembers(
        _ given: [ConfigMember], of node: ConfigNode, _ schema: ConfigNode, _ subject: String
    )
        -> [Diagnostic]
    {
        var problems: [Diagnostic] = []
        let properties = members(schema["properties"])
        let known = properties.map(\.key)
        for member in given where problems.count < mostProblems {
            let name = "\(subject).\(member.key)"
            if let property = properties.first(where: { $0.key == member.key })?.node {
                problems += check(member.node, against: property, subject: name)
                continue
            }
            switch schema["additionalProperties"]?.content {
            case .boolean(false):
                problems.append(
                    Diagnostic(
                        "unknown key \"\(member.key)\" in \(subject)", at: member.keyPlace,
                        help: Suggestion.question(for: member.key, among: known)
                            ?? "known keys: \(known.sorted().joined(separator: ", "))"))
            case .object:
                if let more = schema["additionalProperties"] {
                    problems += check(member.node, against: more, subject: name)
                }
            default: break
            }
        }
        for key in strings(schema["required"]) where !given.contains(where: { $0.key == key }) {
            let property = properties.first { $0.key == key }?.node
            problems.append(
                Diagnostic(
                    "\(subject).\(key) is missing", at: Place(node.place.source, node.place.range.prefix(1)),
                    expected: property.map { article(typeName($0)) },
                    help: "write \(key): …" + (property?["description"]?.string.map { " (\($0))" } ?? "")))
        }
        return problems
    }

    private static func mismatch(_ node: ConfigNode, _ subject: String, expected: String) -> Diagnostic {
        Diagnostic("invalid value for \(subject)", at: node.place, found: node.found, expected: expected)
    }

    private static func matches(_ node: ConfigNode, _ type: String) -> Bool {
        switch (type, node.content) {
        case ("null", .null), ("boolean", .boolean), ("integer", .integer), ("number", .integer), ("number", .number),
            ("string", .string), ("array", .array), ("object", .object):
            true
        case ("integer", .number(let value)): Int64(exactly: value) != nil
        default: false
        }
    }

    // MARK: Reading the schema

    private static func typeNames(_ schema: ConfigNode) -> [String] {
        if let name = schema["type"]?.string { return [name] }
        return strings(schema["type"])
    }

    private static func typeName(_ schema: ConfigNode) -> String {
        var names = typeNames(schema)
        for word in ["oneOf", "anyOf"] {
            if case .array(let alternatives) = schema[word]?.content { names += alternatives.flatMap(typeNames) }
        }
        if names.isEmpty, case .array(let allowed) = schema["enum"]?.content {
            return allowed.map(\.found).joined(separator: " or ")
        }
        return names.isEmpty ? "any value" : names.joined(separator: " or ")
    }

    private static func article(_ type: String) -> String {
        switch type {
        case "integer": "a whole number"
        case "string": "text in quotes"
        case "boolean": "true or false"
        case "array", "object": "an \(type)"
        case "number": "a number"
        default: type
        }
    }

    private static func members(_ node: ConfigNode?) -> [ConfigMember] {
        guard case .object(let members) = node?.content else { return [] }
        return members
    }

    private static func strings(_ node: ConfigNode?) -> [String] {
        guard case .array(let elements) = node?.content else { return [] }
        return elements.compactMap(\.string)
    }

    private static func number(_ node: ConfigNode?) -> Double? {
        switch node?.content {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}
