import StageConfig
import Testing

@Test func `a file with two stages gets every default`() throws {
    let pipeline = try pipeline(sample())
    #expect(pipeline.name.value == "test" && pipeline.name.origin == .default)
    #expect(pipeline.batch.records.value == .records(100) && pipeline.batch.bytes.value == 1 << 20)
    #expect(pipeline.sync.value == .interval(.milliseconds(200)))
    #expect(pipeline.failures.max.value == nil && pipeline.failures.minimumSample.value == 100)
    let stage = try #require(pipeline.stages.first)
    #expect(stage.workers.value == 1 && stage.threads.value == 1 && stage.standby.value == 0)
    #expect(stage.durable.value && stage.ordered.value && stage.timeout.value == .zero)
    #expect(stage.retry.attempts.value == 3 && stage.restart.within.value == .seconds(30))
    #expect(stage.withJSON == "{}" && stage.action(onDeathBy: "SIGSEGV") == .poison)
    #expect(pipeline.window(of: stage) == 64)
}

@Test func `a flag stands above the environment, the environment above the file`() throws {
    let text = sample(top: "batch: {records: 5}, window: 3,", source: "workers: 2")
    let environment = ["STAGEHOST_BATCH_RECORDS": "7", "STAGEHOST_STAGES_READ_WORKERS": "8", "STAGEHOST_WINDOW": ""]
    let pipeline = try pipeline(text, set: ["batch.records=9"], environment: environment)
    #expect(pipeline.batch.records.value == .records(9))
    #expect(pipeline.batch.records.origin == .flag("--set batch.records=9"))
    #expect(pipeline.stages[0].workers.value == 8)
    #expect(pipeline.stages[0].workers.origin == .environment("STAGEHOST_STAGES_READ_WORKERS"))
    #expect(pipeline.window.value == 3)
    guard case .file(let span) = pipeline.window.origin else {
        Issue.record("the window came from \(pipeline.window.origin)")
        return
    }
    #expect(span.line == 1)
    #expect(pipeline.stages[1].workers.origin == .default)
}

@Test func `flags reach into with, make sections, and take plain text as text`() throws {
    let pipeline = try pipeline(
        sample(source: "with: {glob: ['a', 'b'], deep: {x: 1}}"),
        set: [
            "stages.read.with.glob.1=c*", "stages.read.with.deep.y={z:[1]}", "stages.read.retry.max=1m", "name=123",
            "description=true", "limits.api.concurrency=4", "stages.write.limit=api", "stages.write.with.path=a=b",
        ])
    #expect(pipeline.stages[0].withJSON == #"{"glob":["a","c*"],"deep":{"x":1,"y":{"z":[1]}}}"#)
    #expect(pipeline.stages[0].retry.max.value == .seconds(60))
    #expect(pipeline.name.value == "123" && pipeline.description.value == "true")
    #expect(pipeline.limits.map(\.name) == ["api"] && pipeline.stages[1].limit.value == "api")
    #expect(pipeline.stages[1].withJSON == #"{"path":"a=b"}"#)
}

@Test func `a stage name with a dash is an underscore in the environment`() throws {
    let text = sample().replacing("\"read\"", with: "\"read-it\"")
    let pipeline = try pipeline(text, environment: ["STAGEHOST_STAGES_READ_IT_RETRY_ATTEMPTS": "9"])
    #expect(pipeline.stages[0].retry.attempts.value == 9)
}

@Test func `null means that a value is not given`() throws {
    let pipeline = try pipeline(sample(top: "batch: null, metrics: null,", source: "workers: null, with: null"))
    #expect(pipeline.batch.records.origin == .default && pipeline.stages[0].workers.value == 1)
    #expect(pipeline.stages[0].withJSON == "{}")
}

@Test func `every key of the documentation is read`() throws {
    let text = """
        { name: "all", description: "d", batch: {records: 65536, bytes: "2MiB"}, sync: "batch", window: 8, keep: true,
          progress_interval: "2s", log_records: "all", metrics: "m.prom", time_limit: "55m", memory_reserve: "1GiB",
          failures: {max: 10, max_rate: 0.5, minimum_sample: 20}, budget: {cents: 500, tokens: 1.5},
          limits: {api: {records_per_second: 50, burst: 5, concurrency: 4, minimum: 2, decrease: 0.7, increase: 3}},
          stages: [
            {name: "a", plugin: "./libstage-a.so", with: {x: 1}, workers: 256, threads: 1024, standby: 16, durable: false,
             ordered: false, timeout: "1s", timeout_per: "record", core: true, memory: "1GB", memory_soft: "900MB", recycle_after: 5,
             snapshot_every: 7, probation: 3, on_give_up: "hold", limit: "api", window: 2,
             retry: {attempts: 4, backoff: "1s", factor: 3, max: "2s", jitter: 0, on: ["transient", "crash"]},
             restart: {max: 1, within: "1s", backoff: "1ms", factor: 1, max_backoff: "1s", jitter: 1, reset_after: "9s"},
             on: {SIGSEGV: "stop", timeout: "restart"}, rate: {records_per_second: 0.5, burst: 2}, failures: {max: 0}},
            {name: "b", plugin: "b"}]}
        """
    let pipeline = try pipeline(text)
    let stage = pipeline.stages[0]
    #expect(pipeline.sync.value == .everyBatch && pipeline.recordLog.value == .all)
    #expect(pipeline.timeLimit.value == .seconds(3300) && pipeline.memoryReserve.value == 1 << 30)
    #expect(pipeline.budget.map(\.name) == ["cents", "tokens"] && pipeline.budget[1].amount.value == 1.5)
    #expect(pipeline.limits[0].rate.recordsPerSecond.value == 50 && pipeline.limits[0].concurrency.value == 4)
    #expect(stage.timeoutScope.value == .record && stage.memorySoft.value == 900_000_000)
    #expect(stage.retry.on.value == [.transient, .crash] && stage.restart.maxBackoff.value == .seconds(1))
    #expect(stage.action(onDeathBy: "SIGSEGV") == .stop && stage.action(onDeathBy: "timeout") == .restart)
    #expect(stage.rate.minimum.value == 0.5 && stage.failures.max.value == 0 && stage.onGiveUp.value == .hold)
    #expect(pipeline.window(of: stage) == 2)
    #expect(
        pipeline.resolved.filter { $0.key.hasPrefix("stages.a.") }.allSatisfy {
            $0.key.contains("failures") || $0.key.contains("rate.") || $0.origin != .default
        })
}

@Test(arguments: [
    (sample(top: "batch: {records: 0},"), "invalid value for batch.records"),
    (sample(top: "batch: {records: 65537},"), "invalid value for batch.records"),
    (sample(top: "batch: {records: 'many'},"), "invalid value for batch.records"),
    (sample(top: "batch: 5,"), "invalid value for batch"), (sample(top: "bacth: {},"), "unknown key \"bacth\""),
    (sample(top: "sync: 200,"), "invalid value for sync"), (sample(top: "sync: '0',"), "invalid value for sync"),
    (sample(top: "time_limit: 30,"), "invalid value for time_limit"),
    (sample(top: "failures: {max_rate: 1.5},"), "invalid value for failures.max_rate"),
    (sample(top: "name: '../x',"), "invalid value for name"), (sample(top: "name: '',"), "invalid value for name"),
    (sample(top: "limits: {api: {}},"), "the limit \"api\" limits nothing"),
    (sample(top: "limits: {'A b': {concurrency: 1}},"), "\"A b\" cannot name a limit"),
    (sample(source: "workers: 257"), "invalid value for stages.read.workers"),
    (sample(source: "workers: '4'"), "invalid value for stages.read.workers"),
    (sample(source: "with: []"), "invalid value for stages.read.with"),
    (sample(source: "limit: 'api'"), "there is no limit \"api\""),
    (sample(source: "on: {SIGSEGV: 'ignore'}"), "invalid value for stages.read.on.SIGSEGV"),
    (sample(source: "on: {sigsegv: 'stop'}"), "unknown cause of death \"sigsegv\""),
    (sample(source: "memory: '1GiB', memory_soft: '1GiB'"), "stages.read.memory_soft is never reached"),
    (sample(source: "retry: {backoff: '20s'}"), "stages.read.retry.backoff is longer than max"),
    (sample(source: "rate: {burst: 5}"), "stages.read.rate.burst needs a rate"),
    (sample(source: "rate: {records_per_second: 5, minimum: 6}"), "stages.read.rate.minimum is above the rate itself"),
    (sample(source: "retry: {on: ['permanent']}"), "invalid value for stages.read.retry.on"),
    ("[]", "a pipeline file must hold an object"), ("{}", "the pipeline has no stages"),
    ("{stages: {}}", "invalid value for stages"), ("{stages: [5, 6]}", "invalid value for stages.1"),
    ("{stages: []}", "a pipeline needs at least two stages"),
    ("{stages: [{name: 'a', plugin: 'a'}]}", "a pipeline needs at least two stages"),
    ("{stages: [{plugin: 'a'}, {name: 'b', plugin: 'b'}]}", "stage 1 has no name"),
    ("{stages: [{name: 'A', plugin: 'a'}, {name: 'b', plugin: 'b'}]}", "invalid value for stages.A.name"),
    ("{stages: [{name: 'a'}, {name: 'b', plugin: 'b'}]}", "stages.a.plugin is missing"),
    ("{stages: [{name: 'a', plugin: 'a'}, {name: 'a', plugin: 'b'}]}", "two stages are named \"a\""),
])
func `what cannot be run is refused with its place`(text: String, message: String) throws {
    let resolution = try resolve(text)
    #expect(resolution.pipeline == nil)
    #expect(resolution.errors.first?.message == message)
    #expect(resolution.errors.count == (text.contains("[5, 6]") ? 2 : 1))
    #expect(resolution.errors.first?.line != nil)
}

@Test func `many mistakes are all reported, from top to bottom`() throws {
    let resolution = try resolve(
        sample(top: "bacth: {},\nkeep: 'yes',", source: "wrkers: 1, timeout: 5", sink: "memory: '64M'"))
    #expect(resolution.errors.map(\.line) == [1, 2, 4, 4, 5])
    #expect(
        resolution.errors.map(\.help) == [
            "did you mean \"batch\"?", "write true", "did you mean \"workers\"?",
            "a duration needs a unit: \"5s\" or \"5ms\"",
            "write \"64MiB\"",
        ])
}

@Test func `a setting of the command line that fits nowhere is refused`() throws {
    #expect(throws: Diagnostic.self) { try Override(assignment: "batch.records") }
    #expect(throws: Diagnostic.self) { try Override(assignment: "=4") }
    for (setting, message) in [
        ("stages.raed.workers=2", "there is no stage \"raed\""), ("bacth.records=2", "unknown key \"bacth\""),
        ("batch..records=2", "\"batch..records\" is no key"),
        ("window.x=1", "\"window.x\" leads through a value that has no keys"),
        ("stages.read.with.list.7=1", "there is no element \"7\""),
    ] {
        let resolution = try resolve(sample(top: "window: 4,", source: "with: {list: [1]}"), set: [setting])
        #expect(resolution.errors.first?.message == message)
        #expect(resolution.errors.first?.file == "command line")
    }
}

@Test func `a variable that names no setting is warned of`() throws {
    let environment = [
        "STAGEHOST_BATCH_RECORD": "1", "STAGEHOST_STAGES_RAED_WORKERS": "1", "STAGEHOST_PLUGIN_PATH": "/x",
        "PATH": "/bin",
        "STAGEHOST_ELEPHANT": "1",
    ]
    let resolution = try resolve(sample(), environment: environment)
    #expect(resolution.pipeline != nil)
    #expect(
        resolution.diagnostics.map(\.help) == [
            "did you mean STAGEHOST_BATCH_RECORDS?", "did you mean STAGEHOST_STAGES_READ_WORKERS?",
        ])
}

@Test func `a name that the file cannot give must be written`() throws {
    let resolution = try resolve(sample(), file: "my pipeline.json5")
    #expect(resolution.errors.first?.help == "give the pipeline a name: \"…\"")
    #expect(try resolve(sample(), file: "a/b.c.json5").pipeline?.name.value == "b.c")
}
