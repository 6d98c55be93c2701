import Foundation
import Testing

/// What is refused: with the exit code of its kind, and with words that name the subject.
@Suite struct RefusalTests {
    struct Refusal: CustomTestStringConvertible, Sendable {
        var subject: String
        var pipeline: String
        var code: Int32
        var words: [String]
        var testDescription: String { subject }
    }

    static let refusals = [
        Refusal(
            subject: "a sink in the place of a transform",
            pipeline: Stages.pipeline(Stages.read, #"{ name: "wrong", plugin: "write-lines", with: { path: "x" } }"#, Stages.write),
            code: 69, words: ["wrong", "sink", "transform"]),
        Refusal(
            subject: "a transform in the place of the source",
            pipeline: Stages.pipeline(Stages.misbehave("", name: "wrong"), Stages.write), code: 69,
            words: ["wrong", "transform", "source"]),
        Refusal(
            subject: "a source in the place of the sink",
            pipeline: Stages.pipeline(Stages.read, #"{ name: "wrong", plugin: "read-lines", with: { path: "x" } }"#), code: 69,
            words: ["wrong", "source", "sink"]),
        Refusal(
            subject: "a plugin that is not there",
            pipeline: Stages.pipeline(Stages.read, #"{ name: "gone", plugin: "mis-behave" }"#, Stages.write), code: 69,
            words: ["mis-behave"]),
        Refusal(
            subject: "a file that is no library",
            pipeline: Stages.pipeline(Stages.read, #"{ name: "text", plugin: "./input.jsonl" }"#, Stages.write), code: 69,
            words: ["text", "input.jsonl"]),
        Refusal(
            subject: "an unknown key",
            pipeline: Stages.pipeline(Stages.read, Stages.write, options: "bacth: { records: 3 },"), code: 78,
            words: ["pipeline.json5:1:", "bacth", "did you mean \"batch\"?"]),
        Refusal(
            subject: "a value of the wrong form",
            pipeline: Stages.pipeline(Stages.read, Stages.write, options: "sync: \"soon\","), code: 78,
            words: ["sync", "soon"]),
        Refusal(
            subject: "a configuration that the schema of the plugin does not take",
            pipeline: Stages.pipeline(Stages.read, Stages.misbehave(#"do: "dance""#), Stages.write), code: 78,
            words: ["pipeline.json5:3:", "stages.trouble.with.do", "dance", "segfault"]),
        Refusal(
            subject: "misspelt keys of two plugins, which are told of together",
            pipeline: Stages.pipeline(
                #"{ name: "read", plugin: "read-lines", with: { path: "input.jsonl", kye: "/id" } }"#,
                Stages.misbehave(#"whn: { nth: 1 }"#), Stages.write), code: 78,
            words: ["pipeline.json5:2:", "kye", "did you mean \"key\"?", "pipeline.json5:3:", "whn", "did you mean \"when\"?"]),
        Refusal(
            subject: "more workers than the plugin can have",
            pipeline: Stages.pipeline(
                Stages.read, #"{ name: "tally", plugin: "tally", workers: 2, with: { by: "/lang" } }"#, Stages.write), code: 78,
            words: ["pipeline.json5:3:", "tally", "at most 1"]),
        Refusal(
            subject: "a configuration that only the plugin itself can judge",
            pipeline: Stages.pipeline(Stages.read, Stages.misbehave(#"when: { times: 1 }"#), Stages.write), code: 69,
            words: ["trouble", "when.times", "memory"]),
        Refusal(
            subject: "an input that is not there",
            pipeline: Stages.pipeline(
                #"{ name: "read", plugin: "read-lines", with: { path: "nothing.jsonl" } }"#, Stages.write), code: 69,
            words: ["read", "nothing.jsonl"]),
    ]

    @Test(arguments: refusals) func isRefused(_ refusal: Refusal) throws {
        let job = try Job(20, refusal.pipeline)
        let ended = try job.run(seconds: 20)
        #expect(ended.code == refusal.code, "\(ended.output)")
        for word in refusal.words { #expect(ended.output.contains(word), "\(word) is not in: \(ended.output)") }
        #expect(job.data("output.jsonl").isEmpty)
        job.expectNoProcessLeft()
    }

    @Test func aPipelineThatIsNotThereIsNoInput() throws {
        let job = try Job("")
        let ended = try job.command("run", "other.json5")
        #expect(ended.code == 66)
        #expect(ended.output.contains("other.json5"))
    }

    @Test func aWrongCommandLineIsAMistakeOfUse() throws {
        let job = try Job("")
        #expect(try job.command("run").code == 64)
        #expect(try job.command("run", "pipeline.json5", "--limitt", "3").code == 64)
        #expect(try job.command("march").code == 64)
    }

    @Test func aChangeThatTheStoredResultsDependOnIsRefused() throws {
        let job = try Job(400, Stages.pipeline(Stages.read, Stages.misbehave("each_ms: 3", name: "slow"), Stages.write))
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        host.killHard()
        let changes = [
            (Stages.pipeline(Stages.read, Stages.misbehave("each_ms: 3", name: "slow"), Stages.write, options: "batch: { records: 50 },"), "batch.records"),
            (Stages.pipeline(Stages.read, Stages.misbehave("each_ms: 2", name: "slow"), Stages.write), "each_ms"),
            (Stages.pipeline(Stages.read, Stages.misbehave("each_ms: 3", name: "slower"), Stages.write), "slow"),
            (Stages.pipeline(Stages.read, Stages.write), "stages"),
        ]
        for (pipeline, word) in changes {
            try job.write("pipeline.json5", pipeline)
            let ended = try job.run()
            #expect(ended.code == 78, "\(word): \(ended.output)")
            #expect(ended.output.contains(word), "\(ended.output)")
            #expect(ended.output.contains("--fresh"), "\(ended.output)")
        }
        try job.write(
            "pipeline.json5",
            Stages.pipeline(
                Stages.read, Stages.misbehave("each_ms: 3", "workers: 2, retry: { attempts: 7 }, timeout: \"9s\"", name: "slow"),
                Stages.write, options: "sync: \"batch\","))
        let allowed = try job.run()
        #expect(allowed.code == 0, "\(allowed.output)")
        #expect(job.outputKeys() == (1...400).map(Input.key))
    }
}
