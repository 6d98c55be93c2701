import LinuxIO

/// How long it takes to do nothing.
enum StartBenchmark {
    static let benchmark = Benchmark(
        name: "start",
        abstract: "start-up to exit of an empty job",
        details: """
            `stagehost run` of a new job whose input is an empty file, from its start to its exit: with two stages (source and
            sink), and with three more between them. Beside it, in the same rounds, a bare posix_spawn and wait of /bin/true.
            """,
        options: [.number("rounds", 30, "rounds that count")],
        example: "stagehost-bench start --rounds 50",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let empty = setting.scratch.file("empty.jsonl")
        try onSystem { () throws(SystemError) in try writeFileAtomically(empty, [], durable: false) }
        func job(_ name: String, stages: Int) -> Job {
            Job.lines(
                name, from: empty, to: setting.scratch.file("nothing.jsonl"),
                through: (0..<stages).map { Job.Stage.bench("pass\($0)", setting) })
        }
        let jobs: [Job?] = [nil, job("two", stages: 0), job("five", stages: 3)]
        let names = ["/bin/true", "empty job, 2 stages", "empty job, 5 stages"]
        let samples = try Rounds.run(try setting.values.number("rounds"), variants: names) {
            index throws(BenchError) -> Child.Usage in
            guard let job = jobs[index] else {
                return try Child.start(["/bin/true"], in: setting.scratch).wait()
            }
            return try job.run(setting)
        }
        var table = ResultTable(
            "start to exit", subject: "what", Milliseconds.columns + [.init("cpu_p50_ms", "cpu p50 ms", digits: 3)])
        let base = samples[0].map { $0.seconds * 1000 }
        for (name, usages) in zip(names, samples) {
            let processor = Statistics.median(usages.map { $0.processorSeconds * 1000 })
            table.add(name, Milliseconds.cells(usages.map { $0.seconds * 1000 }, base: base) + [processor])
        }
        table.remarks = ["cpu: of host and workers together; a busy machine and a slow disk lengthen the wall time only"]
        return [table]
    }
}
