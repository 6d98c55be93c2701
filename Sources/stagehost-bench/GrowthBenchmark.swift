import StageConfig

/// How the cost grows with stages and workers.
enum GrowthBenchmark {
    static let benchmark = Benchmark(
        name: "growth",
        abstract: "how the cost grows: 1 to 16 stages, 1 to 16 workers of a stage that waits",
        details: """
            Stages: records from memory through so many stages that pass them on (not durable); what counts is the processor time
            of all processes for one batch at one stage, which should stay the same. Workers: one stage that sleeps for each
            batch, as one does that waits for a service; with n workers it should be n times as fast, with many batches in flight.
            """,
        options: [
            .numbers("stages", "1,2,4,8,16", "stages between source and sink, one row each"),
            .numbers("workers", "1,2,4,8,16", "workers of the sleeping stage, one row each"),
            .number("records", 100_000, "records through the stages"), .number("batch", 100, "records in a batch"),
            .number("sleep", 10, "milliseconds for a batch"), .number("sleeping-batches", 200, "batches for one worker; twice as many for two"),
        ],
        example: "stagehost-bench growth --stages 1,16 --workers 1,16",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        [try stages(setting), try workers(setting)]
    }

    private static func stages(_ setting: Setting) throws(BenchError) -> ResultTable {
        let (records, batch) = (try setting.values.number("records"), try setting.values.number("batch"))
        var table = ResultTable(
            "\(records) records of 300 bytes, batches of \(batch)", subject: "stages",
            [
                .init("wall_seconds", "wall s", digits: 3), .init("records_per_second", "records/s", digits: 0),
                .init("cpu_microseconds", "cpu us a batch and stage", digits: 1), .init("ratio_to_first", "to first"),
            ])
        var first: Double?
        for count in try setting.values.numbers("stages") {
            Console.say("\(count) stages")
            let passing = (0..<count).map { Job.Stage.bench("pass\($0)", setting, durable: false) }
            var job = Job.memory("stages\(count)", records: records, bytes: 300, through: passing, setting)
            job.batch = batch
            let usage = try job.run(setting)
            // Source and sink are work, too.
            let each = usage.processorSeconds / Double((records + batch - 1) / batch) / Double(count + 2) * 1e6
            first = first ?? each
            table.add("\(count)", [usage.seconds, Double(records) / usage.seconds, each, each / (first ?? each)])
        }
        return table
    }

    private static func workers(_ setting: Setting) throws(BenchError) -> ResultTable {
        let milliseconds = try setting.values.number("sleep")
        let each = try setting.values.number("sleeping-batches")
        var table = ResultTable(
            "a stage that sleeps \(milliseconds) ms for each batch of 10", subject: "workers",
            [
                .init("wall_seconds", "wall s", digits: 3), .init("batches_per_second", "batches/s", digits: 0),
                .init("ratio_to_ideal", "of n times one", digits: 2),
            ])
        var one: Double?
        for count in try setting.values.numbers("workers") {
            Console.say("\(count) workers")
            let stage = Job.Stage.bench(
                "wait", setting, with: [("sleep_us", .integer(Int64(milliseconds) * 1000))], durable: false, workers: count)
            let batches = each * count
            var job = Job.memory("workers\(count)", records: batches * 10, bytes: 300, through: [stage], setting)
            job.batch = 10
            let rate = Double(batches) / (try job.run(setting)).seconds
            one = one ?? rate / Double(count)
            table.add("\(count)", [Double(batches) / rate, rate, rate / ((one ?? rate) * Double(count))])
        }
        return table
    }
}
