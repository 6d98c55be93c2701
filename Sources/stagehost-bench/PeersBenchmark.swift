import StageConfig

/// The reference job beside those who do such things, too.
enum PeersBenchmark {
    static let benchmark = Benchmark(
        name: "peers",
        abstract: "the reference job beside GNU parallel, Python pools, Bytewax and PySpark, as far as they are there",
        details: """
            The same input, the same work, two processors: whoever is not there is left out, and said so. --install makes a virtual
            environment in the temporary folder and gets Bytewax and PySpark into it (GNU parallel comes with the package
            "parallel"). Every output is checked for missing and duplicate documents: who loses any has no time.
            """,
        options: [
            .number("records", 200_000, "documents"),
            .number("rounds", 1, "rounds that count"), Option(name: "install", value: nil, fallback: "", meaning: "get what can be had by pip"),
            Option(name: "only", value: "PEER,…", fallback: "", meaning: "some of \(Peer.all.map(\.key).joined(separator: ", "))"),
        ],
        example: "stagehost-bench peers --install --only parallel,bytewax",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let documents = try Documents(try setting.values.number("records"), in: setting.scratch)
        let wanted = setting.values.text("only").map { $0.split(separator: ",").map(String.init) }
        let chosen = Peer.all.filter { wanted?.contains($0.key) ?? true }
        let place = try PeerPlace(setting, installing: setting.values.isSet("install") ? chosen.flatMap(\.packages) : [])
        var remarks: [String] = []
        let peers = chosen.filter { peer in
            guard let reason = peer.isMissing(place) else { return true }
            remarks.append("left out: \(peer.name): \(reason)")
            return false
        }
        let jobs = [true, false].map { job(setting, documents, durable: !$0) }
        let output = setting.scratch.file("made.jsonl")
        let names = ["pipe of three native programs", "stagehost, steps without logs", "stagehost, every stage durable"] + peers.map(\.name)
        let samples = try Rounds.run(try setting.values.number("rounds"), variants: names) {
            index throws(BenchError) -> Child.Usage in
            switch index {
            case 0, 1, 2:
                let usage =
                    index == 0
                    ? try NativePipe.run(ReferenceBenchmark.steps, from: documents.path, to: output, setting)
                    : try jobs[index - 1].run(setting)
                try documents.check(output, keepsAll: false)
                return usage
            default:
                // What goes wrong with a peer is told, and does not end the measuring of the others.
                let usage = try Child.start(peers[index - 3].words(place, documents.path, output), in: setting.scratch, error: 2).wait()
                do throws(BenchError) {
                    guard usage.status == 0 else { throw .failed("found exit \(usage.status), expected 0") }
                    try documents.check(output, keepsAll: false)
                    return usage
                } catch {
                    let remark = "\(names[index]): \(error.message)"
                    if !remarks.contains(remark) { remarks.append(remark) }
                    return Child.Usage(seconds: .nan, processorSeconds: .nan, status: usage.status)
                }
            }
        }
        var table = ResultTable(
            "\(documents.count) documents, \(documents.bytes / 1_000_000) MB", subject: "who",
            [
                .init("wall_seconds", "wall s", digits: 3), .init("cpu_seconds", "cpu s", digits: 3),
                .init("documents_per_second", "documents/s", digits: 0), .init("ratio_to_stagehost", "wall : stagehost"),
                .init("ratio_to_durable", "wall : durable"),
            ])
        for (name, usages) in zip(names, samples) {
            let seconds = usages.map(\.seconds)
            table.add(
                name,
                [
                    Statistics.median(seconds), Statistics.median(usages.map(\.processorSeconds)),
                    Double(documents.count) / Statistics.median(seconds), Statistics.ratio(seconds, to: samples[1].map(\.seconds)),
                    Statistics.ratio(seconds, to: samples[2].map(\.seconds)),
                ])
        }
        table.remarks = remarks + ["every output with a time: nothing missing, nothing twice"]
        return [table]
    }

    private static func job(_ setting: Setting, _ documents: Documents, durable: Bool) -> Job {
        let stages = ReferenceBenchmark.steps.map { Job.Stage.bench($0, setting, with: [("step", .string($0))], durable: durable) }
        var job = Job.lines(
            durable ? "durable" : "cheap", from: documents.path, to: setting.scratch.file("made.jsonl"), through: stages)
        job.batch = 1000
        return job
    }
}
