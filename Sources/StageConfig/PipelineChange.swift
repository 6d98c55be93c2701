/// One difference between the pipeline that a job began with and the one it is to go on with.
package struct PipelineChange: Sendable, Equatable {
    package var key: String
    /// As JSON; "-" where there was nothing.
    package var old: String
    package var new: String
    package var isAllowed: Bool
    /// Why it cannot change, as a sentence that follows "because".
    package var reason: String?

    /// The refusal in full.
    package func diagnostic(pipeline: Pipeline) -> Diagnostic {
        let place = pipeline.place(of: key)
        var diagnostic = Diagnostic(
            "\(key) cannot change while the job is unfinished" + (reason.map { ": \($0)" } ?? ""), at: place,
            found: new, expected: "\(old), as when the job began",
            help: "put it back, start over with --fresh, or begin another job with --job ID")
        if place == nil { diagnostic.file = pipeline.file }
        return diagnostic
    }
}

extension Pipeline {
    /// All that differs between two pipelines, in the order of the documentation.
    package static func changes(from old: Pipeline, to new: Pipeline) -> [PipelineChange] {
        let oldNames = old.stages.map(\.name.value)
        let newNames = new.stages.map(\.name.value)
        var changes: [PipelineChange] = []
        if oldNames != newNames {
            changes.append(
                PipelineChange(
                    key: "stages", old: oldNames.joined(separator: " → "), new: newNames.joined(separator: " → "),
                    isAllowed: false, reason: "the logs belong to these stages in this order"))
        }
        let isComparable = { (path: [String]) in
            path.first != "stages" || (path.count > 1 && oldNames.contains(path[1]) && newNames.contains(path[1]))
        }
        // `with` is compared as a whole, and a plugin by its name: both are looked at below.
        let isLeaf = { (path: [String]) in
            path.first != "stages" || path.count < 3 || (path[2] != "with" && path[2] != "plugin" && path[2] != "name")
        }
        let before = Dictionary(old.resolved.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.resolved.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        let paths =
            new.resolved.map(\.path) + old.resolved.map(\.path).filter { after[$0.joined(separator: ".")] == nil }
        for path in paths where isComparable(path) && isLeaf(path) {
            let key = path.joined(separator: ".")
            let (was, now) = (before[key] ?? .null, after[key] ?? .null)
            guard was != now else { continue }
            let reason = fixedReason(path)
            changes.append(PipelineChange(key: key, was, now, isAllowed: reason == nil, reason: reason))
        }
        for stage in new.stages {
            guard let former = old.stage(named: stage.name.value) else { continue }
            changes += stageChanges(from: former, to: stage)
        }
        return changes
    }

    /// What keeps a job from going on with a changed pipeline; empty when nothing does.
    package static func incompatibilities(old: Pipeline, new: Pipeline) -> [Diagnostic] {
        changes(from: old, to: new).filter { !$0.isAllowed }.map { $0.diagnostic(pipeline: new) }
    }

    private static func stageChanges(from old: StageSettings, to new: StageSettings) -> [PipelineChange] {
        let key = "stages.\(new.name.value)"
        var changes: [PipelineChange] = []
        if PluginLocator.name(of: old.plugin.value) != PluginLocator.name(of: new.plugin.value) {
            changes.append(
                PipelineChange(
                    key: key + ".plugin", .string(old.plugin.value), .string(new.plugin.value), isAllowed: false,
                    reason: "what is committed was made by the other plugin"))
        }
        if old.with.plain != new.with.plain {
            changes.append(
                PipelineChange(
                    key: key + ".with", old.with.plain, new.with.plain, isAllowed: false,
                    reason: "what is committed was made with the other configuration"))
        }
        return changes
    }

    /// Why a value must stay as it was; nil for all that may change.
    private static func fixedReason(_ path: [String]) -> String? {
        if path.first == "batch" { return "batches must keep their boundaries" }
        guard path.first == "stages", path.count == 3 else { return nil }
        switch path[2] {
        case "durable": return "the logs are there, or not, from the beginning"
        case "ordered": return "what is committed is in the order of the beginning"
        default: return nil
        }
    }

    /// Where a key that cannot change stands in the text that the pipeline was read from.
    fileprivate func place(of key: String) -> Place? {
        if key == "batch.records" { return batch.records.place }
        if key == "batch.bytes" { return batch.bytes.place }
        guard key.hasPrefix("stages."), let dot = key.lastIndex(of: ".") else { return stages.first?.name.place }
        let name = String(
            key[key.index(key.startIndex, offsetBy: 7)..<max(dot, key.index(key.startIndex, offsetBy: 7))])
        guard let stage = stage(named: name) else { return nil }
        switch key[key.index(after: dot)...] {
        case "plugin": return stage.plugin.place
        case "with": return stage.with.place
        case "durable": return stage.durable.place ?? stage.name.place
        case "ordered": return stage.ordered.place ?? stage.name.place
        default: return stage.name.place
        }
    }
}

extension PipelineChange {
    fileprivate init(key: String, _ old: JSONValue, _ new: JSONValue, isAllowed: Bool, reason: String?) {
        func shown(_ value: JSONValue) -> String { value == .null ? "-" : value.json() }
        self.init(key: key, old: shown(old), new: shown(new), isAllowed: isAllowed, reason: reason)
    }
}
