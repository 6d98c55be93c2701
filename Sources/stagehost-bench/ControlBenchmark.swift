import CBench
import LinuxIO
import StageConfig

/// What hostile clients of the control socket cost a job.
enum ControlBenchmark {
    static let benchmark = Benchmark(
        name: "control",
        abstract: "what a thousand hostile clients of the control socket cost a job",
        details: """
            The same job (records from memory, a durable stage that passes every record on, to nowhere) by itself and beside a
            process with so many hostile clients (see storm), in turns. Ratio: of the wall times in the same round, the median over the
            rounds. The clients' own processor time is not the host's doing, but on a machine whose processors are all in use it
            is missing elsewhere: it is shown. Peak: VmHWM of the host.
            """,
        options: [
            .number("records", 1_000_000, "records"), .number("bytes", 300, "bytes in a record"), .number("batch", 100, "records in a batch"),
            .number("clients", 1_000, "clients at a time"), .number("each-ms", 100, "milliseconds between two turns of a client"),
            .number("rounds", 5, "rounds that count"),
        ],
        example: "stagehost-bench control --records 200000 --rounds 3",
        run: run)

    private struct Sample {
        var usage: Child.Usage
        var clientSeconds: Double?
        var peakMebibytes: Double
    }

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let records = try setting.values.number("records")
        let count = try setting.values.number("clients")
        var job = Job.memory(
            "control", records: records, bytes: try setting.values.number("bytes"), through: [.bench("pass", setting)], setting)
        job.batch = try setting.values.number("batch")
        let each = try setting.values.number("each-ms")
        let names = ["no clients", "\(count) hostile clients"]
        let samples = try Rounds.run(try setting.values.number("rounds"), variants: names) { variant throws(BenchError) in
            try measure(job, variant == 0 ? nil : ["--clients", "\(count)", "--each-ms", "\(each)"], setting)
        }
        var table = ResultTable(
            "\(records) records, batches of \(job.batch), a turn of each client every \(each) ms", subject: "beside",
            [
                .init("wall_seconds", "wall s", digits: 3), .init("records_per_second", "records/s", digits: 0),
                .init("ratio", "ratio", digits: 3), .init("spread_percent", "spread %", digits: 1),
                .init("cpu_seconds", "job cpu s", digits: 3), .init("clients_cpu_seconds", "clients cpu s", digits: 3),
                .init("peak_mebibytes", "peak MiB", digits: 1),
            ])
        let base = samples[0].map(\.usage.seconds)
        for (name, measured) in zip(names, samples) {
            let seconds = measured.map(\.usage.seconds)
            let median = Statistics.median(seconds)
            let clients = measured.compactMap(\.clientSeconds)
            table.add(
                name,
                [
                    median, Double(records) / median, Statistics.ratio(seconds, to: base), Statistics.spread(seconds) * 100,
                    Statistics.median(measured.map(\.usage.processorSeconds)), clients.isEmpty ? nil : Statistics.median(clients),
                    measured.map(\.peakMebibytes).max(),
                ])
        }
        return [table]
    }

    private static func measure(_ job: Job, _ storm: [String]?, _ setting: Setting) throws(BenchError) -> Sample {
        let host = try job.start(setting)
        var clients: Child?
        if let storm {
            let folder = setting.scratch.file("state") + "/" + job.name
            // Not before it is there: what an earlier round has left is taken away first.
            while !host.hasEnded, !fileExists(folder + "/control.sock") { cbench_pause(1_000_000) }
            clients = try Child.start([ownProgramPath(), "storm", "--job", folder] + storm, in: setting.scratch)
        }
        var peak: UInt64 = 0
        while !host.hasEnded {
            peak = max(peak, cbench_peak_memory(host.pid))
            cbench_pause(5_000_000)
        }
        let usage = try job.finished(try host.wait(), setting)
        let ended = try clients?.wait()
        if let ended, ended.status != 0 { throw .failed("storm: found exit \(ended.status), expected 0") }
        return Sample(usage: usage, clientSeconds: ended?.processorSeconds, peakMebibytes: Double(peak) / 1_048_576)
    }
}
