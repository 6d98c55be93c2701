/// One resolved value, as `config` lists it.
package struct ResolvedValue: Sendable, Equatable {
    package var path: [String]
    /// As it would be written in a pipeline file; null where there is none.
    package var value: JSONValue
    package var origin: Origin

    /// The path with dots: "stages.terms.workers".
    package var key: String { path.joined(separator: ".") }
}

/// What is gathered while a pipeline is resolved: diagnostics, resolved values, and the variables that were asked for.
final class Resolver {
    var diagnostics: [Diagnostic] = []
    var resolved: [ResolvedValue] = []
    let environment: [String: String]
    /// The origins of a pipeline that is read back: there, all values stand in one file.
    let recordedOrigins: [String: Origin]
    private var consulted: Set<String> = []
    /// Every key that was asked for, while a schema is made; else nil.
    var declared: [DeclaredKey]?

    init(environment: [String: String], recordedOrigins: [String: Origin]) {
        self.environment = environment
        self.recordedOrigins = recordedOrigins
    }

    func declare(_ path: [String], _ schema: JSONValue, fallback: JSONValue? = nil, isRequired: Bool = false) {
        declared?.append(DeclaredKey(path: path, schema: schema, fallback: fallback, isRequired: isRequired))
    }

    static func variable(for path: [String]) -> String {
        let name = "STAGEHOST_" + path.joined(separator: "_").uppercased()
        return String(name.map { $0 == "-" ? "_" : $0 })
    }

    /// The value of the variable that stands for a path; an empty variable counts as none.
    func environmentNode(for path: [String]) -> ConfigNode? {
        let name = Self.variable(for: path)
        consulted.insert(name)
        guard let value = environment[name], !value.isEmpty else { return nil }
        let source = SourceText(kind: .environment(name), name: "environment", text: "\(name)=\(value)")
        return ConfigNode.typed(in: source, from: name.utf8.count + 1)
    }

    func record(_ path: [String], _ value: JSONValue, _ origin: Origin) -> Origin {
        let origin = recordedOrigins[path.joined(separator: ".")] ?? origin
        resolved.append(ResolvedValue(path: path, value: value, origin: origin))
        return origin
    }

    /// Warns of variables that were meant for a setting but name none.
    func checkUnknownVariables() {
        for name in environment.keys.sorted() where name.hasPrefix("STAGEHOST_") && !consulted.contains(name) {
            if Self.otherVariables.contains(name) { continue }
            // Without the prefix that all share: it would make everything look near.
            let prefix = "STAGEHOST_".count
            let near = Suggestion.nearest(
                to: String(name.dropFirst(prefix)), among: consulted.sorted().map { String($0.dropFirst(prefix)) }
            ).map { "STAGEHOST_" + $0 }
            guard near != nil || name.hasPrefix("STAGEHOST_STAGES_") else { continue }
            diagnostics.append(
                .warning(
                    "the environment variable \(name) names no setting",
                    help: near.map { "did you mean \($0)?" }
                        ?? "unset it, or write it as STAGEHOST_STAGES_NAME_KEY"))
        }
    }

    /// Variables of ours that are no settings of a pipeline.
    private static let otherVariables: Set = ["STAGEHOST_PLUGIN_PATH", "STAGEHOST_STATE_DIR", "STAGEHOST_WORKER"]
}

extension ConfigNode {
    /// A value typed into a flag or a variable: JSON5 where it can be read as such, else text.
    static func typed(in source: SourceText, from start: Int) -> ConfigNode {
        switch ConfigParser.parse(source, from: start) {
        case .success(let node): return node
        case .failure:
            let range = start..<source.bytes.count
            return ConfigNode(.string(source.text(range)), at: Place(source, range))
        }
    }
}
