import CBench
import StageConfig

/// From `run` again to the first batch, after `kill -9` of the host.
enum ResumeBenchmark {
    static let benchmark = Benchmark(
        name: "resume",
        abstract: "kill -9 of the host, then run again to the first batch, with many batches behind it",
        details: """
            A job of two durable stages runs until it is nine tenths done; then the host is killed, and `stagehost run` started
            again: what counts is the time from there until the first stage has begun a batch, by its own note. Killed again, and
            so on; at last the job comes to its end, its output is checked, and `run` of the complete job is timed.
            """,
        options: [
            .number("records", 1_000_000, "documents"), .number("batch", 100, "records in a batch"),
            .number("rounds", 10, "kills"),
            Option(name: "short", value: nil, fallback: "", meaning: "documents of an id alone, for very many of them"),
        ],
        example: "stagehost-bench resume --records 200000 --rounds 5",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let documents = try Documents(
            try setting.values.number("records"), short: setting.values.isSet("short"), in: setting.scratch)
        let batch = try setting.values.number("batch")
        let rounds = try setting.values.number("rounds")
        let page = try ClockPage(setting.scratch.file("clock"))
        let output = setting.scratch.file("passed.jsonl")
        var job = Job.lines(
            "resume", from: documents.path, to: output,
            through: [.bench("first", setting, with: [("page", .string(page.path))]), .bench("second", setting)])
        job.batch = batch
        let enough = UInt64(documents.count / batch) * 9 / 10
        Console.say("running up to batch \(enough)")
        var host = try job.start(setting)
        guard page.wait(while: host, for: { $0.last.flatMap { $0.batch >= enough ? $0.batch : nil } }) != nil else {
            throw .failed("resume: the job did not come to batch \(enough): \(job.words(setting))")
        }
        var times: [Double] = []
        for round in 1...rounds {
            Console.say("kill \(round) of \(rounds)")
            host.kill()
            _ = try host.wait()
            let from = page.count
            let before = page.last?.pid
            host = try job.start(setting, fresh: false)
            let first = page.wait(while: host) { page -> cbench_mark? in
                (from..<max(from, page.count)).lazy.map { page[$0] }.first { $0.pid != before && $0.begun == 1 }
            }
            guard let first else { break }
            times.append(Double(first.nanoseconds - host.begun) / 1e6)
        }
        guard !times.isEmpty else { throw .failed("resume: no batch was begun after a kill: \(job.words(setting))") }
        _ = try job.finished(try host.wait(), setting)
        try documents.check(output, keepsAll: true)
        var complete: [Double] = []
        for _ in 0..<rounds { complete.append(try job.run(setting, fresh: false).seconds * 1000) }
        var table = ResultTable(
            "\(documents.count) documents, batches of \(batch), \(enough) batches behind it", subject: "what", Milliseconds.columns)
        table.add("run again to the first batch", Milliseconds.cells(times, base: times))
        table.add("run of the complete job", Milliseconds.cells(complete, base: times))
        table.remarks = ["after all kills: nothing missing, nothing twice"]
        return [table]
    }
}
