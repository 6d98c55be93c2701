import Foundation
import Testing

/// After all this: no process that nobody waits for, no descriptor that nobody closes.
@Suite struct LeftoverTests {
    private struct Count { var most = 0 }

    @Test func aStormOfDeathsLeavesNoDescriptorNoZombieAndNoProcess() throws {
        // Each of these records kills its worker once, and passes when it is given again.
        let deaths = Storm.rounds(200)
        let records = deaths * 10
        let job = try Job(
            records,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "segfault", when: { probability: 0.13, seed: 9, times: 1, memory: "crashes" }"#,
                    #"workers: 2, restart: { max: 100000, backoff: "1ms", max_backoff: "2ms" }"#),
                Stages.write, options: "batch: { records: 20 },"))
        let host = try job.start()
        var early = Count(), late = Count()
        let seen = { job.data("crashes").count(where: { $0 == 10 }) }
        try host.until("the first deaths") { seen() >= deaths / 10 }
        try host.until("a few more") {
            early.most = max(early.most, host.descriptors)
            return seen() >= deaths / 3
        }
        var zombies = 0
        try host.until("many of them", seconds: 120) {
            late.most = max(late.most, host.descriptors)
            zombies = max(zombies, Processes.zombies(of: host.pid).count)
            return seen() >= deaths
        }
        // Each worker needs five; one that has just ended may not be buried yet.
        #expect(late.most <= early.most + 10, "\(early.most) descriptors at first, \(late.most) after \(deaths) deaths")
        #expect(zombies <= 4, "\(zombies) zombies at once")
        let ended = try host.wait(seconds: 120)
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...records).map(Input.key))
        #expect(job.events("worker_crashed").count >= deaths)
        job.expectNoProcessLeft()
    }

    @Test func childrenThatWorkersLeaveBehindAreGoneWhenTheRunIs() throws {
        let job = try Job(
            400,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(#"do: "fork-child", when: { probability: 0.02, seed: 2 }"#, name: "children"),
                Stages.misbehave(
                    #"do: "fork-daemon", ms: 777456000, each_ms: 3, when: { probability: 0.02, seed: 3 }"#, name: "daemons"), Stages.write))
        let host = try job.start()
        try host.until("a daemon") { !Processes.with("sleep\0777456\0").isEmpty }
        let ended = try host.wait()
        #expect(ended.code == 0, "\(ended.output)")
        job.expectNoProcessLeft()
        // They have left group, session and environment: only their descent is left of them.
        Processes.expectNone(with: "sleep\0777456\0")
    }

    @Test func childrenOfAWorkerThatDiesAreGoneWhileTheRunGoesOn() throws {
        // One worker forks a child at its first record and dies at a later one; the run goes on for long.
        let job = try Job(
            1_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "fork-daemon", ms: 777789000, when: { nth: 5 }"#, "recycle_after: 1", name: "daemons"),
                Stages.misbehave("each_ms: 5", name: "slow"), Stages.write))
        let host = try job.start()
        try host.until("a daemon") { !Processes.with("sleep\0777789\0").isEmpty }
        try host.until("its end") { Processes.with("sleep\0777789\0").isEmpty }
        #expect(!host.hasEnded(within: 0))
        #expect(Processes.zombies(of: host.pid).count <= 4)
        host.signal(SIGINT)
        #expect(try host.wait(seconds: 30).code == 75)
        job.expectNoProcessLeft()
        Processes.expectNone(with: "sleep\0777789\0")
    }

    @Test func whatOutlivesAKilledHostIsEndedByTheNextOne() throws {
        let job = try Job(
            600,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(#"do: "fork-child", each_ms: 2, when: { nth: 30 }"#), Stages.write))
        let host = try job.start()
        try host.until("a child of a worker") { job.processes().count >= 5 }
        let record = try #require(jsonObject(String(decoding: job.data(".stagehost/job/job.json"), as: UTF8.self)))
        let run = try #require(record["run"] as? String)
        host.killHard()
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        job.expectNoProcessLeft()
        #expect(Processes.started(with: "STAGEHOST_RUN=\(run)").isEmpty)
        #expect(job.outputKeys() == (1...600).map(Input.key))
    }
}
