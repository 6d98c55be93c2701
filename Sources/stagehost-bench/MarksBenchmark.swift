import StageReport

/// All marks in one run, as a table for the documentation.
enum MarksBenchmark {
    static let benchmark = Benchmark(
        name: "all",
        abstract: "every mark, measured one after the other, as a table in Markdown",
        details: """
            Runs the other benchmarks with sizes that fit into some minutes, and says of each mark what was found, what is to be
            reached, and the command that measures it alone. On a machine that does other things the ratios hold better than the times.
            """,
        options: [
            .number("percent", 100, "how much of each benchmark: less is quicker and less certain"),
            Option(name: "install", value: nil, fallback: "", meaning: "get the peers that can be had by pip"),
        ],
        example: "stagehost-bench all --percent 20",
        run: run)

    /// A mark: where its figure is found, and what it is to be.
    private struct Mark {
        var name: String
        var unit = ""
        var digits = 2
        var limit: Double
        /// The figure is to be at least the limit, not at most.
        var atLeast = false
        var figure: ([ResultTable]) -> Double?
    }

    private struct Part {
        var benchmark: Benchmark
        var words: [String]
        var marks: [Mark]
    }

    private static let cheap = "stagehost, steps without logs"
    private static let durable = "stagehost, every stage durable"
    private static let bytewax = "Bytewax, a snapshot every second"

    private static func parts(_ percent: Int, installs: Bool) -> [Part] {
        func share(_ number: Int, atLeast least: Int) -> String { "\(max(least, number * percent / 100))" }
        return [
            Part(
                benchmark: ReferenceBenchmark.benchmark, words: ["--records", share(1_000_000, atLeast: 50_000), "--rounds", "3"],
                marks: [
                    Mark(name: "reference job, steps without logs : pipe of native programs", limit: 1) { $0[0].value(cheap, "ratio_to_pipe") },
                    Mark(name: "reference job, every stage durable : pipe of native programs", limit: .infinity) {
                        $0[0].value(durable, "ratio_to_pipe")
                    },
                    Mark(name: "speed of the C prototype that is reached", unit: " %", digits: 0, limit: 60, atLeast: true) {
                        guard let prototype = $0[0].value("C prototype", "wall_seconds"), let ours = $0[0].value(cheap, "wall_seconds")
                        else { return nil }
                        return prototype / ours * 100
                    },
                ]),
            Part(
                benchmark: PeersBenchmark.benchmark,
                words: ["--records", share(200_000, atLeast: 20_000), "--only", "parallel,executor,bytewax"] + (installs ? ["--install"] : []),
                marks: [
                    Mark(name: "Bytewax : steps without logs", limit: 8, atLeast: true) { $0[0].value(bytewax, "ratio_to_stagehost") },
                    Mark(name: "Bytewax : every stage durable", limit: 4, atLeast: true) { $0[0].value(bytewax, "ratio_to_durable") },
                ]),
            Part(
                benchmark: LogsBenchmark.benchmark,
                words: ["--records", share(200_000, atLeast: 20_000), "--slow-records", share(20_000, atLeast: 4_000), "--rounds", "3"],
                marks: [
                    Mark(name: "logs at batch 100, sync 200ms, stages that pass on", unit: " %", digits: 1, limit: 10) {
                        $0[0].value("durable, sync 200ms", "overhead_percent")
                    },
                    Mark(name: "the same, 50 us a record", unit: " %", digits: 1, limit: 1) {
                        $0[2].value("durable, sync 200ms", "overhead_percent")
                    },
                    Mark(name: "group commit over sync never, batches of 1000", unit: " %", digits: 1, limit: 5) {
                        guard let synced = $0[1].value("durable, sync 200ms", "wall_seconds"), let never = $0[1].value("durable, sync never", "wall_seconds")
                        else { return nil }
                        return (synced / never - 1) * 100
                    },
                ]),
            Part(
                benchmark: RecoveryBenchmark.benchmark, words: ["--kills", share(60, atLeast: 10)],
                marks: [
                    Mark(name: "worker killed to its batch again, cold, p50", unit: " ms", limit: 5) { $0[0].value("killed, cold", "p50_ms") },
                    Mark(name: "the same, p99", unit: " ms", limit: .infinity) { $0[0].value("killed, cold", "p99_ms") },
                    Mark(name: "the same with a standby, p50", unit: " ms", limit: 1) { $0[0].value("killed, with a standby", "p50_ms") },
                    Mark(name: "the same, p99", unit: " ms", limit: .infinity) { $0[0].value("killed, with a standby", "p99_ms") },
                ]),
            Part(
                benchmark: StartBenchmark.benchmark, words: ["--rounds", share(30, atLeast: 5)],
                marks: [Mark(name: "empty job of two stages, p50", unit: " ms", digits: 1, limit: 20) { $0[0].value("empty job, 2 stages", "p50_ms") }]),
            Part(
                benchmark: MemoryBenchmark.benchmark,
                words: ["--records", "10000," + share(10_000_000, atLeast: 100_000), "--batch", "1000", "--short"],
                marks: [
                    Mark(name: "peak memory of the host, most records", unit: " MiB", digits: 1, limit: 64) { $0[0].rows.last?.values[0] ?? nil },
                    Mark(name: "the same, to 10,000 records", limit: .infinity) { $0[0].rows.last?.values[1] ?? nil },
                ]),
            Part(
                benchmark: ResumeBenchmark.benchmark,
                words: ["--records", share(10_000_000, atLeast: 100_000), "--batch", "1000", "--rounds", "5", "--short"],
                marks: [
                    Mark(name: "host killed, run again to the first batch, p50", unit: " ms", digits: 0, limit: 1000) {
                        $0[0].value("run again to the first batch", "p50_ms")
                    }
                ]),
            Part(
                benchmark: RetriesBenchmark.benchmark, words: ["--records", share(20_000, atLeast: 4_000), "--rounds", "3"],
                marks: [Mark(name: "5 % of the records fail once, 1 s backoff : none fails", digits: 3, limit: 1.1) { $0[0].value("5 % fail once", "ratio") }]),
            Part(
                benchmark: CallsBenchmark.benchmark, words: ["--rounds", "1"],
                marks: [
                    Mark(name: "2,000 calls of 200 ms, 100 under way, three in ten fail once : ideal", digits: 3, limit: 1.3) {
                        $0[0].value("three in ten fail once", "ratio")
                    }
                ]),
            Part(
                benchmark: ControlBenchmark.benchmark, words: ["--records", share(1_000_000, atLeast: 200_000), "--rounds", "3"],
                marks: [
                    Mark(name: "a thousand hostile control clients : none", digits: 3, limit: 1.05) { $0[0].value("1000 hostile clients", "ratio") }
                ]),
            Part(benchmark: HubBenchmark.benchmark, words: ["--megabytes", share(200, atLeast: 20), "--batches", "5000", "--rounds", "1"], marks: []),
            Part(benchmark: GrowthBenchmark.benchmark, words: ["--records", share(100_000, atLeast: 20_000), "--sleeping-batches", "50"], marks: []),
            Part(benchmark: PartsBenchmark.benchmark, words: ["--rounds", "3"], marks: []),
        ]
    }

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        var tables: [ResultTable] = []
        var lines = ["| mark | to reach | found | reached | command |", "| --- | --- | --- | --- | --- |"]
        for part in parts(try setting.values.number("percent"), installs: setting.values.isSet("install")) {
            Console.say("=== \(part.benchmark.name)")
            let found = try part.benchmark.run(try Setting(setting, part.words, of: part.benchmark))
            let command = ([part.benchmark.name] + part.words).joined(separator: " ")
            lines += part.marks.map { line($0, found, command) }
            tables += found.map { table in
                var titled = table
                titled.title = "\(command): \(table.title)"
                return titled
            }
        }
        var marks = ResultTable("marks", subject: "", [])
        marks.remarks = lines
        return tables + [marks]
    }

    private static func line(_ mark: Mark, _ tables: [ResultTable], _ command: String) -> String {
        let figure = mark.figure(tables)
        func text(_ value: Double) -> String { HumanNumbers.fixed(value, digits: mark.digits) + mark.unit }
        let limit = mark.limit.isFinite ? (mark.atLeast ? "at least " : "at most ") + HumanNumbers.fixed(mark.limit, digits: mark.limit == mark.limit.rounded() ? 0 : mark.digits) + mark.unit : ""
        let reached = figure.map { !mark.limit.isFinite ? "" : (mark.atLeast ? $0 >= mark.limit : $0 <= mark.limit) ? "yes" : "no" } ?? ""
        return "| \(mark.name) | \(limit) | \(figure.map(text) ?? "not measured here") | \(reached) | `\(command)` |"
    }
}
