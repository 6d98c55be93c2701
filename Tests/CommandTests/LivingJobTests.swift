import Foundation
import Testing

/// A job that takes its time: 40 records a second or so, and never ends within a test.
private func slowJob(records: Int = 4_000) throws -> (Sandbox, Process) {
    let sandbox = try Sandbox()
    try sandbox.pipeline(records: records, batch: 5) {
        """
        { name: "picky", plugin: "misbehave", with: { when: { ids: [2] }, do: "fail-permanently" } },
        { name: "slow", plugin: "misbehave", with: { each_ms: 20 } },
        """
    }
    let host = try sandbox.start("run", "demo.json5", "--quiet", output: "host.txt")
    return (sandbox, host)
}

private func isUnderWay(_ status: [String: Any]) -> Bool { status.number("records", "written") ?? 0 >= 5 }

@Test func `a running job is looked at while its host writes`() throws {
    let (sandbox, host) = try slowJob()
    let status = try sandbox.wait("a written batch") { status in
        let stages = status["stages"] as? [[String: Any]] ?? []
        return isUnderWay(status) && stages.allSatisfy { $0.number("workers") == 1 && $0.number("rss_bytes") ?? 0 > 0 }
    }
    #expect(status["state"] as? String == "running")
    #expect(status.number("records", "failed") == 1)
    let risk = try sandbox.wait("records at risk") { $0.number("records", "at_risk") ?? 0 > 0 }
    #expect(risk["state"] as? String == "running")
    #expect(try sandbox.stagehost("jobs", "--json").objects().first?["state"] as? String == "running")
    #expect(try sandbox.stagehost("failures", "demo", "--json").lines().count == 1)
    #expect(try sandbox.stagehost("verify", "demo").code == 0)
    let checkpoints = try sandbox.stagehost("checkpoints", "demo", "--json").objects()
    #expect(checkpoints.count == 4 && checkpoints[3].number("batch") ?? 0 >= 1)
    #expect(checkpoints.map { $0["version"] as? String } == ["1.0.0", "1.0.0", "1.0.0", "1.0.0"])
    #expect(host.isRunning)
}

@Test func `what would change a running job is refused`() throws {
    let (sandbox, host) = try slowJob()
    _ = try sandbox.wait("a written batch", until: isUnderWay)
    for arguments in [["remove", "demo"], ["verify", "demo", "--repair"]] {
        let ended = try arguments.count == 2
            ? sandbox.stagehost(arguments[0], arguments[1]) : sandbox.stagehost(arguments[0], arguments[1], arguments[2])
        #expect(ended.code == 73, "\(arguments)")
        #expect(ended.errors.contains("lock"), "\(ended.errors)")
    }
    #expect(host.isRunning)
}

@Test func `followers see what comes and end with the host`() throws {
    let (sandbox, host) = try slowJob()
    _ = try sandbox.wait("a written batch", until: isUnderWay)
    let events = try sandbox.start("events", "demo", "--follow", "--json", output: "events.txt")
    let logs = try sandbox.start("logs", "demo", "slow", "--follow", output: "logs.txt")
    _ = try sandbox.wait("ten more records") { $0.number("records", "written") ?? 0 >= 15 }
    kill(host.processIdentifier, SIGINT)
    host.waitUntilExit()
    #expect(host.terminationStatus == 75)
    events.waitUntilExit()
    logs.waitUntilExit()
    #expect(events.terminationStatus == 0 && logs.terminationStatus == 0)
    #expect(try sandbox.text("events.txt") == sandbox.text(".stagehost/demo/events.jsonl"))
    let status = try sandbox.stagehost("status", "demo", "--json").object()
    #expect(status["state"] as? String == "interrupted")
    let stages = try #require(status["stages"] as? [[String: Any]])
    #expect(stages.allSatisfy { $0.number("workers") == 0 && $0.number("rss_bytes") == 0 })
}

@Test func `a job whose host was killed is interrupted, and resume goes on without the pipeline file`() throws {
    let (sandbox, host) = try slowJob(records: 60)
    _ = try sandbox.wait("a written batch", until: isUnderWay)
    sandbox.kill9(host)
    let status = try sandbox.stagehost("status", "demo", "--json").object()
    #expect(status["state"] as? String == "interrupted")
    let written = try #require(status.number("records", "written"))
    #expect(written >= 5)
    #expect(try sandbox.stagehost("jobs", "--json").objects().first?["state"] as? String == "interrupted")
    #expect(try sandbox.stagehost("checkpoints", "demo", "--json").objects().count == 4)
    #expect(try sandbox.stagehost("failures", "demo", "--json").lines().count == 1)
    #expect(try sandbox.stagehost("verify", "demo").code == 0)

    try FileManager.default.removeItem(at: sandbox.path("demo.json5"))
    let resumed = try sandbox.stagehost("resume", "demo", "--set", "stages.slow.workers=2")
    #expect(resumed.code == 0, "\(resumed.errors)")
    #expect(resumed.errors.contains("going on"))
    #expect(try sandbox.stagehost("status", "demo", "--json").object()["state"] as? String == "complete")
    let lines = (1...60).filter { $0 != 3 }.map { "line \($0)\n" }.joined()
    #expect(try sandbox.text("out.txt") == lines)
    #expect(try sandbox.text(".stagehost/demo/pipeline.json").contains("\"workers\": 2"))
    let wrong = try sandbox.stagehost("resume", "demo", "--set", "stages.slow.wrokers=2")
    #expect(wrong.code == 78 && wrong.errors.contains("did you mean"))
}
