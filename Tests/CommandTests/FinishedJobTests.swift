import Foundation
import Testing

/// Three records fail for good, one kills its worker.
private func finishedJob() throws -> Sandbox {
    let sandbox = try Sandbox()
    try sandbox.pipeline {
        """
        { name: "picky", plugin: "misbehave", with: { when: { ids: [3, 14, 15] }, do: "fail-permanently" } },
        { name: "boom", plugin: "misbehave", with: { when: { ids: [50] }, do: "segfault" } },
        """
    }
    let run = try sandbox.stagehost("run", "demo.json5", "--quiet")
    guard run.code == 0 else { throw TestFailure(run.errors) }
    return sandbox
}

@Test func `status of a finished job counts every record, with the keys that scripts read`() throws {
    let sandbox = try finishedJob()
    let status = try sandbox.stagehost("status", "demo", "--json").object()
    #expect(status["state"] as? String == "complete")
    #expect(status["job"] as? String == "demo")
    for key in ["rate_per_second", "eta_seconds", "elapsed_seconds", "message"] { #expect(status[key] != nil, "\(key)") }
    let records = try #require(status["records"] as? [String: Any])
    #expect(records.number("read") == 100 && records.number("written") == 96)
    #expect(records.number("filtered") == 0 && records.number("failed") == 4)
    #expect(records.number("at_risk") == 0 && records.number("total") == 100)
    let stages = try #require(status["stages"] as? [[String: Any]])
    #expect(stages.map { $0["name"] as? String } == ["read", "picky", "boom", "write"])
    #expect(stages.map { $0["kind"] as? String } == ["source", "transform", "transform", "sink"])
    #expect(stages.map { $0["state"] as? String } == ["done", "done", "done", "done"])
    #expect(stages.map { $0.number("records_in") } == [100, 100, 97, 96])
    #expect(stages.map { $0.number("records_out") } == [100, 97, 96, 96])
    #expect(stages.map { $0.number("failed") } == [0, 3, 1, 0])
    #expect(stages[2].number("crashes") ?? 0 >= 1)
    for key in [
        "plugin", "workers", "batches", "filtered", "retries", "restarts", "rss_bytes",
    ] { #expect(stages.allSatisfy { $0[key] != nil }, "\(key)") }
    #expect(stages.allSatisfy { $0.number("checkpoint", "batch") ?? 0 >= 10 })
    let words = try sandbox.stagehost("status", "demo").output
    #expect(words.hasPrefix("demo: complete") && words.contains("read 100, written 96, filtered 0, failed 4"))
}

@Test func `status says the same while running, in the host's words, and later, from the logs`() throws {
    let sandbox = try finishedJob()
    let said = try #require(
        try JSONSerialization.jsonObject(with: Data(contentsOf: sandbox.path(".stagehost/demo/status.json"))) as? [String: Any])
    let read = try sandbox.stagehost("status", "demo", "--json").object()
    #expect(Set(said.keys).isSubset(of: read.keys))
    let stagesSaid = try #require(said["stages"] as? [[String: Any]])
    let stagesRead = try #require(read["stages"] as? [[String: Any]])
    for (one, other) in zip(stagesSaid, stagesRead) {
        #expect(Set(one.keys).isSubset(of: other.keys))
        for key in ["batches", "records_in", "records_out", "filtered", "failed", "crashes", "restarts", "retries"] {
            #expect(one.number(key) == other.number(key), "\(key) of \(one["name"] ?? "")")
        }
    }
}

@Test func `checkpoints name the build, the batch and the state of each plugin`() throws {
    let sandbox = try finishedJob()
    let checkpoints = try sandbox.stagehost("checkpoints", "demo", "--json").objects()
    #expect(checkpoints.map { $0["stage"] as? String } == ["read", "picky", "boom", "write"])
    for checkpoint in checkpoints {
        #expect(Set(checkpoint.keys) == ["stage", "plugin", "version", "digest", "batch", "beyond", "bytes", "updated", "state", "origin"])
        #expect((checkpoint["digest"] as? String)?.count == 64)
        #expect(checkpoint["version"] as? String == "1.0.0")
        #expect(checkpoint.number("batch") ?? 0 >= 10 && checkpoint.number("bytes") ?? 0 > 192)
        #expect((checkpoint["beyond"] as? [Any])?.isEmpty == true)
        #expect((checkpoint["updated"] as? String)?.hasSuffix("Z") == true)
    }
    #expect((checkpoints[0]["state"] as? [String: Any])?.number("line") == 100)
    #expect(checkpoints[1].isNull("state"))
    let one = try sandbox.stagehost("checkpoints", "demo", "write", "--json").objects()
    #expect(one.count == 1 && (one[0]["state"] as? [String: Any])?.number("bytes") ?? 0 > 0)
    let none = try sandbox.stagehost("checkpoints", "demo", "wirte")
    #expect(none.code == 64 && none.errors.contains("did you mean \"write\"?"))
}

@Test func `failures lists each dead letter with its evidence and its value`() throws {
    let sandbox = try finishedJob()
    let letters = try sandbox.stagehost("failures", "demo", "--json").lines()
    #expect(letters.count == 4)
    for letter in letters {
        #expect(
            Set(letter.keys) == [
                "letter", "stage", "batch", "index", "key", "category", "signal", "message", "attempts", "at", "digest",
                "backtrace", "value", "history",
            ])
    }
    let crash = try #require(letters.first { $0["category"] as? String == "crash" })
    #expect(crash["stage"] as? String == "boom" && crash["signal"] as? String == "SIGSEGV")
    #expect((crash["backtrace"] as? String)?.contains("SIGSEGV") == true)
    #expect(crash["value"] as? String == "line 51" && crash["key"] as? String == "in.txt:51")
    let permanent = letters.filter { $0["category"] as? String == "permanent" }
    #expect(permanent.map { $0["value"] as? String } == ["line 4", "line 15", "line 16"])
    #expect(permanent.allSatisfy { $0.isNull("signal") && $0.isNull("backtrace") && $0.number("attempts") == 1 })
    #expect(permanent.map { $0.number("batch") } == [1, 2, 2] && permanent.map { $0.number("index") } == [3, 4, 5])
}

@Test func `failures can be filtered, counted in groups and exported`() throws {
    let sandbox = try finishedJob()
    #expect(try sandbox.stagehost("failures", "demo", "--stage", "boom", "--json").lines().count == 1)
    #expect(try sandbox.stagehost("failures", "demo", "--category", "permanent", "--json").lines().count == 3)
    #expect(try sandbox.stagehost("failures", "demo", "--key", "in.txt:15", "--json").lines().count == 1)
    #expect(try sandbox.stagehost("failures", "demo", "--limit", "2", "--json").lines().count == 2)
    #expect(try sandbox.stagehost("failures", "demo", "--crashed-by", "0000", "--json").output.isEmpty)
    let summary = try sandbox.stagehost("failures", "demo", "--summary").output
    #expect(summary.contains("4 dead letters") && !summary.contains("in.txt:15"))
    #expect(summary.split(separator: "\n").contains { $0.contains(" 3  picky  permanent") })
    #expect(try sandbox.stagehost("failures", "demo").output.contains("in.txt:15"))
    let export = try sandbox.stagehost("failures", "demo", "--export", "letters.jsonl")
    #expect(export.code == 0 && export.output.isEmpty)
    let exported = try sandbox.text("letters.jsonl")
    #expect(exported == (try sandbox.stagehost("failures", "demo", "--json").output))
    #expect(try sandbox.stagehost("failures", "demo", "--export", "no/such/folder.jsonl").code == 73)
}

@Test func `jobs lists every job with its state`() throws {
    let sandbox = try finishedJob()
    try sandbox.write(".stagehost/not-a-job/readme.txt", "no")
    let jobs = try sandbox.stagehost("jobs", "--json").objects()
    #expect(jobs.count == 1)
    let job = try #require(jobs.first)
    #expect(job["job"] as? String == "demo" && job["state"] as? String == "complete")
    #expect(job.number("read") == 100 && job.number("written") == 96 && job.number("failed") == 4)
    #expect(job["pipeline"] as? String == "demo.json5" && (job["updated"] as? String)?.hasSuffix("Z") == true)
    #expect(try sandbox.stagehost("jobs").output.contains("demo  complete"))
    #expect(try sandbox.stagehost("jobs", "--state-dir", "elsewhere", "--json").objects().isEmpty)
}

@Test func `events are the lines of the file, or one line each for people`() throws {
    let sandbox = try finishedJob()
    let events = try sandbox.stagehost("events", "demo", "--json")
    #expect(events.output == (try sandbox.text(".stagehost/demo/events.jsonl")))
    let names = Set(try events.lines().compactMap { $0["event"] as? String })
    #expect(names.isSuperset(of: ["job_started", "stage_started", "record_failed", "worker_crashed", "poison_found", "job_finished"]))
    #expect(try events.lines().allSatisfy { $0["at"] != nil && $0["stage"] != nil })
    let ofOne = try sandbox.stagehost("events", "demo", "--stage", "boom", "--json").lines()
    #expect(!ofOne.isEmpty && ofOne.allSatisfy { $0["stage"] as? String == "boom" })
    let words = try sandbox.stagehost("events", "demo").output
    #expect(words.split(separator: "\n").count == (try events.lines().count))
    // Nobody runs the job: there is nothing to wait for.
    #expect(try sandbox.stagehost("events", "demo", "--follow").output == words)
}

@Test func `logs shows what a plugin wrote, the older file first`() throws {
    let sandbox = try finishedJob()
    #expect(try sandbox.stagehost("logs", "demo", "boom").output.contains("SIGSEGV"))
    #expect(try sandbox.stagehost("logs", "demo", "read").output.isEmpty)
    try sandbox.write(".stagehost/demo/text/read.log.1", "one\ntwo\n")
    try sandbox.write(".stagehost/demo/text/read.log", "three\nfour")
    #expect(try sandbox.stagehost("logs", "demo", "read").output == "one\ntwo\nthree\nfour")
    #expect(try sandbox.stagehost("logs", "demo", "read", "--lines", "1").output == "four")
    #expect(try sandbox.stagehost("logs", "demo", "read", "--lines", "3").output == "two\nthree\nfour")
    #expect(try sandbox.stagehost("logs", "demo", "read", "--lines", "0").output.isEmpty)
    try sandbox.write(".stagehost/demo/text/read.log", "three\nfour\n")
    #expect(try sandbox.stagehost("logs", "demo", "read", "--lines", "2", "--follow").output == "three\nfour\n")
}

@Test func `a job that is not there is named, with those that are`() throws {
    let sandbox = try finishedJob()
    for command in ["status", "checkpoints", "failures", "events", "verify", "remove", "resume"] {
        let ended = try sandbox.stagehost(command, "demp")
        #expect(ended.code == 66, "\(command)")
        #expect(ended.errors.contains("there is no job \"demp\"") && ended.errors.contains("did you mean \"demo\"?"))
    }
    #expect(try sandbox.stagehost("status", "../.stagehost/demo").code == 66)
}

@Test func `resume of a finished job says so, and remove takes the job and nothing else`() throws {
    let sandbox = try finishedJob()
    let resumed = try sandbox.stagehost("resume", "demo")
    #expect(resumed.code == 0 && resumed.output.contains("complete, nothing to do"))
    try sandbox.write(".stagehost/other/readme.txt", "no job")
    #expect(try sandbox.stagehost("remove", "other").code == 66)
    #expect(FileManager.default.fileExists(atPath: sandbox.path(".stagehost/other/readme.txt").path))
    #expect(try sandbox.stagehost("remove", "demo").code == 0)
    #expect(!FileManager.default.fileExists(atPath: sandbox.path(".stagehost/demo").path))
    #expect(FileManager.default.fileExists(atPath: sandbox.path("out.txt").path))
}
