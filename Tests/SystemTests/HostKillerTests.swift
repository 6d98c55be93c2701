import Foundation
import Glibc
import Testing

/// Records that take the host along, and hosts that somebody kills: the one is found, the other blames nobody.
@Suite struct HostKillerTests {
    /// Runs a job again and again until its host ends by itself. Returns how often it was killed before.
    private func runUntilOver(_ job: Job, most: Int = 30) throws -> (deaths: Int, Ended) {
        for deaths in 0..<most {
            let ended = try job.run()
            if ended.code != -SIGKILL { return (deaths, ended) }
        }
        throw Overdue(what: "a host that is not killed", seconds: 0, output: "killed \(most) times")
    }

    @Test(arguments: ["", "whole_batch: true,"]) func aRecordThatKillsTheHostIsSetAsideAndNoOther(_ with: String) throws {
        let bad = Input.key(137)
        let job = try Job(
            300,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"counter: "before""#, "workers: 2", name: "before"),
                Stages.misbehave(
                    #"do: "kill-host", \#(with) counter: "tries", when: { key_equals: "\#(bad)" }"#, "workers: 2"), Stages.write,
                options: "batch: { records: 20 },"))
        let (deaths, ended) = try runUntilOver(job)
        #expect(ended.code == 0, "\(ended.output)")
        #expect(deaths == 5)
        #expect(job.outputKeys() == (1...300).filter { $0 != 137 }.map(Input.key))
        let letters = try job.letters()
        #expect(letters.keys.sorted() == [bad])
        #expect(letters[bad]?["category"] as? String == "host")
        #expect(letters[bad]?["attempts"] as? Int == 5)
        #expect((letters[bad]?["message"] as? String)?.contains("takes the host along") ?? false, "\(letters)")
        #expect(job.lines("tries").count { $0 == bad } == 5)
        #expect(job.events("host_died").count == 5)
        let all = try job.command("status", "job", "--json").output
        let stages = jsonObject(all)?["stages"] as? [[String: Any]] ?? []
        let told = stages.first { $0["name"] as? String == "trouble" }?["deaths"] as? [[String: Any]] ?? []
        #expect(told.contains { $0["cause"] as? String == "host" }, "\(all)")
        // The ledger holds nobody any more: the letter says it all.
        #expect(try job.run().output.contains("nothing to do"))
        job.expectNoProcessLeft()
    }

    @Test func aSinkThatTakesTheHostAlongLosesThatRecordOnly() throws {
        // The sink is killed by what the stage before it does at the same time: here the last transform, with state below.
        let job = try Job(
            200,
            Stages.pipeline(
                Stages.read, #"{ name: "tally", plugin: "tally", with: { by: "/id" }, snapshot_every: 3 }"#,
                Stages.misbehave(#"do: "kill-host", when: { key_equals: "\#(Input.key(60))" }"#), Stages.write,
                options: "batch: { records: 20 },"))
        let undisturbed = try Job(
            200,
            Stages.pipeline(
                Stages.read, #"{ name: "tally", plugin: "tally", with: { by: "/id" }, snapshot_every: 3 }"#,
                Stages.misbehave(""), Stages.write, options: "batch: { records: 20 },"))
        #expect(try undisturbed.run().code == 0)
        let (_, ended) = try runUntilOver(job)
        #expect(ended.code == 0, "\(ended.output)")
        let lost = Set(undisturbed.lines("output.jsonl")).subtracting(job.lines("output.jsonl"))
        #expect(lost.count == (try job.letters()).count)
        #expect(lost.count == 1, "\(lost)")
    }

    @Test func anOperatorWhoKillsTheHostTwentyTimesBlamesNobody() throws {
        let job = try Job(
            400,
            Stages.pipeline(
                Stages.read, Stages.misbehave("each_ms: 10", "workers: 2", name: "slow"), Stages.write,
                options: "batch: { records: 20 },"))
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        for _ in 0..<20 {
            let host = try job.start()
            if host.hasEnded(within: Int32.random(in: 60...160, using: &chance)) { break }
            host.killHard()
        }
        let ended = try job.run()
        #expect(ended.code == 0, "seed \(seed): \(ended.output)")
        #expect(job.outputKeys() == (1...400).map(Input.key), "seed \(seed)")
        #expect(try job.letters().isEmpty, "seed \(seed)")
    }

    /// One record that takes long: the host is ended in it `times` times.
    private func endInOneRecord(_ times: Int, _ end: (Host) throws -> Void) throws -> Job {
        let slow = Input.key(7)
        let job = try Job(
            10,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "sleep", ms: 600000, counter: "tries", when: { key_equals: "\#(slow)", times: \#(times), memory: "done" }"#),
                Stages.write))
        for round in 1...times {
            let host = try job.start()
            try host.until("the slow record") { job.lines("tries").count { $0 == slow } == round && job.lines("done").count == round }
            try end(host)
        }
        return job
    }

    @Test func fourKillsInTheSameRecordBlameNobody() throws {
        let job = try endInOneRecord(4) { $0.killHard() }
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...10).map(Input.key))
        #expect(try job.letters().isEmpty)
        // It has an outcome: what was counted is forgotten.
        _ = try job.run()
        #expect(!String(decoding: job.data(".stagehost/job/attempts.json"), as: UTF8.self).contains("\"batch\""))
    }

    @Test func aHostThatIsEndedInOrderTwentyTimesInTheSameRecordCountsNothing() throws {
        let job = try endInOneRecord(20) { host in
            // The first asks, the second leaves at once.
            host.signal(SIGTERM)
            try host.until("the drain") { host.output.contains("finishing what is in hand") }
            host.signal(SIGTERM)
            #expect(try host.wait().code == 75)
        }
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...10).map(Input.key))
        #expect(try job.letters().isEmpty)
        #expect(job.events("host_died").isEmpty)
    }
}
