import StageConfig
import Testing

func parse(_ text: String) -> Result<ConfigNode, DiagnosticList> {
    ConfigParser.parse(SourceText(name: "test.json5", text: text))
}

/// The value of a text as strict JSON, or its first diagnostic.
func json(_ text: String) -> String {
    switch parse(text) {
    case .success(let node): node.plain.json()
    case .failure(let problems): "error: \(problems.all.first?.message ?? "")"
    }
}

func resolve(
    _ text: String, set: [String] = [], environment: [String: String] = [:], file: String = "jobs/test.json5"
) throws -> Resolution {
    Pipeline.resolve(
        SourceText(name: file, text: text), directory: "/jobs", overrides: try set.map { try Override(assignment: $0) },
        environment: environment)
}

func pipeline(_ text: String, set: [String] = [], environment: [String: String] = [:]) throws -> Pipeline {
    let resolution = try resolve(text, set: set, environment: environment)
    let problems = resolution.diagnostics.map { $0.rendered() }.joined(separator: "\n")
    return try #require(resolution.pipeline, "\(problems)")
}

/// Two stages with a place for more keys in the source, the sink and the top level.
func sample(top: String = "", source: String = "", sink: String = "") -> String {
    """
    { \(top)
      stages: [
        { name: "read", plugin: "read-lines", \(source) },
        { name: "write", plugin: "write-lines", \(sink) },
      ] }
    """.replacing(", }", with: " }")
}

/// A small generator with a seed, so that a failure can be replayed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
