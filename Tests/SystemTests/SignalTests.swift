import Foundation
import Glibc
import Testing

/// Signals that ask something of a host: SIGUSR1 for its status, SIGHUP to read the pipeline file again.
@Suite struct SignalTests {
    private func job(_ options: String, _ records: Int = 1_500) throws -> Job {
        try Job(records, Self.pipeline(options))
    }

    private static func pipeline(_ options: String, _ top: String = "batch: { records: 20 },") -> String {
        Stages.pipeline(Stages.read, Stages.misbehave("each_ms: 2", options, name: "slow"), Stages.write, options: top)
    }

    /// Gives the job another pipeline file, has it read again, and waits for the word of it.
    private func reread(_ job: Job, _ host: Host, _ text: String, _ event: String = "policy_changed") throws -> [String: Any] {
        let before = job.events(event).count
        try job.write("pipeline.json5", text)
        host.signal(SIGHUP)
        try host.until(event) { job.events(event).count > before }
        return try #require(job.events(event).last)
    }

    private func kept(_ job: Job) -> String { String(decoding: job.data(".stagehost/job/pipeline.json"), as: UTF8.self) }

    // MARK: - The status

    @Test func theStatusIsShownAlsoInAPauseAndInADrain() throws {
        let job = try Job(
            300, Stages.pipeline(Stages.read, Stages.misbehave(#"do: "sleep", ms: 60000, when: { nth: 50 }"#, name: "stuck"), Stages.write))
        let host = try job.start("--quiet")
        try host.until("the worker") { !host.workers(of: "misbehave").isEmpty && job.status() != nil }
        for (state, begin) in [("running", {}), ("paused", { host.signal(SIGUSR1) }), ("interrupted", { host.signal(SIGINT) })] {
            if state == "paused" {
                // It is answered when nothing is in hand any more; the wish is heard before.
                let pause = try job.begin("pause", "job")
                try host.until("the pause") { !job.events("paused").isEmpty }
                try #require(pause.output.contains("pausing") || !pause.hasEnded(within: 0))
            } else {
                begin()
                if state == "interrupted" { try host.until("the drain") { !job.events("draining").isEmpty } }
            }
            host.signal(SIGUSR1)
            try host.until("the status: \(state)") { host.output.contains("job: \(state)") }
        }
        #expect(host.output.contains("stuck") && host.output.contains("workers"))
        host.signal(SIGINT)
        #expect(try host.wait(seconds: 10).code == 75)
        job.expectNoProcessLeft()
    }

    @Test(.enabled(if: Programs.find("tmux") != nil, "tmux is not here: install it to have a terminal closed"))
    func inATerminalTheStatusStandsAboveTheTableAndAClosedOneDrains() throws {
        let job = try job("", 20_000)
        let terminal = try Terminal(in: job)
        let state = job.path("state")
        try terminal.type("clear; \(Programs.folder)/stagehost run pipeline.json5 --state-dir \(state)")
        try terminal.until("the table") { $0.contains("slow") && $0.contains("records/s") }
        let host = try #require(Processes.with("run\0pipeline.json5\0--state-dir\0\(state)").first)
        kill(host, SIGUSR1)
        try terminal.until("the status above it") { $0.contains("job: running") && $0.contains("at risk") && $0.contains("in/s") }
        try job.write("pipeline.json5", Self.pipeline("workers: 3"))
        kill(host, SIGHUP)
        try terminal.until("the word of the change") { $0.contains("stages.slow.workers 1 → 3") && $0.contains("in/s") }
        terminal.close()
        Processes.expectNone(with: "run\0pipeline.json5\0--state-dir\0\(state)")
        let finished = try #require(job.objects("state/job/events.jsonl").last)
        #expect(finished["event"] as? String == "job_finished" && finished["state"] as? String == "interrupted", "\(finished)")
    }

    // MARK: - The pipeline file, read again

    @Test func anotherRateTakesEffectAtOnce() throws {
        // A record a minute: none but the first few would ever come.
        let job = try job("rate: { records_per_second: 0.02, burst: 3 }")
        let host = try job.start()
        try host.until("the first records") { (job.status()?["stages"] as? [[String: Any]])?[1]["records_in"] as? Int ?? 0 >= 3 }
        let event = try reread(job, host, Self.pipeline("rate: { records_per_second: 100000, burst: 3 }, workers: 3"))
        let changes = try #require(event["changes"] as? [[String: Any]])
        #expect(changes.contains { $0["key"] as? String == "stages.slow.rate.records_per_second" && $0["from"] as? Double == 0.02 && $0["to"] as? Int == 100_000 })
        #expect(changes.contains { $0["key"] as? String == "stages.slow.workers" && $0["from"] as? Int == 1 && $0["to"] as? Int == 3 })
        #expect(try host.wait().code == 0)
        #expect(job.outputKeys() == (1...1_500).map(Input.key))
    }

    @Test func workersComeAndLeaveAndNoBatchIsLostOrDoneTwice() throws {
        let job = try job("", 4_000)
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        _ = try reread(job, host, Self.pipeline("workers: 4"))
        try host.until("four workers") { host.workers(of: "misbehave").count == 4 }
        #expect(kept(job).contains("\"workers\": 4"))
        _ = try reread(job, host, Self.pipeline("workers: 1"))
        try host.until("one worker") { host.workers(of: "misbehave").count == 1 }
        _ = try reread(job, host, Self.pipeline("workers: 3"))
        #expect(try host.wait().code == 0)
        #expect(job.outputKeys() == (1...4_000).map(Input.key))
        let stages = try #require(job.status()?["stages"] as? [[String: Any]])
        #expect(stages[1]["restarts"] as? Int == 0 && stages[1]["crashes"] as? Int == 0 && stages[1]["records_in"] as? Int == 4_000)
        #expect(job.events("worker_restarted").isEmpty && job.events("worker_crashed").isEmpty)
    }

    @Test func whatNeedsAnotherRunIsRefusedAsAWhole() throws {
        let job = try job("", 2_000)
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        let before = kept(job)
        let refused = try reread(job, host, Self.pipeline("workers: 4", "batch: { records: 50 },"), "policy_refused")
        #expect((refused["reason"] as? String)?.hasPrefix("batch.records cannot change") == true, "\(refused)")
        let broken = try reread(job, host, "{ name: \"job\", stages: [", "policy_refused")
        #expect(broken["reason"] as? String == "the file cannot be read" && broken["message"] is String, "\(broken)")
        try FileManager.default.removeItem(atPath: job.path("pipeline.json5"))
        host.signal(SIGHUP)
        try host.until("another refusal") { job.events("policy_refused").count == 3 }
        let singular = try reread(job, host, Self.pipeline("").replacingOccurrences(of: #"name: "write","#, with: #"name: "write", workers: 2,"#), "policy_refused")
        #expect(singular["reason"] as? String == "the file does not suit the plugins", "\(singular)")
        #expect(host.output.contains("nothing of it is taken over: batch.records cannot change"))
        #expect(host.workers(of: "misbehave").count == 1 && kept(job) == before && job.events("policy_changed").isEmpty)
        try job.write("pipeline.json5", Self.pipeline(""))
        #expect(try host.wait().code == 0)
        #expect(job.outputKeys() == (1...2_000).map(Input.key))
    }

    @Test func aResumeHasWhatWasChangedAndFlagsStayInForce() throws {
        let job = try job("", 3_000)
        let host = try job.start("--set", "stages.slow.workers=2")
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        let event = try reread(job, host, Self.pipeline("workers: 4, standby: 1"))
        #expect((event["changes"] as? [[String: Any]])?.map { $0["key"] as? String ?? "" } == ["stages.slow.standby"])
        try host.until("a standby") { host.workers(of: "misbehave").count == 3 }
        host.killHard()
        try job.write("pipeline.json5", Self.pipeline("workers: 1"))
        let resumed = try job.begin("resume", "job")
        try resumed.until("the workers that were asked for") { resumed.workers(of: "misbehave").count == 3 }
        // It knows the file, and what the flag of the first command said.
        let again = try reread(job, resumed, Self.pipeline("workers: 1, standby: 0"))
        #expect((again["changes"] as? [[String: Any]])?.map { $0["key"] as? String ?? "" } == ["stages.slow.standby"])
        try resumed.until("no standby") { resumed.workers(of: "misbehave").count == 2 }
        #expect(try resumed.wait().code == 0)
        #expect(job.outputKeys() == (1...3_000).map(Input.key))
    }
}
