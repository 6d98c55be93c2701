import CBench
import LinuxIO
import StageConfig

/// The reference job beside the bare pipe of three native programs that do the same.
enum ReferenceBenchmark {
    static let benchmark = Benchmark(
        name: "reference",
        abstract: "the reference job, beside a bare pipe of native programs, and a C prototype",
        details: """
            Documents of about 300 bytes: parse, lower-case and count tokens; drop one in ten; add a CRC; write JSON lines. The
            three steps are the same C functions in both: stages of stagehost between read-lines and write-lines, and programs
            in a pipe of the shell's kind (64 KiB). The prototype is a host in C with shared memory and a synced checkpoint, and
            nothing else (Sources/CBench/native/prototype.c). Every output is checked for missing and duplicate documents, and that of
            stagehost against that of the pipe, byte for byte.
            """,
        options: [
            .number("records", 1_000_000, "documents"), .number("batch", 1000, "records in a batch"),
            .number("rounds", 5, "rounds that count"),
        ],
        example: "stagehost-bench reference --records 200000 --rounds 3",
        run: run)

    private struct Variant {
        var name: String
        /// Nil: a native program.
        var job: Job?
        var isPrototype = false
    }

    static let steps = ["normalize", "drop", "seal"]

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let documents = try Documents(try setting.values.number("records"), in: setting.scratch)
        let batch = try setting.values.number("batch")
        let piped = setting.scratch.file("pipe.jsonl")
        let staged = setting.scratch.file("stages.jsonl")
        func job(_ name: String, durable: Bool) -> Job {
            let stages = steps.map { Job.Stage.bench($0, setting, with: [("step", .string($0))], durable: durable) }
            var job = Job.lines(name, from: documents.path, to: staged, through: stages)
            job.batch = batch
            return job
        }
        let variants = [
            Variant(name: "pipe of three native programs"), Variant(name: "C prototype", isPrototype: true),
            Variant(name: "stagehost, steps without logs", job: job("cheap", durable: false)),
            Variant(name: "stagehost, every stage durable", job: job("durable", durable: true)),
        ]
        let samples = try Rounds.run(try setting.values.number("rounds"), variants: variants.map(\.name)) {
            index throws(BenchError) -> Child.Usage in
            if variants[index].isPrototype {
                let usage = try Prototype.run(documents.path, to: staged, setting)
                try documents.check(staged, keepsAll: false)
                return usage
            }
            guard let job = variants[index].job else {
                let usage = try NativePipe.run(steps, from: documents.path, to: piped, setting)
                try documents.check(piped, keepsAll: false)
                return usage
            }
            let usage = try job.run(setting)
            try documents.check(staged, keepsAll: false)
            guard try checked("compare", staged, unsafe cbench_same_bytes(piped, staged)) == 1 else {
                throw .failed("\(staged): found other bytes than the pipe wrote, expected the same")
            }
            return usage
        }
        var table = ResultTable(
            "\(documents.count) documents, \(documents.bytes / 1_000_000) MB, batches of \(batch), sync 200ms", subject: "who",
            [
                .init("wall_seconds", "wall s", digits: 3), .init("cpu_seconds", "cpu s", digits: 3),
                .init("documents_per_second", "documents/s", digits: 0), .init("megabytes_per_second", "MB/s", digits: 0),
                .init("ratio_to_pipe", "wall : pipe"), .init("spread_percent", "spread %", digits: 1),
            ])
        let base = samples[0].map(\.seconds)
        for (variant, usages) in zip(variants, samples) {
            let seconds = usages.map(\.seconds)
            let median = Statistics.median(seconds)
            table.add(
                variant.name,
                [
                    median, Statistics.median(usages.map(\.processorSeconds)), Double(documents.count) / median,
                    Double(documents.bytes) / median / 1e6, Statistics.ratio(seconds, to: base), Statistics.spread(seconds) * 100,
                ])
        }
        table.remarks = ["every output: nothing missing, nothing twice; stagehost's is byte for byte that of the pipe"]
        return [table]
    }
}
