import Foundation
import Glibc
import Testing

/// Signals to the host, and kills of its workers.
@Suite struct InterruptTests {
    static let slow = Stages.pipeline(
        Stages.read, Stages.misbehave("each_ms: 2", "workers: 2", name: "slow"), Stages.write, options: "batch: { records: 20 },")

    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalDrainsAndTheSameCommandGoesOn(_ number: Int32) throws {
        let job = try Job(1_000, Self.slow)
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        host.signal(number)
        let ended = try host.wait(seconds: 15)
        #expect(ended.code == 75, "\(ended.output)")
        #expect(ended.output.contains("the same command goes on"))
        job.expectNoProcessLeft()
        let before = job.outputKeys()
        #expect(!before.isEmpty && before.count < 1_000)
        #expect(before == (1...1_000).map(Input.key).prefix(before.count).map { $0 })
        let again = try job.run()
        #expect(again.code == 0, "\(again.output)")
        #expect(job.outputKeys() == (1...1_000).map(Input.key))
    }

    @Test func aSecondSignalLeavesAtOnce() throws {
        let job = try Job(
            300, Stages.pipeline(Stages.read, Stages.misbehave(#"do: "sleep", ms: 60000, when: { nth: 50 }"#, name: "stuck"), Stages.write))
        let host = try job.start()
        try host.until("the worker") { !host.workers(of: "misbehave").isEmpty && job.status() != nil }
        host.signal(SIGINT)
        try host.until("the drain") { !job.events("draining").isEmpty }
        #expect(!host.hasEnded(within: 0))
        host.signal(SIGINT)
        let ended = try host.wait(seconds: 5)
        #expect(ended.code == 75, "\(ended.output)")
        job.expectNoProcessLeft()
    }

    @Test func aTimeLimitDrains() throws {
        let job = try Job(3_000, Self.slow)
        let ended = try job.run("--time-limit", "700ms", seconds: 15)
        #expect(ended.code == 75, "\(ended.output)")
        #expect(try job.run().code == 0)
        #expect(job.outputKeys() == (1...3_000).map(Input.key))
    }

    @Test func killsOfRandomWorkersDoNotChangeTheOutput() throws {
        let pipeline = Stages.pipeline(
            Stages.read,
            #"{ name: "keep", plugin: "keep", with: { json: "/cents", min: 10 } }"#,
            #"{ name: "terms", plugin: "count-terms", workers: 2, standby: 1, with: { field: "/text" } }"#,
            #"{ name: "tally", plugin: "tally", with: { by: "/words" }, snapshot_every: 8 }"#,
            Stages.write)
        let records = 20_000 * max(1, Storm.rounds(1) / 10)
        let undisturbed = try Job(records, pipeline)
        #expect(try undisturbed.run(seconds: 600).code == 0)

        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        let job = try Job(records, pipeline)
        // Kills of workers that are not ready yet count, and a loaded machine takes its time until they are.
        let stages = ["read", "keep", "terms", "tally", "write"]
        let host = try job.start(options: stages.flatMap { ["--set", "stages.\($0).restart.max=10000"] })
        var kills = 0
        while !host.hasEnded(within: 50) {
            // Not for ever: where workers need longer to start than they live, nothing would ever be done.
            guard kills < 100, let victim = host.workers().randomElement(using: &chance) else { continue }
            kill(victim, SIGKILL)
            kills += 1
        }
        let ended = try host.wait()
        #expect(ended.code == 0, "seed \(seed), \(kills) kills: \(ended.output)")
        #expect(kills > 5)
        #expect(job.data("output.jsonl") == undisturbed.data("output.jsonl"), "seed \(seed), \(kills) kills")
        #expect(try job.letters().isEmpty)
    }
}
