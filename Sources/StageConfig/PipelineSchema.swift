/// A key of pipeline files, as the reader asks for it.
struct DeclaredKey {
    var path: [String]
    var schema: JSONValue
    var fallback: JSONValue?
    var isRequired: Bool
}

/// A JSON Schema of pipeline files, for editors.
///
/// It is made by the reader itself: it reads a small pipeline that has one of everything, and says what it asks for. So the
/// schema knows each key that the reader knows, and no other.
package enum PipelineSchema {
    private static let sample = """
        { limits: { some: { concurrency: 1 } }, budget: { some: 1 },
          stages: [ { name: "some", plugin: "p", on: { SIGSEGV: "poison" } }, { name: "last", plugin: "p" } ] }
        """

    /// - Parameter plugins: By name; of each what it says of its `with` object, if it says anything.
    package static func make(plugins: [(name: String, description: String, configSchema: JSONValue?)]) -> JSONValue {
        let names = plugins.map(\.name)
        var pipeline = object(at: [])
        var stage = object(at: ["stages", "some"])
        pipeline.set("properties", "stages", .object([
            .init("type", .string("array")), .init("minItems", .integer(2)), .init("items", .object([.init("$ref", .string("#/$defs/stage"))])),
            .init("description", .string(SettingWords.of("stages"))),
        ]))
        pipeline.set("properties", "$schema", .schema("string"))
        pipeline.set("required", .array([.string("stages")]))
        if !names.isEmpty {
            stage.set("properties", "plugin", .object([
                .init("anyOf", .array([
                    .object([.init("enum", .array(names.map(JSONValue.string)))]), .schema("string", .init("pattern", .string("."))),
                ])),
                .init("description", .string(SettingWords.of("stages.plugin"))),
            ]))
        }
        let described = plugins.filter { $0.configSchema != nil }
        if !described.isEmpty { stage.set("allOf", .array(described.map { condition(on: $0.name) })) }
        var definitions: [JSONValue.Member] = [.init("stage", stage.value)]
        for plugin in described {
            var schema = plugin.configSchema ?? .object([])
            if case .object(let members) = schema, schema["description"] == nil, !plugin.description.isEmpty {
                schema = .object(members + [.init("description", .string(plugin.description))])
            }
            definitions.append(.init("with-" + plugin.name, schema))
        }
        return .object(
            [
                .init("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
                .init("title", .string("A pipeline of stagehost")),
            ] + pipeline.members + [.init("$defs", .object(definitions))])
    }

    /// What holds for `with` where that plugin is used.
    private static func condition(on plugin: String) -> JSONValue {
        .object([
            .init("if", .object([
                .init("properties", .object([.init("plugin", .object([.init("const", .string(plugin))]))])),
                .init("required", .array([.string("plugin"), .string("with")])),
            ])),
            .init("then", .object([
                .init("properties", .object([.init("with", .object([.init("$ref", .string("#/$defs/with-\(plugin)"))]))]))
            ])),
        ])
    }

    static let keys: [DeclaredKey] = {
        guard case .success(let root) = ConfigParser.parse(SourceText(name: "sample", text: sample)) else { return [] }
        let resolver = Resolver(environment: [:], recordedOrigins: [:])
        resolver.declared = []
        _ = PipelineReader(resolver: resolver).read(root, file: "sample", directory: ".")
        return (resolver.declared ?? []).filter { $0.path.starts(with: ["stages", "last"]) == false }
    }()

    /// Sections in which any key may stand, and what these keys may be called.
    private static func freeKeys(_ path: [String]) -> JSONValue? {
        switch path.last {
        case "limits", "budget": ValueForm.name.schema
        case "on": .object([.init("enum", .array(StageReader.causes.map(JSONValue.string)))])
        default: nil
        }
    }

    /// The schema of the object at a path, with everything in it; of stages only their own.
    private static func object(at path: [String]) -> SchemaObject {
        var object = SchemaObject(members: [.init("type", .string("object"))])
        var required: [JSONValue] = []
        var seen: Set<String> = []
        for key in keys where key.path.starts(with: path) && key.path.count > path.count {
            let name = key.path[path.count]
            guard seen.insert(name).inserted, !(path.isEmpty && name == "stages") else { continue }
            let isSection = key.path.count > path.count + 1
            var schema = isSection ? section(path + [name]) : leaf(key)
            if !key.isRequired || isSection { schema = schema.orNull }
            if key.isRequired, !isSection { required.append(.string(name)) }
            object.set("properties", name, schema)
        }
        if !required.isEmpty { object.set("required", .array(required)) }
        object.set("additionalProperties", .boolean(false))
        return object
    }

    private static func section(_ path: [String]) -> JSONValue {
        let words = JSONValue.Member("description", .string(SettingWords.of(key(path))))
        guard let names = freeKeys(path) else { return .object([words] + object(at: path).members) }
        let inner = keys.first { $0.path.starts(with: path) }.map(\.path) ?? path
        let isLeaf = inner.count == path.count + 1
        let member = path + [inner[path.count]]
        let value = isLeaf ? keys.first { $0.path == member }?.schema ?? .object([]) : .object(object(at: member).members)
        return .object([
            words, .init("type", .string("object")), .init("propertyNames", names), .init("additionalProperties", value.orNull),
        ])
    }

    private static func leaf(_ key: DeclaredKey) -> JSONValue {
        guard case .object(let members) = key.schema else { return key.schema }
        var all = [JSONValue.Member("description", .string(SettingWords.of(self.key(key.path))))] + members
        // The name of a pipeline is that of its file.
        if let fallback = key.fallback, key.path != ["name"] { all.append(.init("default", fallback)) }
        return .object(all)
    }

    /// "stages.retry.attempts": without the names of what has one.
    static func key(_ path: [String]) -> String {
        var path = path
        if path.count > 1, ["stages", "limits", "budget"].contains(path[0]) { path.remove(at: 1) }
        return path.joined(separator: ".")
    }
}

/// An object under construction.
private struct SchemaObject {
    var members: [JSONValue.Member]

    var value: JSONValue { .object(members) }

    mutating func set(_ key: String, _ value: JSONValue) {
        if let index = members.firstIndex(where: { $0.key == key }) { members[index].value = value } else { members.append(.init(key, value)) }
    }

    mutating func set(_ key: String, _ inner: String, _ value: JSONValue) {
        var object = SchemaObject(members: [])
        if let index = members.firstIndex(where: { $0.key == key }), case .object(let there) = members[index].value { object.members = there }
        object.set(inner, value)
        set(key, object.value)
    }
}

extension JSONValue {
    /// A schema of one type.
    static func schema(_ type: String, _ more: Member...) -> JSONValue { .object([.init("type", .string(type))] + more) }

    static func anyOf(_ schemas: [JSONValue]) -> JSONValue { .object([.init("anyOf", .array(schemas))]) }

    /// A schema that also takes the number 0.
    var orZero: JSONValue { .anyOf([self, .object([.init("const", .integer(0))])]) }

    /// A schema that also takes null: a value that is not given.
    fileprivate var orNull: JSONValue {
        guard case .object(let members) = self else { return self }
        return .object(
            members.map { member in
                switch (member.key, member.value) {
                case ("type", .string): .init("type", .array([member.value, .string("null")]))
                case ("enum", .array(let values)): .init("enum", .array(values + [.null]))
                case ("anyOf", .array(let schemas)): .init("anyOf", .array(schemas + [.schema("null")]))
                default: member
                }
            })
    }
}
