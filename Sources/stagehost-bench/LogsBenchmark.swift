import CBench
import StageConfig

/// What durable logs cost.
enum LogsBenchmark {
    static let benchmark = Benchmark(
        name: "logs",
        abstract: "what durable logs cost, by batch size, sync policy and the work of the stages",
        details: """
            The same pipeline (read-lines, two stages that pass every record on, write-lines) with the two stages durable, under
            each sync policy, beside the two with durable: false. The first of the two may spend processor time on each record.
            Overhead: by how much the wall time grows, as the median over the rounds.
            """,
        options: [
            .number("records", 200_000, "documents"), .number("slow-records", 20_000, "documents when each takes time"),
            .numbers("batch", "100,1000", "records in a batch"), .number("spend", 50, "microseconds for each record in the slow case"),
            .number("rounds", 5, "rounds that count"),
        ],
        example: "stagehost-bench logs --records 100000 --batch 100 --rounds 3",
        run: run)

    private static let policies = ["200ms", "batch", "never"]

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        var tables: [ResultTable] = []
        let spend = try setting.values.number("spend")
        for (microseconds, option) in [(0, "records"), (spend, "slow-records")] {
            for batch in try setting.values.numbers("batch") {
                let documents = try Documents(try setting.values.number(option), in: setting.scratch)
                tables.append(try table(setting, documents, batch: batch, microseconds: microseconds))
            }
        }
        return tables
    }

    private static func table(
        _ setting: Setting, _ documents: Documents, batch: Int, microseconds: Int
    ) throws(BenchError) -> ResultTable {
        let output = setting.scratch.file("passed.jsonl")
        func job(durable: Bool, sync: String) -> Job {
            let first = Job.Stage.bench("first", setting, with: [("spend_us", .integer(Int64(microseconds)))], durable: durable)
            let second = Job.Stage.bench("second", setting, durable: durable)
            var job = Job.lines(
                "\(durable ? "durable" : "plain")-\(sync)", from: documents.path, to: output, through: [first, second])
            job.batch = batch
            job.sync = sync
            return job
        }
        let jobs = [job(durable: false, sync: "200ms")] + policies.map { job(durable: true, sync: $0) }
        let names = ["durable: false"] + policies.map { "durable, sync \($0)" }
        let samples = try Rounds.run(try setting.values.number("rounds"), variants: names) { index throws(BenchError) in
            let usage = try jobs[index].run(setting)
            try documents.check(output, keepsAll: true)
            return usage
        }
        let work = microseconds == 0 ? "stages that only pass on" : "a stage that spends \(microseconds) us a record"
        var table = ResultTable(
            "\(documents.count) documents, batches of \(batch), \(work)", subject: "the two stages",
            [
                .init("wall_seconds", "wall s", digits: 3), .init("cpu_seconds", "cpu s", digits: 3),
                .init("records_per_second", "records/s", digits: 0), .init("overhead_percent", "overhead %", digits: 1),
                .init("spread_percent", "spread %", digits: 1),
            ])
        let base = samples[0].map(\.seconds)
        for (name, usages) in zip(names, samples) {
            let seconds = usages.map(\.seconds)
            let median = Statistics.median(seconds)
            table.add(
                name,
                [
                    median, Statistics.median(usages.map(\.processorSeconds)), Double(documents.count) / median,
                    (Statistics.ratio(seconds, to: base) - 1) * 100, Statistics.spread(seconds) * 100,
                ])
        }
        return table
    }
}
