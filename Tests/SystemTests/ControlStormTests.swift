import Foundation
import Glibc
import Testing

/// A thousand clients of the control socket that mean no good, at once and over and over again.
@Suite struct ControlStormTests {
    @Test func theJobGoesOnAndItsHostStaysAsItIs() throws {
        let records = 2_000 * max(1, Storm.rounds(1))
        // So slow that it cannot be over before all has been seen; then it is told to hurry.
        func pipeline(_ options: String) -> String {
            Stages.pipeline(
                Stages.read, Stages.misbehave("each_ms: 1", "workers: 2, \(options)", name: "slow"), Stages.write, options: "batch: { records: 20 },")
        }
        let job = try Job(records, pipeline("rate: { records_per_second: 10, burst: 100 }"))
        let host = try job.start()
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        let before = (descriptors: host.descriptors, memory: try #require(host.memory("VmRSS")))
        let storm = try job.begin(
            program: "stagehost-bench", "storm", "--job", job.path(".stagehost/job"), "--clients", "1000", "--each-ms", "100", "--json")
        var descriptors = 0
        var memory = 0
        // Somebody who means well is heard.
        let pause = try job.command("pause", "job")
        #expect(pause.code == 0, "\(pause.output)")
        let resume = try job.command("resume", "job")
        #expect(resume.code == 0 && resume.output.contains("going on"), "\(resume.output)")
        // And is told how the job stands, by the host or from its files.
        for _ in 0..<3 {
            let status = try job.command("status", "job", "--json")
            #expect(jsonObject(status.output)?["state"] as? String == "running", "\(status.output)")
        }
        try job.write("pipeline.json5", pipeline(""))
        host.signal(SIGHUP)
        while !host.hasEnded(within: 20) {
            descriptors = max(descriptors, host.descriptors)
            memory = max(memory, host.memory("VmRSS") ?? 0)
        }
        let ended = try host.wait()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...records).map(Input.key))
        // At most 32 clients, one that is being sent away, and what comes and goes with workers and files.
        #expect(descriptors <= before.descriptors + 48, "\(before.descriptors), then \(descriptors)")
        #expect(memory <= before.memory + (32 << 20), "\(before.memory) bytes, then \(memory)")
        let said = try storm.wait(seconds: 60)
        #expect(said.code == 0, "\(said.output)")
        let report = try #require(said.output.firstIndex(of: "{").flatMap { jsonObject(String(said.output[$0...])) }, "\(said.output)")
        let tables = try #require(report["tables"] as? [[String: Any]])
        let rows = try #require(tables.first?["rows"] as? [[String: Any]])
        #expect(rows.count == 8)
        #expect(rows.allSatisfy { ($0["connections"] as? NSNumber)?.intValue ?? 0 > 0 }, "\(rows)")
        job.expectNoProcessLeft()
    }
}
