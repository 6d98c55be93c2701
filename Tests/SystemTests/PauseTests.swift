import Foundation
import Testing

/// Pauses, as an operator sees them.
@Suite struct PauseTests {
    private static let slow = Stages.pipeline(
        Stages.read, Stages.misbehave("each_ms: 2", "workers: 2", name: "slow"),
        #"{ name: "tally", plugin: "tally", with: { by: "/lang" }, snapshot_every: 100 }"#, Stages.write, options: "batch: { records: 20 },")

    private func state(_ job: Job) throws -> String? {
        jsonObject(try job.command("status", "job", "--json").output)?["state"] as? String
    }

    @Test func workersLeaveOnlyWhereTheyAreReleased() throws {
        let undisturbed = try Job(2_000, Self.slow)
        #expect(try undisturbed.run().code == 0)
        let job = try Job(2_000, Self.slow)
        let host = try job.start()
        try host.until("the first batches") { job.events("batch_committed").contains { $0["stage"] as? String == "tally" } }
        let paused = try job.command("pause", "job")
        #expect(paused.code == 0 && paused.output.contains("paused; `stagehost resume` goes on"), "\(paused.output)")
        #expect(host.workers().count == 5)
        #expect(try state(job) == "paused")

        let released = try job.command("pause", "job", "--release")
        #expect(released.code == 0 && released.output.contains("its workers have left"), "\(released.output)")
        #expect(host.workers().isEmpty)
        #expect(try state(job) == "paused")
        #expect(try job.command("status", "job").output.contains("released"))
        #expect(job.events("worker_crashed").isEmpty)

        let before = job.events("worker_started").count
        #expect(try job.command("resume", "job").code == 0)
        #expect(try host.wait().code == 0)
        #expect(job.events("worker_started").count == before + 5)
        #expect(job.data("output.jsonl") == undisturbed.data("output.jsonl"))
        let stages = try #require(job.status()?["stages"] as? [[String: Any]])
        #expect(stages.allSatisfy { $0["restarts"] as? Int == 0 })
        #expect(stages.map { $0["records_in"] as? Int }.prefix(3) == [2_000, 2_000, 2_000])
        job.expectNoProcessLeft()
    }

    @Test func aJobIsPausedKilledResumedAndStopped() throws {
        let job = try Job(20_000, InterruptTests.slow)
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        #expect(try state(job) == "running")
        #expect(try job.command("pause", "job").code == 0)
        #expect(try state(job) == "paused")
        host.killHard()
        job.expectNoProcessLeft()

        // The pause outlives its host.
        #expect(try state(job) == "paused")
        let refused = try job.run()
        #expect(refused.code == 75 && refused.output.contains("stagehost resume job"), "\(refused.output)")
        let before = job.outputKeys()
        let resumed = try job.begin("resume", "job")
        try resumed.until("more records") { job.outputKeys().count > before.count + 40 }
        #expect(try state(job) == "running")
        let stopped = try job.command("stop", "job")
        #expect(stopped.code == 0, "\(stopped.output)")
        let ended = try resumed.wait()
        #expect(ended.code == 75 && ended.output.contains("`--fresh` starts it over"), "\(ended.output)")
        #expect(try state(job) == "stopped")

        let written = job.outputKeys()
        #expect(written.count < 20_000 && written == (1...written.count).map(Input.key))
        for arguments in [["resume", "job"], ["run", "pipeline.json5"], ["pause", "job"]] {
            let again = try job.command(arguments)
            #expect(again.code == 73 && again.output.contains("stopped for good") && again.output.contains("--fresh"), "\(again.output)")
        }
        // And that is so.
        try job.write("input.jsonl", Input.lines(200))
        #expect(try job.run("--fresh").code == 0)
        #expect(job.outputKeys() == (1...200).map(Input.key))
        #expect(try state(job) == "complete")
        job.expectNoProcessLeft()
    }

    @Test func aHostThatIsAskedToEndInAPauseLeavesAPausedJob() throws {
        let job = try Job(2_000, InterruptTests.slow)
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        #expect(try job.command("pause", "job", "--release").code == 0)
        host.signal(SIGTERM)
        let ended = try host.wait(seconds: 10)
        #expect(ended.code == 75 && ended.output.contains("`stagehost resume job` goes on"), "\(ended.output)")
        #expect(try state(job) == "paused")
        #expect(try job.run().code == 75)
        #expect(try job.command("resume", "job").code == 0)
        #expect(job.outputKeys() == (1...2_000).map(Input.key))
    }
}
