import CBench
import CLinux
import LinuxIO

/// The parts of the host, each alone.
enum PartsBenchmark {
    static let benchmark = Benchmark(
        name: "parts",
        abstract: "wire, checksum, log and scheduler, each alone",
        details: """
            Each part runs alone in this process. Wire, checksum and scheduler work in memory, and are told by the processor time
            that they take; the log is on the disk of the temporary folder, and is told by wall time. Every figure is the median
            of the rounds. MB are those of keys and values with what is around them.
            """,
        options: [
            .numbers("batch", "100,1000", "records in a block, one row each"), .number("record", 300, "bytes in a value"),
            .number("entries", 20_000, "entries in a log that is opened"), .number("rounds", 7, "rounds"),
            Option(name: "only", value: "PART", fallback: "", meaning: "wire, log or scheduler alone"),
        ],
        example: "stagehost-bench parts --batch 1000 --rounds 3",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let rounds = try setting.values.number("rounds")
        let wanted = setting.values.text("only")
        guard [nil, "wire", "log", "scheduler"].contains(wanted) else {
            throw .usage("--only: found \"\(wanted ?? "")\", expected wire, log or scheduler")
        }
        var tables: [ResultTable] = []
        if wanted == nil || wanted == "wire" { tables.append(try wireTable(setting, rounds)) }
        if wanted == nil || wanted == "log" { tables.append(try logTable(setting, rounds)) }
        if wanted == nil || wanted == "scheduler" { tables.append(try SchedulerParts.table(rounds)) }
        return tables
    }

    private static func wireTable(_ setting: Setting, _ rounds: Int) throws(BenchError) -> ResultTable {
        let record = try setting.values.number("record")
        var wire = ResultTable(
            "wire and checksum, values of \(record) bytes", subject: "what",
            [
                .init("megabytes_per_second", "MB/s", digits: 0), .init("per_second", "blocks/s", digits: 0),
                .init("microseconds", "us a block", digits: 2), .init("ratio_to_memcpy", "time : memcpy", digits: 1),
            ])
        for batch in try setting.values.numbers("batch") {
            let parts = WireParts(count: batch, valueBytes: record)
            let copy = try parts.copy(rounds)
            for (name, seconds) in [
                ("memcpy", copy), ("CRC32C", try parts.checksumHardware(rounds)), ("CRC32C by table", try parts.checksumTable(rounds)),
                ("encode", try parts.encode(rounds)), ("validate", try parts.validate(rounds)), ("read all entries", try parts.read(rounds)),
            ] {
                wire.add(
                    "\(name), block of \(batch)", [Double(parts.blockBytes) / seconds / 1e6, 1 / seconds, seconds * 1e6, seconds / copy])
            }
        }
        return wire
    }

    private static func logTable(_ setting: Setting, _ rounds: Int) throws(BenchError) -> ResultTable {
        var log = ResultTable(
            "log, one entry a block", subject: "what",
            [
                .init("megabytes_per_second", "MB/s", digits: 0), .init("per_second", "entries/s", digits: 0),
                .init("microseconds", "us an entry", digits: 2),
            ])
        let record = try setting.values.number("record")
        for batch in try setting.values.numbers("batch") {
            let parts = WireParts(count: batch, valueBytes: record)
            try LogParts(setting, block: parts.block).add(to: &log, name: "block of \(batch)", rounds)
        }
        let entries = try setting.values.number("entries")
        try LogParts(setting, block: [UInt8](repeating: 7, count: 3000)).addOpen(to: &log, entries: entries, rounds)
        return log
    }
}

/// Processor seconds that one thing takes, as the median of several rounds of so many repetitions that a round can be measured.
func secondsEach(_ rounds: Int, _ body: () throws(BenchError) -> Void) throws(BenchError) -> Double {
    var repetitions = 1
    while true {
        let seconds = try seconds(of: repetitions, body)
        if seconds > 0.02 { break }
        repetitions *= seconds < 0.002 ? 10 : 2
    }
    var samples: [Double] = []
    for _ in 0..<rounds { samples.append(try seconds(of: repetitions, body) / Double(repetitions)) }
    return Statistics.median(samples)
}

private func seconds(of repetitions: Int, _ body: () throws(BenchError) -> Void) throws(BenchError) -> Double {
    let begun = cbench_spent()
    for _ in 0..<repetitions { try body() }
    return Double(cbench_spent() - begun) / 1e9
}
