import Glibc
import StageConfig

/// `stagehost-bench COMMAND [options]`: measures the whole and its parts, side by side in one run.
@main enum Main {
    static let benchmarks = [
        ReferenceBenchmark.benchmark, LogsBenchmark.benchmark, RecoveryBenchmark.benchmark, ResumeBenchmark.benchmark,
        StartBenchmark.benchmark, MemoryBenchmark.benchmark, PartsBenchmark.benchmark, HubBenchmark.benchmark,
        GrowthBenchmark.benchmark, PeersBenchmark.benchmark, MarksBenchmark.benchmark,
        RetriesBenchmark.benchmark, CallsBenchmark.benchmark, ControlBenchmark.benchmark, StormBenchmark.benchmark,
    ]

    static func main() {
        do throws(BenchError) {
            try run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            Console.say("error: \(error.message)")
            exit(error.code)
        }
    }

    private static func run(_ words: [String]) throws(BenchError) {
        guard let first = words.first, !["-h", "--help", "help"].contains(first) else {
            Console.print(Help.overview(benchmarks))
            return
        }
        guard let benchmark = benchmarks.first(where: { $0.name == first }) else {
            throw .usage("found \"\(first)\", expected one of: \(benchmarks.map(\.name).joined(separator: ", ")); try --help")
        }
        let rest = Array(words.dropFirst())
        if rest.contains("-h") || rest.contains("--help") {
            Console.print(Help.text(of: benchmark))
            return
        }
        let values = try OptionValues(rest, of: benchmark)
        let setting = try Setting(values)
        defer { setting.scratch.remove() }
        let tables = try benchmark.run(setting)
        let report = Report(benchmark: benchmark.name, arguments: rest, tables: tables)
        Console.print(values.isSet("json") ? report.json : report.text)
    }
}
