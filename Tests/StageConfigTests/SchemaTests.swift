import StageConfig
import Testing

private func properties(_ schema: JSONValue?) -> [String] {
    guard case .object(let members) = schema?["properties"] else { return [] }
    return members.map(\.key)
}

@Test func `the schema knows every key that the reader knows`() throws {
    let schema = PipelineSchema.make(plugins: [])
    let stage = try #require(schema["$defs"]?["stage"])
    let pipeline = try pipeline(sample(top: "limits: { api: { concurrency: 1 } }, budget: { cents: 5 },", source: "on: { SIGSEGV: \"stop\" },"))
    for entry in pipeline.resolved {
        var path = entry.path
        var place: JSONValue = schema
        if path[0] == "stages" {
            place = stage
            path.removeFirst(2)
            if path[0] == "with" { path = ["with"] }
        }
        for key in path {
            let named = place["properties"]?[key]
            let next = try #require(named ?? place["additionalProperties"], "\(entry.key) is not in the schema")
            if named != nil { #expect(next["description"] != .string("") && next["description"] != nil, "\(entry.key) has no description") }
            place = next
        }
    }
    #expect(schema["additionalProperties"] == .boolean(false) && stage["additionalProperties"] == .boolean(false))
    #expect(stage["required"] == .array([.string("name"), .string("plugin")]))
    #expect(properties(schema).contains("$schema"))
}

@Test func `the schema has the plugins, and what they can be told`() {
    let with = JSONValue.object([.init("type", .string("object")), .init("required", .array([.string("path")]))])
    let schema = PipelineSchema.make(plugins: [("read-lines", "Reads lines", with), ("keep", "", nil)])
    #expect(schema["$defs"]?["with-read-lines"]?["required"] == .array([.string("path")]))
    #expect(schema["$defs"]?["with-read-lines"]?["description"] == .string("Reads lines"))
    #expect(schema["$defs"]?["with-keep"] == nil)
    #expect(schema["$defs"]?["stage"]?["properties"]?["plugin"]?.json().contains("[\"read-lines\",\"keep\"]") == true)
}

@Test func `a pipeline may name its schema`() throws {
    let pipeline = try pipeline(sample(top: "$schema: \"./pipeline.schema.json\","))
    #expect(!pipeline.document.contains("$schema"))
}

@Test func `what names a secret is not shown`() throws {
    let resolution = Pipeline.resolve(
        SourceText(
            name: "p.json5",
            text: #"""
                { description: "at http://u:hunter2@h/x", stages: [
                  { name: "read", plugin: "r", with: { api_key: "hunter2", authToken: "hunter2", deep: [{ "db-password": "hunter2", user: "me" }],
                    max_tokens: 100, tokens: "shown", path: "in.txt" } },
                  { name: "write", plugin: "w", with: { secret: { inner: "hunter2" } } } ] }
                """#),
        directory: ".", overrides: [try Override(assignment: "stages.write.with.token=hunter2")],
        environment: ["STAGEHOST_METRICS": "hunter2.prom"])
    let pipeline = try #require(resolution.pipeline)
    let shown = pipeline.listingJSONWithoutSecrets.json()
    #expect(pipeline.listingJSON.json().contains("hunter2"))
    #expect(!shown.contains("hunter2"), "\(shown)")
    for part in ["\"me\"", "100", "\"shown\"", "in.txt", "(hidden)", "(from the environment)", "http://u:…@h/x", "STAGEHOST_METRICS"] {
        #expect(shown.contains(part), "\(part)")
    }
}
