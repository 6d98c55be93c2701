import Glibc
import LinuxIO
import StageConfig

/// What records that are tried again cost those that are not.
enum RetriesBenchmark {
    static let benchmark = Benchmark(
        name: "retries",
        abstract: "what records that fail once and wait for their second try cost a job",
        details: """
            A stage that takes a millisecond for each record, between read-lines and write-lines: by itself, and with a share of the records
            failing the first time, each to be tried again after a second. Ratio: of the wall times in the same round, the median over
            the rounds. A record that waits idles no worker; what remains is the last wait, and the requests of one record each.
            """,
        options: [
            .number("records", 20_000, "records"), .number("percent", 5, "how many of a hundred fail once"),
            .number("each-ms", 1, "milliseconds that a record takes"), .number("backoff-ms", 1_000, "milliseconds until the second try"),
            .number("batch", 100, "records in a batch"), .number("rounds", 3, "rounds that count"),
        ],
        example: "stagehost-bench retries --records 5000 --rounds 3",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let documents = try Documents(try setting.values.number("records"), short: true, in: setting.scratch)
        let percent = try setting.values.number("percent")
        let each = try setting.values.number("each-ms")
        let backoff = try setting.values.number("backoff-ms")
        let output = setting.scratch.file("tried.jsonl")
        let memory = setting.scratch.file("failed.txt")
        func job(_ name: String, with: [(String, JSONValue)]) throws(BenchError) -> Job {
            var stage = Job.Stage(name: "slow", plugin: "misbehave", with: [("each_ms", .integer(Int64(each)))] + with)
            stage.retry = [("backoff", .string("\(backoff)ms")), ("factor", .integer(1)), ("jitter", .integer(0))]
            var job = Job.lines(name, from: documents.path, to: output, through: [stage])
            job.batch = try setting.values.number("batch")
            return job
        }
        let failing: [(String, JSONValue)] = [
            ("do", .string("fail-transiently")),
            (
                "when",
                .object([
                    .init("probability", .number(Double(percent) / 100)), .init("seed", .integer(7)), .init("times", .integer(1)),
                    .init("memory", .string(memory)),
                ])
            ),
        ]
        let names = ["none fails", "\(percent) % fail once"]
        let jobs = [try job("calm", with: []), try job("failing", with: failing)]
        let samples = try Rounds.run(try setting.values.number("rounds"), variants: names) {
            index throws(BenchError) -> Child.Usage in
            _ = unsafe unlink(memory)
            let usage = try jobs[index].run(setting)
            try documents.check(output, keepsAll: true)
            return usage
        }
        var table = ResultTable(
            "\(documents.count) records of \(each) ms, a second try after \(backoff) ms, batches of \(jobs[0].batch)", subject: "records",
            [
                .init("wall_seconds", "wall s", digits: 3), .init("ratio", "ratio", digits: 3), .init("spread_percent", "spread %", digits: 1),
                .init("cpu_seconds", "cpu s", digits: 3),
            ])
        let base = samples[0].map(\.seconds)
        for (name, usages) in zip(names, samples) {
            let seconds = usages.map(\.seconds)
            table.add(
                name,
                [
                    Statistics.median(seconds), Statistics.ratio(seconds, to: base), Statistics.spread(seconds) * 100,
                    Statistics.median(usages.map(\.processorSeconds)),
                ])
        }
        table.remarks = ["every output: nothing missing, nothing twice"]
        return [table]
    }
}
