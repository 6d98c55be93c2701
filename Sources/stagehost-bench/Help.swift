/// What `--help` says.
enum Help {
    static func overview(_ benchmarks: [Benchmark]) -> String {
        let width = benchmarks.map(\.name.count).max() ?? 0
        var lines = ["usage: stagehost-bench COMMAND [options]", "", "Measures Stagehost side by side with what it is compared with.", ""]
        for benchmark in benchmarks {
            lines.append("  " + padded(benchmark.name, width) + "  " + benchmark.abstract)
        }
        lines += ["", "stagehost-bench COMMAND --help says how each measures. Build with swift build -c release first.", "", "Examples:"]
        lines += benchmarks.map { "  " + $0.example }
        return lines.joined(separator: "\n")
    }

    static func text(of benchmark: Benchmark) -> String {
        var lines = ["usage: stagehost-bench \(benchmark.name) [options]", "", benchmark.abstract, "", benchmark.details, "", "Options:"]
        let heads = benchmark.allOptions.map { "--" + $0.name + ($0.value.map { " " + $0 } ?? "") }
        let width = heads.map(\.count).max() ?? 0
        for (option, head) in zip(benchmark.allOptions, heads) {
            let fallback = option.fallback.isEmpty ? "" : " (\(option.fallback))"
            lines.append("  " + padded(head, width) + "  " + option.meaning + fallback)
        }
        lines += ["", "Example:", "  " + benchmark.example]
        return lines.joined(separator: "\n")
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
