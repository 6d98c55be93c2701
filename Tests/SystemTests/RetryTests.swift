import Foundation
import Glibc
import Testing

/// Dead letters are tried again and given up; whatever happens on the way, each record ends in one place.
@Suite struct RetryTests {
    /// A job of `records` whose stage "brittle" fails one in five, of two kinds.
    private func brokenJob(_ records: Int, with: String = "", options: String = "") throws -> Job {
        let job = try Job(
            records,
            Stages.pipeline(
                Stages.read, #"{ name: "brittle", plugin: "./libstage-brittle.so", with: { \#(with) }, probation: 0 }"#,
                #"{ name: "keep", plugin: "keep", durable: false, with: { json: "/id" } }"#, Stages.write,
                options: "batch: { records: 20 }, \(options)"))
        _ = try Brittle.build("brittle", isRepaired: false, in: job)
        return job
    }

    private func records(of job: Job) throws -> [String: Int] {
        let ended = try job.command("status", "job", "--json")
        return try #require(jsonObject(ended.output)?["records"] as? [String: Any]).compactMapValues { $0 as? Int }
    }

    private func isFaulty(_ number: Int) -> Bool { number % 10 == 7 || number % 10 == 3 }

    @Test func afterARepairTheyFlowOnAndTheCountsGoDown() throws {
        let job = try brokenJob(200)
        #expect(try job.run().code == 0)
        #expect(try job.letters().count == 40)
        #expect(try records(of: job)["written"] == 160)
        let digest = try #require(try job.letters()["k000007"]?["digest"] as? String)
        // In vain: what fails again is a letter again, with its past.
        let vain = try job.command("retry", "job", "--key", "k000003")
        #expect(vain.code == 0, "\(vain.output)")
        let again = try #require(try job.letters()["k000003"])
        #expect(again["attempts"] as? Int == 2)
        #expect((again["history"] as? [[String: Any]])?.count == 1)
        #expect(try records(of: job)["failed"] == 40)
        _ = try Brittle.build("brittle", isRepaired: true, in: job)
        #expect(try job.command("retry", "job", "--category", "crash", "--limit", "5").code == 0)
        #expect(try records(of: job)["failed"] == 35)
        #expect(try job.command("retry", "job", "--crashed-by", String(digest.prefix(12))).code == 0)
        #expect(try records(of: job) == ["read": 200, "written": 200, "filtered": 0, "failed": 0, "discarded": 0, "at_risk": 0, "total": 200])
        #expect(job.outputKeys().sorted() == (1...200).map(Input.key))
        #expect(try job.letters().isEmpty)
        let nothing = try job.command("retry", "job")
        #expect(nothing.code == 0 && nothing.output.contains("no dead letters"), "\(nothing.output)")
        #expect(try job.run().output.contains("complete, nothing to do"))
        #expect(try job.command("verify", "job").code == 0)
        job.expectNoProcessLeft()
    }

    @Test func killedAtAnyInstantEachIsWrittenOnce() throws {
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        let job = try brokenJob(400, with: #"ms: 1, seen: "seen""#)
        #expect(try job.run().code == 0)
        _ = try Brittle.build("brittle", isRepaired: true, in: job)
        try FileManager.default.removeItem(atPath: job.path("seen"))
        for _ in 0..<Storm.rounds(10) {
            let host = try job.begin("retry", "job", "--limit", "\(Int.random(in: 1...60, using: &chance))")
            if host.hasEnded(within: Int32.random(in: 1...250, using: &chance)) { continue }
            host.killHard()
            let sums = try records(of: job)
            // Each is dead, written, or on its way.
            let failed = try #require(sums["failed"])
            #expect(failed + (sums["written"] ?? 0) <= 400, "seed \(seed): \(sums)")
            #expect(try job.letters().count == failed, "seed \(seed)")
        }
        let last = try job.command("retry", "job")
        #expect(last.code == 0, "seed \(seed): \(last.output)")
        let rest = try job.run()
        #expect(rest.code == 0, "seed \(seed): \(rest.output)")
        #expect(job.outputKeys().sorted() == (1...400).map(Input.key), "seed \(seed)")
        #expect(try records(of: job)["failed"] == 0, "seed \(seed)")
        // Only what was in hand at a death was handed out twice.
        #expect(Set(job.lines("seen")) == Set((1...400).filter(isFaulty).map(Input.key)), "seed \(seed)")
        #expect(try job.command("verify", "job").code == 0)
        job.expectNoProcessLeft()
    }

    @Test func aRunningJobTakesThemInBetween() throws {
        let job = try brokenJob(600, with: "ms: 2", options: "failures: { max: 1000 },")
        let host = try job.start()
        try host.until("some letters") { job.events("record_failed").count >= 10 }
        let repaired = try Brittle.build("repaired", isRepaired: true, in: job)
        let swapped = try job.command("restart", "job", "brittle", "--plugin", repaired)
        #expect(swapped.code == 0, "\(swapped.output)")
        let asked = try job.command("retry", "job")
        #expect(asked.code == 0 && asked.output.contains("tried again"), "\(asked.output)")
        let ended = try host.wait()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys().sorted() == (1...600).map(Input.key))
        #expect(try records(of: job)["failed"] == 0)
        #expect(!job.events("letters_retried").isEmpty)
    }

    @Test func aFailedJobGoesOnWithThem() throws {
        let job = try brokenJob(400, options: "failures: { max_rate: 0.1, minimum_sample: 50 },")
        #expect(try job.run().code == 3)
        _ = try Brittle.build("brittle", isRepaired: true, in: job)
        let ended = try job.command("retry", "job")
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys().sorted() == (1...400).map(Input.key))
    }

    @Test func aStageThatHasSummedUpTakesNoMore() throws {
        let job = try Job(
            100,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "fail-permanently", when: { key_equals: "k000050" }"#),
                #"{ name: "sums", plugin: "tally", with: { by: "/lang" } }"#, Stages.write))
        #expect(try job.run().code == 0)
        let before = job.data("output.jsonl")
        let refused = try job.command("retry", "job")
        #expect(refused.code == 73 && refused.output.contains("sums up its whole input"), "\(refused.output)")
        #expect(job.data("output.jsonl") == before)
        #expect(try job.letters().count == 1)
        #expect(try job.command("discard", "job").code == 0)
        #expect(try records(of: job)["discarded"] == 1)
    }

    @Test func whatIsDiscardedIsCountedAndListedNoMore() throws {
        let job = try brokenJob(100)
        #expect(try job.run().code == 0)
        let dry = try job.command("discard", "job", "--category", "crash", "--dry-run")
        #expect(dry.output.contains("10 of brittle"), "\(dry.output)")
        #expect(try job.letters().count == 20)
        let done = try job.command("discard", "job", "--category", "crash")
        #expect(done.code == 0 && done.output.contains("10 of brittle"), "\(done.output)")
        #expect(try job.letters().count == 10)
        _ = try Brittle.build("brittle", isRepaired: true, in: job)
        #expect(try job.command("retry", "job").code == 0)
        let sums = try records(of: job)
        #expect(sums["written"] == 90 && sums["failed"] == 0 && sums["discarded"] == 10, "\(sums)")
    }
}
