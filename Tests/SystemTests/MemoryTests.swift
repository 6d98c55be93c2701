import Foundation
import Testing

/// Stages that take memory.
@Suite struct MemoryTests {
    @Test func memoryThatIsNotThereIsSaidToBeTheReasonOfACrash() throws {
        let job = try Job(
            50,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(#"do: "allocate-blindly", gib: 20, when: { key_equals: "\#(Input.key(7))" }"#, #"memory: "100MiB""#),
                Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let letter = try #require(try job.letters()[Input.key(7)])
        #expect(letter["category"] as? String == "memory")
        let backtrace = try #require(letter["backtrace"] as? String)
        #expect(backtrace.hasPrefix("SIGSEGV at address 0x"), "\(backtrace)")
        #expect(backtrace.contains("an allocation had failed before"), "\(backtrace)")
        job.expectNoProcessLeft()
    }

    @Test(arguments: [#"recycle_after: 3"#, #"memory_soft: "40MiB""#, #"recycle_after: 3, workers: 2"#, #"recycle_after: 3, standby: 1"#])
    func aWorkerIsReplacedBetweenTwoBatchesByOneThatIsReadyBefore(_ options: String) throws {
        let job = try Job(
            2_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "leak", mib: 1, each_ms: 1, counter: "seen", when: { probability: 0.1, seed: 3 }"#, options),
                Stages.write, options: "batch: { records: 50 },"))
        let host = try job.start()
        var processes: Set<Int32> = []
        var fewest = Int.max
        try host.until("three workers one after the other") {
            let now = host.workers(of: "misbehave")
            // Before the first and behind the last batch there may be none.
            if !job.data("seen").isEmpty, job.data("seen").count < 1_900 * 8 { fewest = min(fewest, now.count) }
            processes.formUnion(now)
            return processes.count >= 4
        }
        let ended = try host.wait()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(fewest >= 1, "there was a moment without a worker")
        #expect(job.outputKeys() == (1...2_000).map(Input.key))
        #expect(job.lines("seen").sorted() == (1...2_000).map(Input.key), "a record was seen twice, or never")
        #expect(job.events("worker_crashed").isEmpty)
        job.expectNoProcessLeft()
    }

    @Test func sourcesSinksAndStatesAreReplacedWithoutATrace() throws {
        let pipeline = { (option: String) in
            Stages.pipeline(
                #"{ name: "read", plugin: "read-lines", with: { path: "input.jsonl", key: "/id" }, \#(option) }"#,
                #"{ name: "tally", plugin: "tally", with: { by: "/lang" }, snapshot_every: 5, \#(option) }"#,
                #"{ name: "write", plugin: "write-lines", with: { path: "output.jsonl", format: "json" }, \#(option) }"#,
                options: "batch: { records: 50 }, sync: \"20ms\",")
        }
        let undisturbed = try Job(2_000, pipeline(""))
        #expect(try undisturbed.run().code == 0)
        let job = try Job(2_000, pipeline("recycle_after: 4"))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.data("output.jsonl") == undisturbed.data("output.jsonl"))
        #expect(job.events("worker_crashed").isEmpty)
        job.expectNoProcessLeft()
    }
}
