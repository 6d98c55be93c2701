import Foundation
import Glibc
import Testing

/// What a job may cost, and what a resume saves.
@Suite struct BudgetTests {
    private func job(_ records: Int, cents: Int) throws -> Job {
        let job = try Job(
            records,
            Stages.pipeline(
                Stages.read, #"{ name: "paid", plugin: "./libstage-brittle.so", with: { seen: "seen", ms: 1 } }"#, Stages.write,
                options: "batch: { records: 10 }, budget: { cents: \(cents) },"))
        _ = try Brittle.build("brittle", isRepaired: true, in: job)
        return job
    }

    private func cents(of job: Job) throws -> Double? {
        let ended = try job.command("status", "job", "--json")
        return (jsonObject(ended.output)?["costs"] as? [String: Any])?["cents"] as? Double
    }

    @Test func endsTheRunUntilItIsRaised() throws {
        let job = try job(400, cents: 200)
        let first = try job.run()
        #expect(first.code == 75 && first.output.contains("the budget is used up"), "\(first.output)")
        let spent = try #require(try cents(of: job))
        // What was in hand is paid, too: some batches, not the whole input.
        #expect(spent >= 200 && spent < 500, "\(spent)")
        let seen = job.lines("seen").count
        let again = try job.run()
        #expect(again.code == 75, "\(again.output)")
        #expect(job.lines("seen").count == seen)
        let raised = try job.command("resume", "job", "--set", "budget.cents=10000")
        #expect(raised.code == 0, "\(raised.output)")
        #expect(raised.output.contains("not paid again: cents \(Int(spent))"), "\(raised.output)")
        #expect(try cents(of: job) == 800)
        let report = try job.command("report", "job")
        #expect(report.output.contains("costs: cents 800; the last host did not pay again: cents \(Int(spent))"), "\(report.output)")
        #expect(job.lines("seen").count == 400)
        #expect(job.outputKeys() == (1...400).map(Input.key))
    }

    @Test func costsSurviveTheDeathOfTheHostAndOfTheLogs() throws {
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        let job = try job(400, cents: 1_000_000)
        for _ in 0..<Storm.rounds(6) {
            let host = try job.start()
            if host.hasEnded(within: Int32.random(in: 50...300, using: &chance)) { break }
            host.killHard()
        }
        // Runs that end in order seal their logs, which lets the next one retire them.
        for _ in 0..<2 {
            let host = try job.start()
            if host.hasEnded(within: 150) { break }
            host.signal(SIGINT)
            _ = try host.wait()
        }
        let last = try job.run()
        #expect(last.code == 0, "seed \(seed): \(last.output)")
        #expect(try cents(of: job) == 800, "seed \(seed)")
    }
}
