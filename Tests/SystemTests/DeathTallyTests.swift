import Foundation
import Glibc
import Testing

/// What is told of deaths: while the host lives, after it was killed, and by the next one.
@Suite struct DeathTallyTests {
    private func stage(_ name: String, of job: Job) throws -> [String: Any] {
        let ended = try job.command("status", "job", "--json")
        let stages = jsonObject(ended.output)?["stages"] as? [[String: Any]] ?? []
        return try #require(stages.first { $0["name"] as? String == name }, "\(ended.output)")
    }

    @Test func deathsAreToldWithTheirCauseAndCountedOverAllHosts() throws {
        let job = try Job(
            60,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "exit-3", each_ms: 20, when: { key_equals: "\#(Input.key(3))", times: 1, memory: "done" }"#), Stages.write,
                options: "batch: { records: 10 },"))
        let first = try job.start()
        try first.until("the death") { (job.status()?["stages"] as? [[String: Any]])?[1]["crashes"] as? Int == 1 }
        let live = try stage("trouble", of: job)
        #expect(live["crashes"] as? Int == 1)
        first.killHard()
        let second = try job.start()
        try second.until("a worker") { !second.workers(of: "misbehave").isEmpty && job.lines("output.jsonl").count > 15 }
        for worker in second.workers(of: "misbehave") { kill(worker, SIGKILL) }
        let ended = try second.wait()
        #expect(ended.code == 0, "\(ended.output)")
        let trouble = try stage("trouble", of: job)
        #expect(trouble["crashes"] as? Int == 2, "\(trouble)")
        #expect(trouble["unexplained_deaths"] as? Int == 2)
        let deaths = try #require(trouble["deaths"] as? [[String: Any]])
        #expect(deaths.compactMap { $0["cause"] as? String }.filter { $0 != "host" } == ["exit", "SIGKILL"], "\(deaths)")
        #expect(deaths.first?["exit_code"] as? Int == 3)
        #expect(deaths.first?["batch"] as? Int == 1)
        #expect(deaths.first?["index"] as? Int == 2)
        #expect(deaths.allSatisfy { $0["cause"] as? String == "host" || $0["explained"] as? Bool == false })
        let words = try job.command("status", "job").output
        #expect(words.contains("last deaths:"), "\(words)")
        #expect(words.contains("it exited with code 3 on its own, batch 1, record 2"), "\(words)")
        #expect(words.contains("unexplained"), "\(words)")
    }

    @Test func theStatusOfARunningJobIsThatOfThisMoment() throws {
        let job = try Job(
            30, Stages.pipeline(Stages.read, Stages.misbehave(#"do: "sleep", ms: 600000, when: { nth: 1 }"#), Stages.write))
        let host = try job.start()
        try host.until("the records in hand") { !host.workers(of: "misbehave").isEmpty && job.status() != nil }
        // Whatever the host wrote last, a command is told what is.
        try host.until("30 at risk") {
            let ended = try job.command("status", "job", "--json")
            return (jsonObject(ended.output)?["records"] as? [String: Any])?["at_risk"] as? Int == 30
        }
        try job.write(".stagehost/job/status.json", "nonsense")
        let listed = try job.command("jobs", "--json")
        #expect(listed.output.contains("\"state\":\"running\"") || listed.output.contains("\"state\": \"running\""), "\(listed.output)")
        // One that does not answer is not waited for.
        host.signal(SIGSTOP)
        let ended = try job.command("status", "job")
        #expect(ended.code == 0, "\(ended.output)")
        host.signal(SIGCONT)
        host.killHard()
    }

    @Test func duringALongPauseBeforeARestartTheHostAnswers() throws {
        let job = try Job(
            200,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "segfault", when: { ids: [5, 6, 7, 8] }"#,
                    #"restart: { max: 100, backoff: "600s", max_backoff: "600s" }, on: { SIGSEGV: "restart" }"#), Stages.write))
        let host = try job.start()
        try host.until("the pause") {
            let ended = try job.command("status", "job", "--json")
            let stages = jsonObject(ended.output)?["stages"] as? [[String: Any]] ?? []
            return stages.contains { $0["state"] as? String == "restarting" }
        }
        #expect(try job.command("pause", "job").code == 0)
        #expect(try job.command("status", "job").output.contains("job: paused"))
        #expect(try job.command("resume", "job").code == 0)
        #expect(try job.command("stop", "job").code == 0)
        #expect(try host.wait().code == 75)
        job.expectNoProcessLeft()
    }

    @Test(arguments: [
        ("segfault", "", "SIGSEGV"), ("exit-3", "", "exit"), ("loop", #"timeout: "300ms","#, "timeout"),
        ("allocate", #"memory: "150MiB","#, "memory"),
    ]) func whatACauseLeadsToIsSaidInThePipeline(_ deed: (name: String, options: String, cause: String)) throws {
        let when = #"when: { key_equals: "\#(Input.key(5))" }"#
        let stopped = try Job(
            20,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "\#(deed.name)", mib: 300, ms: 20000, \#(when)"#, #"\#(deed.options) on: { \#(deed.cause): "stop" }"#),
                Stages.write))
        let ended = try stopped.run()
        #expect(ended.code == 4, "\(ended.output)")
        #expect(try stopped.letters().isEmpty)
        // The cause of another death is no matter.
        let other = deed.cause == "SIGSEGV" ? "exit" : "SIGSEGV"
        let goesOn = try Job(
            20,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "\#(deed.name)", mib: 300, ms: 20000, \#(when)"#, #"\#(deed.options) on: { \#(other): "stop" }"#),
                Stages.write))
        #expect(try goesOn.run().code == 0)
        #expect(try goesOn.letters().count == 1)
    }
}
