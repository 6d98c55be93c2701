import StageConfig
import Testing

private let rich = sample(
    top: "batch: {records: 5}, budget: {cents: 5}, limits: {api: {concurrency: 2}}, failures: {max_rate: 0.25},",
    source: "with: {stages: {b: [1, {c: null}]}, a: 'x', 'dotted.key': 1.5}, on: {exit: 'stop'}", sink: "limit: 'api'")

@Test func `a resolved pipeline is read back as it was, origins included`() throws {
    let before = try pipeline(rich, set: ["stages.read.workers=4"], environment: ["STAGEHOST_WINDOW": "9"])
    let resolution = Pipeline.read(document: before.document, name: "pipeline.json")
    let after = try #require(resolution.pipeline, "\(resolution.diagnostics.map { $0.rendered() })")
    #expect(after.document == before.document)
    #expect(after.resolved.map(\.key) == before.resolved.map(\.key))
    #expect(after.resolved.map(\.value) == before.resolved.map(\.value))
    #expect(after.resolved.map(\.origin.text) == before.resolved.map(\.origin.text))
    #expect(after.file == before.file && after.directory == "/jobs")
    #expect(after.stages[0].workers.value == 4 && after.window.origin == .environment("STAGEHOST_WINDOW"))
    #expect(after.stages[0].withJSON == before.stages[0].withJSON)
    #expect(Pipeline.changes(from: before, to: after).isEmpty)
}

@Test(arguments: [
    "", "{}", "[]", "{format: 2}", "{format: 1, file: 'a', directory: 'b'}",
    "{format: 1, file: 1, directory: 2, pipeline: {}}",
])
func `a document that is none is refused`(text: String) {
    let resolution = Pipeline.read(document: text, name: "pipeline.json")
    #expect(resolution.pipeline == nil && !resolution.errors.isEmpty)
}

@Test func `the listing shows each value with its origin`() throws {
    let pipeline = try pipeline(sample(top: "window: 3,"), set: ["batch.records=7"])
    let lines = pipeline.listing.split(separator: "\n").map {
        $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
    #expect(lines.contains("batch.records 7 flag --set batch.records=7"))
    #expect(lines.contains("window 3 jobs/test.json5:1:11"))
    #expect(lines.contains("time_limit - default"))
    let first = try #require(pipeline.resolved.firstIndex { $0.key == "window" })
    guard case .array(let entries) = pipeline.listingJSON else {
        Issue.record("the listing is no array")
        return
    }
    #expect(entries[first].json() == #"{"key":"window","value":3,"origin":"jobs/test.json5:1:11"}"#)
}

@Test(arguments: [
    "window=9", "sync=never", "failures.max=3", "budget.cents=9", "stages.read.workers=3", "stages.read.timeout=5s",
    "stages.read.retry.attempts=9", "stages.write.rate.records_per_second=5", "stages.read.on={exit:'hold'}",
    "limits.api.concurrency=7", "stages.read.snapshot_every=3", "stages.read.memory=1GiB", "keep=true",
    "stages.read.plugin='./libstage-read-lines.so'",
])
func `what may change between two runs is taken`(setting: String) throws {
    let old = try pipeline(rich)
    #expect(Pipeline.incompatibilities(old: old, new: try pipeline(rich, set: [setting])).isEmpty)
}

@Test(arguments: [
    ("batch.records=6", "batch.records"), ("batch.bytes=2MiB", "batch.bytes"),
    ("stages.read.durable=false", "stages.read.durable"),
    ("stages.write.ordered=false", "stages.write.ordered"), ("stages.read.plugin=other", "stages.read.plugin"),
    ("stages.read.with.a=y", "stages.read.with"), ("stages.write.with.path=p", "stages.write.with"),
    ("stages.read.name=reader", "stages"),
])
func `what may not change is refused with both values`(setting: String, key: String) throws {
    let old = try pipeline(rich)
    let new = try pipeline(rich, set: [setting])
    let refused = Pipeline.changes(from: old, to: new).filter { !$0.isAllowed }
    #expect(refused.map(\.key) == [key])
    let diagnostic = try #require(Pipeline.incompatibilities(old: old, new: new).first)
    #expect(diagnostic.message.hasPrefix(key) && diagnostic.help?.contains("--fresh") == true)
    #expect(diagnostic.found == refused[0].new && diagnostic.expected?.hasPrefix(refused[0].old) == true)
}

@Test func `stages that are added, removed or moved are refused`() throws {
    let old = try pipeline(rich)
    let third = "{ name: \"more\", plugin: \"keep\" }, { name: \"write\""
    let added = try pipeline(rich.replacing("{ name: \"write\"", with: third))
    #expect(Pipeline.incompatibilities(old: old, new: added).count == 1)
    #expect(Pipeline.incompatibilities(old: added, new: old).count == 1)
    #expect(Pipeline.changes(from: old, to: added).first?.new == "read → more → write")
}

@Test func `the deepest configuration can be read back, and many lines of it stay small`() throws {
    let levels = 58
    let deep = String(repeating: "[", count: levels) + "1,2" + String(repeating: "]", count: levels)
    let before = try pipeline(
        sample(source: "with: {deep: \(deep)}"),
        set: ["stages.read.with.deep.0.0.0=\(deep)", "stages.write.with.x=\(deep)"])
    _ = try pipeline(sample(source: "with: {deep: \(deep)}"))
    let after = try #require(Pipeline.read(document: before.document, name: "pipeline.json").pipeline)
    #expect(after.stages[0].withJSON == before.stages[0].withJSON)
    #expect(before.document.utf8.count < 32_000)
}

@Test func `a flag with a path of many steps is refused`() throws {
    let key = String(repeating: "a.", count: 30_000) + "a"
    #expect(try resolve(sample(), set: ["\(key)=1"]).pipeline == nil)
}

@Test func `a value that a flag put deep into with shows the flag`() throws {
    let pipeline = try pipeline(sample(source: "with: {a: {b: [1, 2]}, c: 3}"), set: ["stages.read.with.a.b.1=9"])
    let origins = Dictionary(pipeline.resolved.map { ($0.key, $0.origin) }, uniquingKeysWith: { first, _ in first })
    #expect(origins["stages.read.with.a"] == .flag("--set stages.read.with.a.b.1=9"))
    guard case .file = origins["stages.read.with.c"] else {
        Issue.record("c came from elsewhere")
        return
    }
}
