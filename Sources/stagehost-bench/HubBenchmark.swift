/// How much the host moves, by size of batches and records.
enum HubBenchmark {
    static let benchmark = Benchmark(
        name: "hub",
        abstract: "how much the host moves, by batch and record size, with and without logs, beside a C program with plain pipes",
        details: """
            Records from memory, two stages that pass them on, a sink that counts them: stagehost without and with logs, and a C
            program of the same topology that moves the same bytes through plain pipes, without records, validation,
            checksums and logs (Sources/CBench/native/hub.c). So that every case takes about as long, each moves --megabytes, but
            not more batches than --batches.
            """,
        options: [
            .numbers("batch", "10,100,1000", "records in a batch"), .numbers("record", "300,3000", "bytes in a value"),
            .number("megabytes", 300, "keys and values to move"), .number("batches", 20_000, "batches at most"),
            .number("rounds", 3, "rounds that count"),
        ],
        example: "stagehost-bench hub --batch 1000 --record 300 --rounds 5",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        var table = ResultTable(
            "source, two stages, sink", subject: "case",
            [
                .init("batches_per_second", "batches/s", digits: 0), .init("megabytes_per_second", "MB/s", digits: 0),
                .init("cpu_microseconds", "cpu us a batch", digits: 1), .init("ratio_to_c", "wall : C", digits: 2),
            ])
        for record in try setting.values.numbers("record") {
            for batch in try setting.values.numbers("batch") { try add(to: &table, batch: batch, record: record, setting) }
        }
        return [table]
    }

    private static func add(to table: inout ResultTable, batch: Int, record: Int, _ setting: Setting) throws(BenchError) {
        let wanted = try setting.values.number("megabytes") * 1_000_000 / (batch * record)
        let batches = max(50, min(wanted, try setting.values.number("batches")))
        func job(_ name: String, durable: Bool) -> Job {
            let stages = ["first", "second"].map { Job.Stage.bench($0, setting, durable: durable) }
            var job = Job.memory(name, records: batches * batch, bytes: record, through: stages, setting)
            job.batch = batch
            return job
        }
        let jobs: [Job?] = [nil, job("plain", durable: false), job("durable", durable: true)]
        let names = ["C, plain pipes", "stagehost, no logs", "stagehost, logs, sync 200ms"].map { "\(batch) x \(record) B: \($0)" }
        let samples = try Rounds.run(try setting.values.number("rounds"), variants: names) {
            index throws(BenchError) -> Child.Usage in
            if let job = jobs[index] { return try job.run(setting) }
            let words = [setting.programs.native, "hub", "2", "\(batch)", "\(record)", "\(batches)"]
            let usage = try Child.start(words, in: setting.scratch, error: 2).wait()
            guard usage.status == 0 else { throw .failed("hub: found exit \(usage.status), expected 0") }
            return usage
        }
        let base = samples[0].map(\.seconds)
        for (name, usages) in zip(names, samples) {
            let median = Statistics.median(usages.map(\.seconds))
            let processor = Statistics.median(usages.map(\.processorSeconds))
            table.add(
                name,
                [
                    Double(batches) / median, Double(batches * batch * record) / median / 1e6, processor / Double(batches) * 1e6,
                    Statistics.ratio(usages.map(\.seconds), to: base),
                ])
        }
    }
}
