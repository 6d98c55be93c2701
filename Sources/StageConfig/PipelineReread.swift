/// What a host that runs makes of a pipeline file that has changed.
package enum PipelineReread: Sendable {
    /// Nothing that was decided differs.
    case same
    /// All that differs may change while the job runs.
    case changed(to: Pipeline, [PipelineChange])
    /// The file cannot be read, or something in it needs another run: then nothing of it counts. One line for people, and what
    /// there is to say of the file.
    case refused(String, [Diagnostic])
}

extension Pipeline {
    /// Reads the file of this pipeline again. What flags and variables have decided stays as they decided it.
    ///
    /// - Parameters:
    ///   - plugins: What the plugins of a stage have said of themselves.
    package func reread(_ source: SourceText, plugins: (_ stage: Int) -> [PluginDescription]) -> PipelineReread {
        let root: ConfigNode
        switch ConfigParser.parse(source) {
        case .failure(let problems): return .refused("the file cannot be read", problems.all)
        case .success(let node): root = node
        }
        // A variable is put in place as a flag is, and keeps its name.
        var origins: [String: Origin] = [:]
        var overrides: [Override] = []
        for entry in resolved {
            switch entry.origin {
            case .flag(let text): overrides.append(Override(key: entry.key, value: entry.value.json(), flag: text))
            case .environment(let name):
                origins[entry.key] = entry.origin
                overrides.append(Override(key: entry.key, value: entry.value.json(), flag: "\(name)=\(entry.value.json())"))
            case .file, .default: break
            }
        }
        let resolution = Self.resolve(root, file: file, directory: directory, overrides: overrides, recordedOrigins: origins)
        guard let new = resolution.pipeline else { return .refused("the file is wrong", resolution.errors) }

        let changes = Self.changes(from: self, to: new) + Self.otherPlugins(from: self, to: new)
        guard !changes.isEmpty else { return .same }
        let late = changes.filter { !$0.isForNow }
        guard late.isEmpty else {
            // Values may be long, and secret: the keys are enough to find them.
            let keys = late.map(\.key).joined(separator: ", ")
            let advice =
                late.allSatisfy(\.isAllowed) ? "needs a new run: end this one, and go on with the same command"
                : "cannot change while the job is unfinished: put it back, or begin another job with --job NAME"
            return .refused("\(keys) \(advice)", [])
        }
        let problems = new.stages.indices.flatMap { stage in plugins(stage).flatMap { new.check($0, forStageAt: stage) } }
            .filter { $0.severity == .error }
        return problems.isEmpty ? .changed(to: new, changes) : .refused("the file does not suit the plugins", problems)
    }

    /// Plugins of the same name from elsewhere.
    private static func otherPlugins(from old: Pipeline, to new: Pipeline) -> [PipelineChange] {
        zip(old.stages, new.stages).filter { $0.name.value == $1.name.value && $0.plugin.value != $1.plugin.value }
            .filter { PluginLocator.name(of: $0.plugin.value) == PluginLocator.name(of: $1.plugin.value) }
            .map { old, new in
                PipelineChange(
                    key: "stages.\(new.name.value).plugin", old: old.plugin.value, new: new.plugin.value, isAllowed: true,
                    reason: "workers are started from the other file")
            }
    }
}

extension PipelineChange {
    private static let ofTheJob: Set = ["description", "failures", "limits", "budget", "memory_reserve"]
    private static let ofAStage: Set = [
        "workers", "standby", "timeout", "timeout_per", "memory", "memory_soft", "recycle_after", "snapshot_every", "probation",
        "retry", "restart", "on", "on_give_up", "rate", "limit", "failures",
    ]

    /// Whether a host can take it over while it runs.
    fileprivate var isForNow: Bool {
        let path = key.split(separator: ".").map(String.init)
        guard path.first == "stages" else { return path.first.map(Self.ofTheJob.contains) ?? false }
        return path.count > 2 && Self.ofAStage.contains(path[2])
    }

    /// "stages.terms.workers 2 → 4"
    package var words: String { "\(key) \(old) → \(new)" }

    /// `{key, from, to}`; null where there is nothing.
    package var json: JSONValue {
        func value(_ text: String) -> JSONValue {
            guard case .success(let node) = ConfigParser.parse(SourceText(name: key, text: text)) else { return .null }
            return node.plain
        }
        return .object([.init("key", .string(key)), .init("from", value(old)), .init("to", value(new))])
    }
}
