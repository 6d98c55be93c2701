import Foundation
import Testing

/// Events, metrics and reports against what the job says of itself.
@Suite struct ReportTests {
    /// Crashes, failures of two kinds, filtered records; killed in the middle and taken up again.
    private static func troubled(_ options: String = "") throws -> Job {
        try Job(
            600,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(#"do: "segfault", when: { ids: [41, 310] }"#, #"restart: { max: 100, backoff: "1ms" }"#, name: "crash"),
                Stages.misbehave(#"do: "fail-permanently", when: { ids: [7, 77, 377] }, each_ms: 3"#, name: "fail"),
                Stages.misbehave(#"do: "fail-transiently", when: { ids: [50] }"#, #"retry: { attempts: 2, backoff: "1ms" }"#, name: "again"),
                #"{ name: "pick", plugin: "keep", with: { json: "/cents", max: 79 } }"#, Stages.write,
                options: "batch: { records: 20 }, sync: \"20ms\", \(options)"))
    }

    @Test func theReportOfATroubledJobSaysWhatStatusAndEventsSay() throws {
        let job = try Self.troubled(#"metrics: "out/job.prom","#)
        try FileManager.default.createDirectory(atPath: job.path("out"), withIntermediateDirectories: true)
        let host = try job.start()
        try host.until("a third is written") { job.outputKeys().count > 100 }
        host.killHard()
        let ended = try job.run()
        try #require(ended.code == 0, "\(ended.output)")

        let status = try #require(jsonObject(try job.command("status", "job", "--json").output))
        let report = try #require(jsonObject(String(decoding: job.data(".stagehost/job/report.json"), as: UTF8.self)))
        let told = try #require(report["status"] as? [String: Any])
        #expect(told["state"] as? String == "complete")
        #expect(told["records"] as? [String: Int] == status["records"] as? [String: Int])
        let stages = try #require(status["stages"] as? [[String: Any]])
        let reported = try #require(told["stages"] as? [[String: Any]])
        for (stage, same) in zip(stages, reported) {
            for key in ["name", "records_in", "records_out", "filtered", "failed", "retries", "crashes", "restarts", "batches"] {
                #expect(stage[key] as? NSObject == same[key] as? NSObject, "\(stage["name"] ?? "").\(key)")
            }
        }

        // The events, counted.
        for (stage, seen) in zip(stages, try #require(report["stages"] as? [[String: Any]])) {
            let name = stage["name"] as? String
            func count(_ event: String) -> Int { job.events(event).count { $0["stage"] as? String == name } }
            #expect(count("worker_crashed") == stage["crashes"] as? Int, "\(name ?? "")")
            #expect(count("worker_restarted") == stage["restarts"] as? Int, "\(name ?? "")")
            let deaths = try #require(seen["deaths"] as? [String: Int])
            #expect(deaths.values.reduce(0, +) == stage["crashes"] as? Int)
        }
        #expect(job.events("job_started").count == 1 && job.events("job_resumed").count == 1)
        let runs = try #require(report["runs"] as? [[String: Any]])
        #expect(runs.count == 2 && runs[0]["state"] is NSNull && runs[1]["state"] as? String == "complete")

        // What the resume saved is what the logs had when it began.
        let notAgain = try #require(runs[1]["not_run_again"] as? [String: Int])
        let recovered = job.events("checkpoint_recovered").reduce(into: [String: Int]()) { sums, event in
            sums[event["stage"] as? String ?? ""] = event["records"] as? Int
        }
        #expect(notAgain == recovered && notAgain["fail"] ?? 0 > 0)
        let saved = try #require((report["saved"] as? [String: Any])?["records"] as? [String: Int])
        #expect(saved == notAgain)

        // The dead letters by category.
        let letters = try job.letters()
        let failures = try #require(report["failures"] as? [String: Any])
        let byCategory = letters.values.reduce(into: [String: Int]()) { $0[$1["category"] as? String ?? "", default: 0] += 1 }
        #expect(failures["by_category"] as? [String: Int] == byCategory)
        #expect(byCategory == ["crash": 2, "permanent": 3, "transient": 1])
        #expect(failures["total"] as? Int == (status["records"] as? [String: Any])?["failed"] as? Int)

        // The same, asked for later.
        let later = try #require(jsonObject(try job.command("report", "job", "--json").output))
        #expect((later["failures"] as? [String: Any])?["by_category"] as? [String: Int] == byCategory)
        #expect((later["runs"] as? [[String: Any]])?.count == 2)
        let words = try job.command("report", "job").output
        #expect(words.contains("job: complete") && words.contains("a resume saved") && words.contains("SIGSEGV"))

        // And in the metrics.
        let metrics = String(decoding: job.data("out/job.prom"), as: UTF8.self)
        #expect(metrics.contains("stagehost_job_state{job=\"job\",state=\"complete\"} 1\n"))
        for stage in stages {
            let labels = "{job=\"job\",stage=\"\(stage["name"] as? String ?? "")\"}"
            #expect(metrics.contains("stagehost_stage_records_in\(labels) \(stage["records_in"] as? Int ?? -1)\n"))
            #expect(metrics.contains("stagehost_stage_crashes_total\(labels) \(stage["crashes"] as? Int ?? -1)\n"))
        }
        #expect(metrics.contains("stagehost_records_written_total{job=\"job\"} \(job.outputKeys().count)\n"))
        // An hour later there is no host to ask.
        #expect(try job.command("metrics", "job").output.contains("stagehost_stage_crashes_total{job=\"job\",stage=\"crash\"} "))
    }

    @Test func everyOutcomeIsListedWhenAskedFor() throws {
        let job = try Self.troubled(#"log_records: "all","#)
        #expect(try job.run().code == 0)
        let status = try #require(jsonObject(try job.command("status", "job", "--json").output))
        for stage in try #require(status["stages"] as? [[String: Any]]) {
            let name = stage["name"] as? String ?? ""
            let done = job.events("record_done").filter { $0["stage"] as? String == name }
            let failed = job.events("record_failed").filter { $0["stage"] as? String == name }
            let filtered = done.filter { $0["outcome"] as? String == "filtered" }
            #expect(filtered.count == stage["filtered"] as? Int, "\(name)")
            #expect(failed.count == stage["failed"] as? Int, "\(name)")
            #expect(done.count + failed.count == stage["records_in"] as? Int, "\(name)")
            let records = Set(done.map { "\($0["batch"] ?? 0)/\($0["index"] ?? 0)" })
            #expect(records.count == done.count, "\(name): each record once")
            for event in done + failed {
                #expect(event["worker"] is Int && event["duration_ms"] is NSNumber)
                #expect(event["attempt"] is Int || event["attempts"] is Int)
            }
        }
        // The record that was in hand beside one that kills had another attempt.
        #expect(job.events("record_done").contains { $0["stage"] as? String == "fail" && $0["attempt"] as? Int == 1 })
    }

    @Test func noOutcomeIsListedWhenNoneIsWanted() throws {
        let job = try Self.troubled(#"log_records: "none","#)
        #expect(try job.run().code == 0)
        for event in ["record_done", "record_failed", "record_retried"] { #expect(job.events(event).isEmpty, "\(event)") }
        #expect(!job.events("poison_found").isEmpty)
    }

    @Test func tenThousandRecordsCostAboutAHundredLinesOfAStage() throws {
        let job = try Job(10_000, Stages.pipeline(Stages.read, Stages.misbehave("", name: "pass"), Stages.write, options: "batch: { records: 10 },"))
        #expect(try job.run().code == 0)
        for stage in ["read", "pass", "write"] {
            let lines = job.events("batch_committed").filter { $0["stage"] as? String == stage }
            #expect((1...110).contains(lines.count), "\(stage): \(lines.count)")
            #expect(lines.reduce(0) { $0 + ($1["batches"] as? Int ?? 0) } >= 1_000)
            #expect(lines.reduce(0) { $0 + ($1["records"] as? Int ?? 0) } == 10_000)
        }
    }

    @Test func noSecretGetsIntoAReport() throws {
        let job = try Job(
            10,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(#"do: "sleep", ms: 1"#, name: "pass"),
                Stages.write, options: #"description: "https://me:hunter2@example.org/","#))
        #expect(try job.run().code == 0)
        for file in ["report.json", "report.html"] {
            let text = String(decoding: job.data(".stagehost/job/\(file)"), as: UTF8.self)
            #expect(text.contains("https://me:…@example.org/") && !text.contains("hunter2"))
        }
    }

    @Test func thePageNeedsNothingElseAndBreaksOnNothing() throws {
        let job = try Job(
            20,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "fail-permanently", when: { ids: [3] }"#, name: "fail"), Stages.write,
                options: #"description: "<script>alert(1)</script>","#))
        #expect(try job.run().code == 0)
        let page = String(decoding: job.data(".stagehost/job/report.html"), as: UTF8.self)
        #expect(page.hasPrefix("<!doctype html>") && page.contains("default-src 'none'"))
        #expect(!page.contains("<script") && !page.contains("src=") && !page.contains("href="))
        #expect(page.contains("&lt;script&gt;"))
        let other = try job.command("report", "job", "--html", "other.html")
        #expect(other.code == 0 && other.output.isEmpty)
        #expect(String(decoding: job.data("other.html"), as: UTF8.self).hasPrefix("<!doctype html>"))
    }

    @Test(.enabled(if: Programs.find("promtool") != nil, "promtool is not here: install Debian's prometheus to have the metrics checked"))
    func promtoolAcceptsTheMetrics() throws {
        let job = try Self.troubled(#"metrics: "job.prom","#)
        #expect(try job.run().code == 0)
        let promtool = try #require(Programs.find("promtool"))
        let checked = try Programs.run("/bin/sh", ["-c", "\(promtool) check metrics < \(job.path("job.prom"))"])
        #expect(checked.code == 0 && checked.output.isEmpty, "\(checked.output)")
    }

    @Test func aReportIsThereWhileAJobRunsAndWhenItsHostWasKilled() throws {
        let job = try Self.troubled()
        let host = try job.start()
        try host.until("a crash") { !job.events("worker_crashed").isEmpty }
        let living = try job.command("report", "job")
        #expect(living.code == 0 && living.output.hasPrefix("job: running"))
        #expect(try job.command("metrics", "job", "--openmetrics").output.hasSuffix("# EOF\n"))
        host.killHard()
        let killed = try job.command("report", "job")
        #expect(killed.output.hasPrefix("job: interrupted") && killed.output.contains("SIGSEGV"))
        // Deaths that the history had no time to write down are in the events.
        let report = try #require(jsonObject(try job.command("report", "job", "--json").output))
        let deaths = try #require((report["stages"] as? [[String: Any]])?.compactMap { $0["deaths"] as? [String: Int] })
        #expect(deaths.flatMap(\.values).reduce(0, +) == job.events("worker_crashed").count)
    }
}
