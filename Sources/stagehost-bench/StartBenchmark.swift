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
            index throws(BenchError) -> Double in
            guard let job = jobs[index] else {
                return try Child.start(["/bin/true"], in: setting.scratch).wait().seconds * 1000
            }
            return try job.run(setting).seconds * 1000
        }
        var table = ResultTable("start to exit", subject: "what", Milliseconds.columns)
        for (name, values) in zip(names, samples) { table.add(name, Milliseconds.cells(values, base: samples[0])) }
        return [table]
    }
}
