import Foundation
import Testing

/// Records that fail, once or for good, and how much of that a job puts up with.
@Suite struct FailureTests {
    private func stage(_ name: String, of job: Job) throws -> [String: Any] {
        let stages = try #require(job.status()?["stages"] as? [[String: Any]])
        return try #require(stages.first { $0["name"] as? String == name })
    }

    @Test func halfOfAllRecordsFailingTwiceAreWrittenAndNoOtherIsSeenAgain() throws {
        let job = try Job(
            1_000,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "fail-transiently", counter: "seen", when: { probability: 0.5, seed: 11, times: 2, memory: "tries" }"#,
                    #"workers: 2, retry: { attempts: 3, backoff: "20ms" }"#), Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...1_000).map(Input.key))
        let seen = Dictionary(job.lines("seen").map { ($0, 1) }, uniquingKeysWith: +)
        let failing = seen.filter { $0.value == 3 }.count
        #expect(seen.count == 1_000)
        #expect(seen.allSatisfy { $0.value == 1 || $0.value == 3 })
        #expect((400...600).contains(failing))
        let trouble = try stage("trouble", of: job)
        #expect(trouble["retries"] as? Int == 2 * failing)
        #expect(job.events("record_retried").count { $0["attempt"] as? Int == 3 } == failing)
        let letters = try job.letters()
        #expect(letters.isEmpty)
    }

    @Test func tooLargeAShareOfFailuresStopsTheJobAfterTheSampleAndItGoesOn() throws {
        func pipeline(_ rate: Double) -> String {
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "fail-permanently", when: { probability: 0.05, seed: 5, memory: "failed" }"#),
                Stages.write, options: "batch: { records: 20 }, failures: { max_rate: \(rate), minimum_sample: 200 },")
        }
        let job = try Job(2_000, pipeline(0.03))
        let first = try job.run()
        #expect(first.code == 3, "\(first.output)")
        #expect(first.output.contains("failures.max_rate = 0.03"), "\(first.output)")
        let seen = try #require(try stage("trouble", of: job)["records_in"] as? Int)
        #expect((200..<2_000).contains(seen))
        // The cause is not mended: another sample shows it.
        let second = try job.run()
        #expect(second.code == 3, "\(second.output)")
        let more = try #require(try stage("trouble", of: job)["records_in"] as? Int)
        #expect(more >= seen + 200)
        try job.write("pipeline.json5", pipeline(0.1))
        let last = try job.run()
        #expect(last.code == 0, "\(last.output)")
        let letters = try job.letters()
        #expect((60...140).contains(letters.count))
        #expect(letters.values.allSatisfy { $0["category"] as? String == "permanent" })
        #expect(job.lines("failed").count == letters.count)
        #expect(job.outputKeys() == (1...2_000).map(Input.key).filter { letters[$0] == nil })
        // Counted over all runs.
        let trouble = try stage("trouble", of: job)
        #expect(trouble["failed_by"] as? [String: Int] == ["permanent": letters.count])
    }

    @Test func categoriesAreCountedAlsoBehindAHostThatWasKilled() throws {
        let job = try Job(
            2_000,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(#"do: "fail-permanently", each_ms: 1, when: { probability: 0.1, seed: 6 }"#),
                Stages.write))
        let host = try job.start()
        try host.until("records are written") { job.lines("output.jsonl").count > 300 }
        host.killHard()
        #expect(try job.run().code == 0)
        let letters = try job.letters()
        let trouble = try stage("trouble", of: job)
        #expect(trouble["failed_by"] as? [String: Int] == ["permanent": letters.count])
        #expect(trouble["failed"] as? Int == letters.count)
    }

    @Test func deathsAreTriedAgainWhereRetryOnSaysSo() throws {
        let job = try Job(
            200,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "segfault", when: { key_equals: "\#(Input.key(50))", times: 3, memory: "deaths" }"#,
                    #"retry: { attempts: 5, backoff: "10ms", on: ["transient", "crash"] }"#), Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...200).map(Input.key))
        #expect(job.lines("deaths").count == 3)
    }

    @Test func withoutOrderTheJobIsTheSame() throws {
        let failing = #"do: "fail-transiently", when: { probability: 0.05, seed: 9, times: 1, memory: "tries" }"#
        let job = try Job(
            2_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave(failing, #"workers: 2, ordered: false, window: 4, retry: { backoff: "100ms" }"#),
                Stages.misbehave("", name: "after"), Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...2_000).map(Input.key))
        #expect(!ended.output.contains("has no effect"))
        let refused = try Job(
            100, Stages.pipeline(Stages.read, Stages.misbehave("", "ordered: false"), Stages.write))
        let said = try refused.run()
        #expect(said.code == 0)
        #expect(said.output.contains("stage \"trouble\": `ordered: false` has no effect: the sink \"write\" has a position"), "\(said.output)")
    }

    @Test func aMachineShortOfMemoryMakesTheJobWait() throws {
        let job = try Job(
            200, Stages.pipeline(Stages.read, Stages.misbehave(""), Stages.write, options: #"memory_reserve: "900TiB","#))
        let host = try job.start()
        try host.until("it says that it waits") { host.output.contains("less than memory_reserve") }
        try host.until("the status says so") { job.status()?["state"] as? String == "paused" }
        let shown = try job.command("status", "job")
        #expect(shown.output.contains("job: paused (the machine has"), "\(shown.output)")
        #expect(job.events("paused").count == 1)
        host.signal(SIGINT)
        #expect(try host.wait().code == 75)
        #expect(try job.run("--set", "memory_reserve=1MiB").code == 0)
        #expect(job.outputKeys() == (1...200).map(Input.key))
    }
}
