import Foundation
import Testing

private let picky = "{ name: \"picky\", plugin: \"misbehave\", with: { each_ms: 2, when: { ids: [3, 14, 15] }, do: \"fail-permanently\" } },"

private func finishedJob(sync: String = "batch") throws -> Sandbox {
    let sandbox = try Sandbox()
    try sandbox.pipeline(sync: sync) { picky }
    let run = try sandbox.stagehost("run", "demo.json5", "--quiet")
    guard run.code == 0 else { throw TestFailure(run.errors) }
    return sandbox
}

private let log = ".stagehost/demo/logs/01-picky/0000000000000001.log"

/// Makes the log look as a killed host leaves it: one segment, without the seal that an orderly end adds.
private func unseal(_ sandbox: Sandbox) throws {
    let file = sandbox.path(log)
    let folder = file.deletingLastPathComponent()
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name != file.lastPathComponent {
        try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
    }
    var bytes = try Data(contentsOf: file)
    // The footer, the last 32 bytes, says where the seal begins: see docs/log-format.md.
    let place = bytes.count - 16
    let seal = (0..<4).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    guard seal > 0, seal < bytes.count else { throw TestFailure("the log has no seal: \(bytes.count) bytes") }
    bytes = bytes.prefix(seal)
    try bytes.write(to: file)
}

private func flip(_ sandbox: Sandbox, _ file: String, at share: Double) throws {
    var bytes = try Data(contentsOf: sandbox.path(file))
    bytes[Int(Double(bytes.count) * share)] ^= 0x20
    try bytes.write(to: sandbox.path(file))
}

@Test func `verify finds a flipped byte, repair keeps the rest, and the next run does the lost batches again`() throws {
    let sandbox = try finishedJob()
    let output = try sandbox.text("out.txt")
    #expect(try sandbox.stagehost("verify", "demo").code == 0)
    try flip(sandbox, log, at: 0.4)
    let found = try sandbox.stagehost("verify", "demo", "--json")
    #expect(found.code == 65)
    let report = try found.object()
    #expect(report["whole"] as? Bool == false)
    let findings = try #require(report["findings"] as? [[String: Any]])
    let damage = try #require(findings.first { $0["state"] as? String == "damaged" })
    #expect(damage["log"] as? String == "picky" && damage.number("offset") ?? 0 > 0)
    #expect((damage["file"] as? String)?.hasSuffix("01-picky/0000000000000001.log") == true)
    #expect(damage["expected"] is String && damage["found"] is String)
    #expect(try sandbox.stagehost("verify", "demo").errors.contains("--repair"))

    let repaired = try sandbox.stagehost("verify", "demo", "--repair")
    #expect(repaired.code == 0, "\(repaired.output)\(repaired.errors)")
    #expect(repaired.output.contains("done again by the next run: batches ") && repaired.output.contains(".broken"))
    #expect(try sandbox.stagehost("verify", "demo").code == 0)
    #expect(try sandbox.stagehost("status", "demo", "--json").object()["state"] as? String == "interrupted")
    #expect(try sandbox.stagehost("resume", "demo").code == 0)
    #expect(try sandbox.text("out.txt") == output)
    let letters = try sandbox.stagehost("failures", "demo", "--json").lines()
    #expect(letters.map { $0["value"] as? String } == ["line 4", "line 15", "line 16"])
}

@Test func `after a repair of the sink's log, what it wrote behind the gap is written again`() throws {
    let sandbox = try finishedJob()
    let output = try sandbox.text("out.txt")
    try flip(sandbox, ".stagehost/demo/logs/02-write/0000000000000001.log", at: 0.5)
    #expect(try sandbox.stagehost("verify", "demo").code == 65)
    #expect(try sandbox.stagehost("verify", "demo", "--repair").code == 0)
    #expect(try sandbox.stagehost("resume", "demo").code == 0)
    #expect(try sandbox.text("out.txt") == output)
    #expect(try sandbox.stagehost("status", "demo", "--json").object().number("records", "written") == 97)
}

@Test func `a torn end is damage if the host had ended in order, and none if it was killed`() throws {
    let sandbox = try finishedJob(sync: "never")
    try unseal(sandbox)
    let file = try FileHandle(forWritingTo: sandbox.path(log))
    try file.truncate(atOffset: file.seekToEnd() - 10)
    try file.close()
    let record = try sandbox.text(".stagehost/demo/job.json")
    #expect(try sandbox.stagehost("verify", "demo").code == 65)
    let whole = try JSONSerialization.jsonObject(with: Data(record.utf8)) as? [String: Any]
    var killed = try #require(whole)
    killed["end"] = NSNull()
    try JSONSerialization.data(withJSONObject: killed).write(to: sandbox.path(".stagehost/demo/job.json"))
    let verified = try sandbox.stagehost("verify", "demo")
    #expect(verified.code == 0 && verified.output.contains("torn"))
    let repaired = try sandbox.stagehost("verify", "demo", "--repair")
    #expect(repaired.code == 0 && repaired.errors.contains("cut back") && !repaired.output.contains("torn"))
}

@Test func `a log that is gone is damage`() throws {
    let sandbox = try finishedJob()
    try FileManager.default.removeItem(at: sandbox.path(".stagehost/demo/logs/01-picky"))
    #expect(try sandbox.stagehost("verify", "demo").code == 65)
    #expect(try sandbox.stagehost("status", "demo").code == 65)
    let resumed = try sandbox.stagehost("resume", "demo")
    #expect(resumed.code == 65 && resumed.errors.contains("is gone"))
    #expect(try sandbox.stagehost("jobs", "--json").objects().first?["state"] as? String == "damaged")
}

@Test func `letters that no log claims do not count, and those of a batch done again count once`() throws {
    let sandbox = try finishedJob(sync: "never")
    // As after a power loss that kept the letters and lost the entries that claim them.
    try unseal(sandbox)
    let file = try FileHandle(forWritingTo: sandbox.path(log))
    try file.truncate(atOffset: 192)
    try file.close()
    #expect(try sandbox.stagehost("failures", "demo", "--json").output.isEmpty)
    #expect(try sandbox.stagehost("status", "demo", "--json").object().number("records", "failed") == 0)
    #expect(try sandbox.stagehost("resume", "demo").code == 0)
    let letters = try sandbox.stagehost("failures", "demo", "--json").lines()
    #expect(letters.map { $0.number("letter") } == [4, 5, 6])
    #expect(try sandbox.stagehost("status", "demo", "--json").object().number("records", "failed") == 3)
    #expect(try sandbox.text("out.txt").split(separator: "\n").count == 97)
}

@Test(arguments: ["job.json", "status.json", "pipeline.json", "events.jsonl"])
func `garbage in a file beside the logs crashes no command`(name: String) throws {
    let sandbox = try finishedJob()
    let garbage = ["", "{", "[1,2]", "{\"job\":\"demo\",\"stages\":[{\"name\":\"read\",\"workers\":-7,\"rss_bytes\":1e999}]}", "\u{0}\u{1}\u{2}"]
    for text in garbage {
        try sandbox.write(".stagehost/demo/\(name)", text)
        for command in ["status", "checkpoints", "failures", "events", "verify"] {
            let ended = try sandbox.stagehost(command, "demo")
            let needsPipeline = !["events", "verify"].contains(command)
            #expect(ended.code == (name == "pipeline.json" && needsPipeline ? 65 : 0), "\(command): \(ended.errors)")
        }
        #expect(try sandbox.stagehost("jobs").code == 0)
    }
}

@Test func `damaged letters are refused with their place`() throws {
    let sandbox = try finishedJob()
    try flip(sandbox, ".stagehost/demo/letters/0000000000000001.log", at: 0.25)
    let ended = try sandbox.stagehost("failures", "demo")
    #expect(ended.code == 65 && ended.errors.contains("letters"))
    #expect(try sandbox.stagehost("verify", "demo").code == 65)
    #expect(try sandbox.stagehost("verify", "demo", "--repair").output.contains("letters lost: "))
    let left = try sandbox.stagehost("failures", "demo", "--json")
    #expect(try left.lines().count == 2)
    #expect(left.errors.contains("1 failure has lost its letter"))
}
