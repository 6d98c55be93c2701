import StageConfig
import Testing

private func locator(_ files: Set<String>, path: [String] = [], executable: String = "/opt/x/bin") -> PluginLocator {
    PluginLocator(
        pipelineDirectory: "/jobs", searchPath: path, executableDirectory: executable, fileExists: files.contains,
        filesIn: { folder in files.filter { $0.hasPrefix(folder + "/") }.map { String($0.dropFirst(folder.count + 1)) }
        })
}

@Test func `a plugin is looked up in the folders in their order`() throws {
    let places = ["/a", "/b", "/jobs/plugins", "/opt/x/bin", "/opt/x/lib/stagehost"]
    var files = Set(places.map { "\($0)/libstage-keep.so" })
    for place in places {
        let found = try locator(files, path: ["/a", "/b"]).locate("keep").get()
        #expect(found == .init(name: "keep", path: "\(place)/libstage-keep.so"))
        files.remove("\(place)/libstage-keep.so")
    }
    #expect(throws: Diagnostic.self) { try locator(files, path: ["/a", "/b"]).locate("keep").get() }
}

@Test func `a name with a slash is a path beside the pipeline`() throws {
    let locator = locator(["/jobs/./libstage-mine.so", "/abs/x.so"])
    #expect(try locator.locate("./libstage-mine.so").get() == .init(name: "mine", path: "/jobs/./libstage-mine.so"))
    #expect(try locator.locate("/abs/x.so").get().name == "x.so")
    #expect(throws: Diagnostic.self) { try locator.locate("./other.so").get() }
}

@Test func `a plugin that is missing is named with its folders and its neighbour`() throws {
    guard case .failure(let problem) = locator(["/jobs/plugins/libstage-count-terms.so"]).locate("count-trems") else {
        Issue.record("it was found")
        return
    }
    #expect(problem.help == "did you mean \"count-terms\"?")
    #expect(problem.expected == "libstage-count-trems.so in one of: /jobs/plugins, /opt/x/bin, /opt/x/lib/stagehost")
}

private func description(
    _ kind: PluginDescription.Kind, _ flags: PluginDescription.Flags = [], maxWorkers: Int = 0, schema: String? = nil
)
    -> PluginDescription
{
    PluginDescription(
        kind: kind, id: "p", version: "1", description: "", flags: flags, maxWorkers: maxWorkers, configSchema: schema)
}

@Test func `a plugin must be of the kind that its place needs`() throws {
    let pipeline = try pipeline(sample())
    #expect(pipeline.check(description(.source), forStageAt: 0).isEmpty)
    #expect(pipeline.check(description(.sink), forStageAt: 1).isEmpty)
    #expect(pipeline.check(description(.transform), forStageAt: 0).first?.message == "stage \"read\" needs a source")
    #expect(pipeline.check(description(.source), forStageAt: 1).first?.found == "p is a source")
}

@Test func `workers and threads must suit the plugin`() throws {
    let many = try pipeline(sample(source: "workers: 4, threads: 2"))
    let messages = many.check(description(.source, maxWorkers: 1), forStageAt: 0).map(\.message)
    #expect(messages == ["stage \"read\" has too many workers", "stage \"read\" cannot use threads"])
    #expect(many.check(description(.source, [.reentrant]), forStageAt: 0).isEmpty)
    #expect(many.check(description(.source, [.reentrant, .stateful]), forStageAt: 0).count == 1)
}

private let schema = """
    {"type": "object", "required": ["path"], "additionalProperties": false, "properties": {
      "path": {"oneOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}}],
               "description": "what to read"},
      "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
      "format": {"enum": ["raw", "json"]},
      "ratio": {"type": "number"}, "flag": {"type": "boolean"},
      "any": {}, "map": {"type": "object", "additionalProperties": {"type": "integer"}},
      "either": {"type": ["string", "null"]}}}
    """

@Test(
    arguments: [
        ("path: 'a'", []),
        ("path: ['a', 'b'], count: 9, ratio: 1, flag: true, any: [{}], map: {a: 1}, either: null", []),
        ("count: 1", ["stages.read.with.path is missing"]), ("path: ''", ["invalid value for stages.read.with.path"]),
        ("path: 5", ["invalid value for stages.read.with.path"]),
        ("path: ['a', 5]", ["invalid value for stages.read.with.path.1"]),
        ("path: 'a', count: 10", ["invalid value for stages.read.with.count"]),
        (
            "path: 'a', count: 0, format: 'jsn', flag: 1",
            [
                "invalid value for stages.read.with.count", "invalid value for stages.read.with.format",
                "invalid value for stages.read.with.flag",
            ]
        ),
        ("path: 'a', pth: 1", ["unknown key \"pth\" in stages.read.with"]),
        ("path: 'a', map: {a: 'x'}", ["invalid value for stages.read.with.map.a"]),
        ("path: 'a', count: 1.0", []), ("path: 'a', count: 1.5", ["invalid value for stages.read.with.count"]),
    ] as [(String, [String])])
func `the configuration of a stage is held against the schema of its plugin`(with: String, messages: [String]) throws {
    let pipeline = try pipeline(sample(source: "with: {\(with)}"))
    let problems = pipeline.check(description(.source, schema: schema), forStageAt: 0)
    #expect(problems.map(\.message) == messages)
    #expect(problems.allSatisfy { $0.file == "jobs/test.json5" && $0.line == 3 })
}

@Test func `a schema that cannot be read is the fault of the plugin`() throws {
    let pipeline = try pipeline(sample())
    for text in ["{", "5", "{type: }"] {
        let problems = pipeline.check(description(.source, schema: text), forStageAt: 0)
        #expect(problems.count == 1)
    }
}

@Test func `the options of a plugin are listed for people`() throws {
    let options = try ConfigSchema.parse(schema, plugin: "p").get().options
    #expect(options.map(\.name) == ["path", "count", "format", "ratio", "flag", "any", "map", "either"])
    #expect(options[0].type == "string or array" && options[0].isRequired && options[0].description == "what to read")
    #expect(options[1].fallback == "3" && options[2].type == "\"raw\" or \"json\"")
}
