import Foundation
import Glibc
import Testing

/// `kill -9` of the host, at any instant, again and again: nothing lost, nothing twice.
@Suite struct HostDeathTests {
    static let shapes: [(name: String, stages: String)] = [
        ("plain", #"{ name: "pass", plugin: "misbehave", with: { each_ms: 1 }, workers: 2 }"#),
        (
            "state and a stage without a log",
            #"{ name: "terms", plugin: "count-terms", durable: false, with: { field: "/text" } }, "#
                + #"{ name: "tally", plugin: "tally", with: { by: "/words", sum: "/characters" }, snapshot_every: 4 }, "#
                + #"{ name: "slow", plugin: "misbehave", with: { each_ms: 1 }, workers: 2 }"#
        ),
        (
            "the last keys, forgotten in order",
            #"{ name: "terms", plugin: "count-terms", with: { field: "/text" } }, "#
                + #"{ name: "once", plugin: "deduplicate", with: { by: "/characters", max_keys: 20, when_full: "forget" }, snapshot_every: 3 }, "#
                + #"{ name: "slow", plugin: "misbehave", with: { each_ms: 1 }, workers: 2 }"#
        ),
        (
            "failures and crashes",
            #"{ name: "bad", plugin: "misbehave", with: { do: "fail-permanently", each_ms: 1, when: { probability: 0.02, seed: 5 } }, workers: 2 }, "#
                + #"{ name: "worse", plugin: "misbehave", with: { do: "segfault", when: { key_equals: "k000777" } } }"#
        ),
    ]

    @Test(arguments: shapes.indices) func atRandomInstantsDoesNotChangeAFile(_ shape: Int) throws {
        let pipeline = Stages.pipeline(Stages.read, Self.shapes[shape].stages, Stages.write, options: "batch: { records: 20 },")
        let undisturbed = try Job(2_000, pipeline)
        #expect(try undisturbed.run().code == 0)
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        let job = try Job(2_000, pipeline)
        let ended = try job.runThroughKills(Storm.rounds(12), &chance)
        #expect(ended.code == 0, "seed \(seed): \(ended.output)")
        #expect(job.data("output.jsonl") == undisturbed.data("output.jsonl"), "seed \(seed)")
        #expect(Set(try job.letters().keys) == Set(try undisturbed.letters().keys), "seed \(seed)")
        let verified = try job.command("verify", "job")
        #expect(verified.code == 0, "seed \(seed): \(verified.output)")
        job.expectNoProcessLeft()
    }

    @Test func atRandomInstantsDoesNotChangeATable() throws {
        guard let sqlite = Programs.find("sqlite3") else {
            withKnownIssue("no sqlite3 on PATH: not tested") { Issue.record("no sqlite3") }
            return
        }
        let pipeline = Stages.pipeline(
            Stages.read, Stages.misbehave("each_ms: 1", "workers: 2", name: "pass"),
            #"{ name: "write", plugin: "write-sqlite", with: { database: "out.db", table: "t" } }"#,
            options: "batch: { records: 20 },")
        let rows = { (job: Job) in
            try Programs.run(sqlite, [job.path("out.db"), "select id, key, value from t order by rowid"]).output
        }
        let undisturbed = try Job(2_000, pipeline)
        let first = try undisturbed.run()
        if first.code == 69, first.output.contains("libsqlite3") {
            withKnownIssue("no libsqlite3: not tested") { Issue.record("no libsqlite3") }
            return
        }
        #expect(first.code == 0, "\(first.output)")
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        let job = try Job(2_000, pipeline)
        let ended = try job.runThroughKills(Storm.rounds(12), &chance)
        #expect(ended.code == 0, "seed \(seed): \(ended.output)")
        let expected = try rows(undisturbed)
        #expect(expected.split(separator: "\n").count == 2_000)
        #expect(try rows(job) == expected, "seed \(seed)")
    }

    @Test func halfWayThroughRepeatsNothingThatIsCommitted() throws {
        let job = try Job(
            2_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave("", name: "a"), Stages.misbehave(#"counter: "b""#, name: "b"),
                Stages.misbehave(#"counter: "paid", each_ms: 1"#, "workers: 2", name: "paid"), Stages.misbehave(#"counter: "c""#, name: "c"),
                Stages.write, options: "batch: { records: 50 },"))
        let host = try job.start()
        try host.until("half of the work") { job.lines("paid").count >= 1_000 }
        host.killHard()
        let before = job.lines("paid")
        // What was in hand: at most one record for each of two workers, and what they had done in the last milliseconds.
        let committed = try committedRecords(of: "paid", in: job)
        #expect(committed > 500)
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...2_000).map(Input.key))
        let after = Array(job.lines("paid").dropFirst(before.count))
        #expect(Set(before + after).count == 2_000)
        // Everything that is done again was not committed.
        let repeated = Set(before).intersection(after)
        #expect(after.count == 2_000 - Set(before).count + repeated.count)
        #expect(repeated.count <= before.count - committed, "\(repeated.count) repeated, \(before.count) done, \(committed) committed")
    }

    /// Input records that the log of a stage has, as `status` says of a job that nobody runs.
    private func committedRecords(of stage: String, in job: Job) throws -> Int {
        let ended = try job.command("status", "job", "--json")
        let stages = jsonObject(ended.output)?["stages"] as? [[String: Any]] ?? []
        return try #require(stages.first { $0["name"] as? String == stage }?["records_in"] as? Int, "\(ended.output)")
    }

    @Test func ofASlowStageRepeatsOneRecordForEachWorkerAtMost() throws {
        // Two batches in two workers: what is not at risk is in the log.
        let job = try Job(
            240,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"counter: "paid", each_ms: 20"#, "workers: 2", name: "paid"), Stages.write,
                options: "batch: { records: 120 },"))
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        for round in 0..<Storm.rounds(6) {
            let host = try job.start()
            if host.hasEnded(within: Int32.random(in: 100...600, using: &chance)) { break }
            // One in each worker's hands when the host died, and one in those of a worker that was killed before.
            var inHand = 2
            if let victim = host.workers(of: "misbehave").randomElement(using: &chance), Bool.random(using: &chance) {
                kill(victim, SIGKILL)
                inHand += 1
            }
            // Nothing is held back: without one more step of a worker, all but what is in hand gets into the log.
            var atRisk = 240
            let patience = Patience(seconds: 30)
            var isStill = false
            while !host.hasEnded(within: 3), patience.lasts {
                let records = jsonObject(try job.command("status", "job", "--json").output)?["records"] as? [String: Any]
                guard records?["read"] as? Int == 240, let said = records?["at_risk"] as? Int, said > 0 else { continue }
                atRisk = said
                if isStill, Set(job.lines("paid")).count - (240 - atRisk) <= inHand { break }
                // Not before they have been given something.
                for worker in host.workers(of: "misbehave") { kill(worker, SIGSTOP) }
                isStill = true
            }
            host.killHard()
            let all = job.lines("paid")
            let next = try job.start()
            // One more stretch of work shows what is repeated.
            _ = next.hasEnded(within: 250)
            next.killHard()
            let more = job.lines("paid").dropFirst(all.count)
            let repeated = Set(all).intersection(more)
            #expect(repeated.count <= min(inHand, atRisk), "seed \(seed), round \(round), \(atRisk) at risk: \(repeated.sorted())")
        }
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...240).map(Input.key))
    }

    @Test func killsOfAPaidStagesWorkersRepeatOneRecordEach() throws {
        let job = try Job(
            120,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"counter: "paid", each_ms: 40"#, "workers: 2", name: "paid"), Stages.write))
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        let host = try job.start()
        try host.until("the first records") { job.lines("paid").count > 4 }
        var kills = 0
        while kills < 8, !host.hasEnded(within: Int32.random(in: 60...220, using: &chance)) {
            guard let victim = host.workers(of: "misbehave").randomElement(using: &chance) else { continue }
            kill(victim, SIGKILL)
            kills += 1
        }
        #expect(try host.wait().code == 0)
        let seen = job.lines("paid")
        #expect(Set(seen).count == 120)
        #expect(seen.count - 120 <= kills, "seed \(seed): \(seen.count - 120) repeated after \(kills) kills")
        #expect(job.outputKeys() == (1...120).map(Input.key))
    }

    @Test func whatItLeavesBehindIsEndedByTheNextRun() throws {
        let job = try Job(
            600,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(#"do: "fork-child", each_ms: 2, when: { key_equals: "\#(Input.key(5))" }"#), Stages.write,
                options: "batch: { records: 20 },"))
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        host.killHard()
        // Workers die with their host; what a plugin has forked does not.
        let patience = Patience(seconds: 5)
        while job.processes().count > 1, patience.lasts { patience.rest() }
        #expect(job.processes().count == 1)
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        job.expectNoProcessLeft()
        #expect(job.outputKeys() == (1...600).map(Input.key))
    }
}
