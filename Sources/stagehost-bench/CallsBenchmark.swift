import CBench
import LinuxIO
import StageConfig
import StageReport

/// A slow and moody service that is called for each record, and a host that is killed over it.
enum CallsBenchmark {
    static let benchmark = Benchmark(
        name: "calls",
        abstract: "call-http over a slow service that fails three in ten once, beside the ideal; also when the host is killed",
        details: """
            A service in Python on loopback takes its time for each call. The first call for a document fails where its id ends in 3
            (429, with a Retry-After), in 5 (500) or in 7 (the connection is dropped). Ideal: all these calls, so many at a time, without
            a gap; that a document refused at the end must wait for its Retry-After is not in it. Repeated: documents that were
            answered more than once; only what was under way when the host was killed may be. Needs python3 and libcurl.
            """,
        options: [
            .number("records", 2_000, "documents"), .number("latency-ms", 200, "milliseconds that a call takes"),
            .number("concurrency", 100, "calls under way"), .number("threads", 32, "batches that the worker has under way"),
            .number("retry-after", 1, "seconds that a 429 asks for"), .number("batch", 50, "records in a batch"),
            .number("kills", 5, "kills of the host"), .number("rounds", 3, "rounds that count"),
        ],
        example: "stagehost-bench calls --records 500 --rounds 1",
        run: run)

    private struct Sample {
        var seconds: Double
        var calls: Int
        var repeated: Int
    }

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let documents = try Documents(try setting.values.number("records"), short: true, in: setting.scratch)
        let kills = try setting.values.number("kills")
        let latency = Double(try setting.values.number("latency-ms")) / 1000
        let concurrency = try setting.values.number("concurrency")
        let variants: [(name: String, troubles: Bool, slows: Bool, kills: Int)] = [
            ("none fails", false, true, 0), ("three in ten fail once", true, true, 0),
            ("the same, `rate: { decrease: 1 }`", true, false, 0), ("the same, the host killed \(kills) times", true, false, kills),
        ]
        let samples = try Rounds.run(try setting.values.number("rounds"), variants: variants.map(\.name)) {
            index throws(BenchError) -> Sample in
            let variant = variants[index]
            return try measure(documents, troubles: variant.troubles, slows: variant.slows, kills: variant.kills, setting)
        }
        var table = ResultTable(
            "\(documents.count) documents, \(HumanNumbers.fixed(latency, digits: 3)) s a call, \(concurrency) under way", subject: "service",
            [
                .init("wall_seconds", "wall s", digits: 2), .init("ideal_seconds", "ideal s", digits: 2), .init("ratio", "ratio", digits: 3),
                .init("calls", "calls", digits: 0), .init("repeated", "repeated", digits: 0),
            ])
        for (variant, measured) in zip(variants, samples) {
            let ideal = measured.map { Double($0.calls - $0.repeated) * latency / Double(concurrency) }
            let seconds = measured.map(\.seconds)
            table.add(
                variant.name,
                [
                    Statistics.median(seconds), Statistics.median(ideal), Statistics.ratio(seconds, to: ideal),
                    Statistics.median(measured.map { Double($0.calls) }), measured.map { Double($0.repeated) }.max(),
                ])
        }
        table.remarks = ["every output: nothing missing, nothing twice"]
        return [table]
    }

    private static func measure(_ documents: Documents, troubles: Bool, slows: Bool, kills: Int, _ setting: Setting) throws(BenchError) -> Sample {
        let service = try Service(troubles: troubles, setting)
        defer { service.stop() }
        let output = setting.scratch.file("answered.jsonl")
        var stage = Job.Stage(
            name: "call", plugin: "call-http",
            with: [
                ("url", .string("http://127.0.0.1:\(service.port)/")), ("method", .string("POST")), ("body", .string("{{value}}")),
                ("body_form", .string("text")), ("headers", .object([.init("X-Key", .string("{{json:/id}}"))])),
                ("concurrency", .integer(Int64(try setting.values.number("concurrency")))),
            ])
        stage.threads = try setting.values.number("threads")
        stage.retry = [("attempts", .integer(10)), ("backoff", .string("50ms"))]
        stage.rate = slows ? [] : [("decrease", .integer(1))]
        var job = Job.lines("calls", from: documents.path, to: output, through: [stage])
        job.batch = try setting.values.number("batch")
        let began = cbench_now()
        var host = try job.start(setting)
        for kill in 0..<kills {
            let goal = documents.count * (kill + 1) / (kills + 1)
            while !host.hasEnded, service.answered().count < goal { cbench_pause(20_000_000) }
            host.kill()
            _ = try host.wait()
            host = try job.start(setting, fresh: false)
        }
        _ = try job.finished(try host.wait(), setting)
        let seconds = Double(cbench_now() - began) / 1e9
        try documents.check(output, keepsAll: true)
        let answered = service.answered()
        return Sample(seconds: seconds, calls: service.calls(), repeated: answered.count - Set(answered).count)
    }
}

/// The service, in a process of its own. It writes a line for each call that it has answered.
private struct Service {
    let port: Int
    private let process: Child
    private let log: String

    init(troubles: Bool, _ setting: Setting) throws(BenchError) {
        let script = setting.scratch.file("service.py")
        let portFile = setting.scratch.file("service.port")
        log = setting.scratch.file("service.log")
        let file = log
        try onSystem { () throws(SystemError) in
            try writeFileAtomically(script, Array(ServiceScript.text.utf8), durable: false)
            try writeFileAtomically(file, [], durable: false)
            try writeFileAtomically(portFile, [], durable: false)
        }
        process = try Child.start(
            [
                "python3", script, portFile, log, "\(try setting.values.number("latency-ms"))",
                "\(try setting.values.number("retry-after"))", troubles ? "troubles" : "calm",
            ], in: setting.scratch)
        var text = ""
        while text.isEmpty {
            guard !process.hasEnded else { throw .failed("python3: the service has ended before it began; is python3 there?") }
            cbench_pause(5_000_000)
            text = String(decoding: (try? readSmallFile(portFile)) ?? [], as: UTF8.self)
        }
        guard let port = Int(text) else { throw .failed("service: found port \"\(text)\", expected a number") }
        self.port = port
    }

    func stop() {
        process.kill()
        _ = try? process.wait()
    }

    private var lines: [Substring] { String(decoding: (try? readSmallFile(log)) ?? [], as: UTF8.self).split(separator: "\n") }

    func calls() -> Int { lines.count }

    /// The documents of successful calls, once for each call.
    func answered() -> [Substring] { lines.filter { $0.hasSuffix(" 200") }.map { $0.dropLast(4) } }
}
