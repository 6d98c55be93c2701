import CBench

/// Whether the host's memory grows with the work.
enum MemoryBenchmark {
    static let benchmark = Benchmark(
        name: "memory",
        abstract: "peak memory of the host, by number of records",
        details: """
            The greatest resident memory that the host ever had (VmHWM of its process, looked at until it ends), for a pipeline
            of read-lines, two durable stages that pass every record on, and write-lines.
            """,
        options: [
            .numbers("records", "10000,100000,1000000", "documents, one row each"), .number("batch", 100, "records in a batch"),
            Option(name: "short", value: nil, fallback: "", meaning: "documents of an id alone, for very many of them"),
        ],
        example: "stagehost-bench memory --records 10000,100000",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let batch = try setting.values.number("batch")
        var table = ResultTable(
            "batches of \(batch)", subject: "records",
            [
                .init("peak_mebibytes", "peak MiB", digits: 1), .init("ratio_to_first", "to first"),
                .init("records_per_second", "records/s", digits: 0),
            ])
        var first: Double?
        for count in try setting.values.numbers("records") {
            Console.say("\(count) records")
            let documents = try Documents(count, short: setting.values.isSet("short"), in: setting.scratch)
            let output = setting.scratch.file("passed.jsonl")
            var job = Job.lines(
                "memory", from: documents.path, to: output,
                through: [.bench("first", setting), .bench("second", setting)])
            job.batch = batch
            let host = try job.start(setting)
            var peak: UInt64 = 0
            while !host.hasEnded {
                peak = max(peak, cbench_peak_memory(host.pid))
                cbench_pause(2_000_000)
            }
            let usage = try job.finished(try host.wait(), setting)
            try documents.check(output, keepsAll: true)
            let mebibytes = Double(peak) / 1_048_576
            first = first ?? mebibytes
            table.add("\(count)", [mebibytes, mebibytes / (first ?? mebibytes), Double(count) / usage.seconds])
        }
        return [table]
    }
}
