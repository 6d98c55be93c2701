/// An option of a benchmark: `--name VALUE`, or a switch.
struct Option: Sendable {
    var name: String
    /// What stands for the value in the help; nil: a switch.
    var value: String?
    var fallback: String
    var meaning: String

    static func numbers(_ name: String, _ fallback: String, _ meaning: String) -> Option {
        Option(name: name, value: "N[,N…]", fallback: fallback, meaning: meaning)
    }

    static func number(_ name: String, _ fallback: Int, _ meaning: String) -> Option {
        Option(name: name, value: "N", fallback: "\(fallback)", meaning: meaning)
    }

    /// Those that every benchmark has.
    static let common = [
        Option(name: "folder", value: "DIR", fallback: "", meaning: "where the temporary folder is made (TMPDIR, or /tmp)"),
        Option(name: "bin", value: "DIR", fallback: "", meaning: "where stagehost and its plugins are (beside this program)"),
        Option(name: "json", value: nil, fallback: "", meaning: "print JSON"),
    ]
}

/// One benchmark: a command of `stagehost-bench`.
struct Benchmark: Sendable {
    var name: String
    var abstract: String
    /// How it measures.
    var details: String
    var options: [Option]
    var example: String
    var run: @Sendable (Setting) throws(BenchError) -> [ResultTable]

    var allOptions: [Option] { options + Option.common }
}
