import Testing

@testable import StageConfig

/// What a running job takes over of a pipeline file that has changed.
@Suite struct RereadTests {
    private func text(_ stage: String = "", job: String = "") -> SourceText {
        SourceText(
            name: "job.json5",
            text: """
                { name: "job", \(job) stages: [
                  { name: "read", plugin: "read-lines", with: { path: "a" } },
                  { name: "work", plugin: "work", \(stage) },
                  { name: "write", plugin: "write-lines", with: { path: "b" } } ] }
                """)
    }

    private func pipeline(_ source: SourceText, overrides: [Override] = [], environment: [String: String] = [:]) throws -> Pipeline {
        try #require(Pipeline.resolve(source, directory: "/data", overrides: overrides, environment: environment).pipeline)
    }

    private func words(_ outcome: PipelineReread) -> [String] {
        switch outcome {
        case .same: ["same"]
        case .changed(_, let changes): changes.map(\.words)
        case .refused(let reason, let problems): [reason] + problems.map(\.message)
        }
    }

    @Test func `what the scheduler can take is taken over, with its origin in the file`() throws {
        let old = try pipeline(text("workers: 2, rate: { records_per_second: 10 }"))
        #expect(words(old.reread(text("workers: 2, rate: { records_per_second: 10 }")) { _ in [] }) == ["same"])
        let outcome = old.reread(
            text(
                "workers: 4, retry: { attempts: 5 }, rate: { records_per_second: 20 }, limit: \"api\", timeout: \"5s\"",
                job: "limits: { api: { concurrency: 3 } }, failures: { max: 9 }, budget: { usd: 3 },")
        ) { _ in [] }
        guard case .changed(let new, let changes) = outcome else {
            Issue.record("\(words(outcome))")
            return
        }
        #expect(new.stages[1].workers.value == 4 && new.stages[1].limit.value == "api" && new.limits.first?.concurrency.value == 3)
        #expect(changes.contains { $0.words == "stages.work.workers 2 → 4" })
        #expect(changes.contains { $0.words == "stages.work.rate.records_per_second 10 → 20" })
        #expect(changes.allSatisfy { $0.isAllowed })
        // What is kept of it reads back as the same.
        let kept = try #require(Pipeline.read(document: new.document, name: "kept").pipeline)
        #expect(kept.stages[1].workers.value == 4)
        if case .file = kept.stages[1].workers.origin {} else { Issue.record("\(kept.stages[1].workers.origin)") }
    }

    @Test func `flags and variables stay in force, and keep their origin`() throws {
        let old = try pipeline(
            text("workers: 2"), overrides: [try Override(assignment: "stages.work.workers=3"), try Override(assignment: "sync=batch")],
            environment: ["STAGEHOST_STAGES_WORK_RETRY_ATTEMPTS": "7"])
        #expect(words(old.reread(text("workers: 8, retry: { attempts: 2 }")) { _ in [] }) == ["same"])
        guard case .changed(let new, let changes) = old.reread(text("workers: 8, standby: 1"), plugins: { _ in [] }) else {
            Issue.record("nothing was taken over")
            return
        }
        #expect(changes.map(\.words) == ["stages.work.standby 0 → 1"])
        #expect(new.stages[1].workers.value == 3 && new.stages[1].workers.origin == .flag("--set stages.work.workers=3"))
        #expect(new.stages[1].retry.attempts.value == 7)
        #expect(new.stages[1].retry.attempts.origin == .environment("STAGEHOST_STAGES_WORK_RETRY_ATTEMPTS"))
        // Also for a host that only has the pipeline that the job keeps.
        let kept = try #require(Pipeline.read(document: new.document, name: "kept").pipeline)
        #expect(words(kept.reread(text("workers: 9, standby: 1")) { _ in [] }) == ["same"])
    }

    @Test(arguments: [
        ("batch: { records: 5 },", "", "batch.records"), ("sync: \"batch\",", "", "sync"), ("", "durable: false", "stages.work.durable"),
        ("", "with: { a: 1 }", "stages.work.with"), ("", "threads: 3", "stages.work.threads"), ("time_limit: \"1h\",", "", "time_limit"),
    ]) func `one thing that needs another run refuses the whole file`(_ change: (job: String, stage: String, key: String)) throws {
        let old = try pipeline(text("workers: 2"))
        let stage = "workers: 4" + (change.stage.isEmpty ? "" : ", " + change.stage)
        let outcome = words(old.reread(text(stage, job: change.job)) { _ in [] })
        #expect(outcome.count == 1 && outcome[0].hasPrefix(change.key + " ") && !outcome[0].contains("workers"), "\(outcome)")
    }

    @Test func `a plugin of the same name from elsewhere needs another run`() throws {
        let old = try pipeline(text())
        let moved = SourceText(name: "job.json5", text: String(decoding: text().bytes, as: UTF8.self).replacing("plugin: \"work\"", with: "plugin: \"./other/libstage-work.so\""))
        #expect(words(old.reread(moved) { _ in [] }) == ["stages.work.plugin needs a new run: end this one, and go on with the same command"])
    }

    @Test func `a broken file, and one that does not suit the plugins, change nothing`() throws {
        let old = try pipeline(text())
        #expect(words(old.reread(SourceText(name: "job.json5", text: "{ name: ")) { _ in [] }).first == "the file cannot be read")
        #expect(words(old.reread(text("workers: \"many\"")) { _ in [] }).first == "the file is wrong")
        let single = PluginDescription(kind: .transform, id: "work", version: "1", description: "", maxWorkers: 1)
        let outcome = words(old.reread(text("workers: 3")) { $0 == 1 ? [single] : [] })
        #expect(outcome == ["the file does not suit the plugins", "stage \"work\" has too many workers"])
    }
}
