import Foundation
import Testing

/// New workers, and new builds of plugins, while a job runs.
@Suite struct RestartTests {
    private static let pipeline = Stages.pipeline(
        Stages.read, Stages.misbehave("each_ms: 1", "workers: 2, probation: 3", name: "slow"),
        #"{ name: "tally", plugin: "tally", with: { by: "/words" }, snapshot_every: 5 }"#, Stages.write,
        options: "batch: { records: 20 },")

    /// A running job of which something is written.
    private func running(_ records: Int) throws -> (Job, Host) {
        let job = try Job(records, Self.pipeline)
        let host = try job.start()
        try host.until("the control socket") { FileManager.default.fileExists(atPath: job.path(".stagehost/job/control.sock")) }
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        return (job, host)
    }

    @Test func everyKindOfStageIsRestartedWithoutATrace() throws {
        let undisturbed = try Job(3_000, Self.pipeline)
        #expect(try undisturbed.run().code == 0)
        let (job, host) = try running(3_000)
        for stage in ["read", "slow", "tally", "tally", "write"] {
            let ended = try job.command("restart", "job", stage)
            #expect(ended.code == 0, "\(stage): \(ended.output)")
        }
        let ended = try host.wait()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.events("stage_restarted").count == 5)
        let difference = zip(job.lines("output.jsonl"), undisturbed.lines("output.jsonl")).first { $0 != $1 }
        #expect(difference == nil, "\(String(describing: difference))")
        #expect(job.data("output.jsonl").count == undisturbed.data("output.jsonl").count)
        job.expectNoProcessLeft()
    }

    @Test func aBuildThatCannotServeNeverTakesOver() throws {
        let (job, host) = try running(3_000)
        try job.write("broken.so", "no library at all")
        let ended = try job.command("restart", "job", "slow", "--plugin", job.path("broken.so"))
        #expect(ended.code == 69, "\(ended.output)")
        #expect(ended.output.contains("the old build stays"))
        #expect(try job.command("restart", "job", "nobody").code != 0)
        let last = try host.wait()
        #expect(last.code == 0, "\(last.output)")
        #expect(job.outputKeys().count == 3_001)
        job.expectNoProcessLeft()
    }

    @Test func aPausedJobWaitsAndAStoppedOneIsOver() throws {
        let (job, host) = try running(3_000)
        #expect(try job.command("pause", "job").code == 0)
        try host.until("the pause") { job.status()?["state"] as? String == "paused" }
        #expect(try job.command("resume", "job").code == 0)
        try host.until("the end of the pause") { job.status()?["state"] as? String == "running" }
        #expect(try job.command("stop", "job").code == 0)
        #expect(try host.wait().code == 75)
        #expect(try job.run().code == 73)
        #expect(try job.run("--fresh").code == 0)
        job.expectNoProcessLeft()
    }
}
