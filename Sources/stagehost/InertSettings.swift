import StageConfig

/// Keys of pipeline files that are read and checked, and do nothing yet. Whoever sets one is told.
enum InertSettings {
    private static let topLevel: Set<String> = ["limits", "memory_reserve", "log_records", "metrics"]
    private static let ofAStage: Set<String> = ["rate", "limit"]

    /// A warning for each such key that was set.
    static func warnings(for pipeline: Pipeline) -> [Diagnostic] {
        var named: [String] = []
        for entry in pipeline.resolved where entry.origin != .default {
            guard let key = inertKey(entry.path, entry.value), !named.contains(key) else { continue }
            named.append(key)
        }
        return named.map { .warning("`\($0)` has no effect yet", help: "this version only checks it") }
    }

    private static func inertKey(_ path: [String], _ value: JSONValue) -> String? {
        guard let first = path.first else { return nil }
        if topLevel.contains(first) { return first }
        guard first == "stages", path.count > 2 else { return nil }
        let key = path[2]
        if ofAStage.contains(key) { return "\(path[1]).\(key)" }
        if key == "ordered", value == .boolean(false) { return "\(path[1]).ordered" }
        if key == "retry", path.count > 3, path[3] == "on" { return "\(path[1]).retry.on" }
        return nil
    }
}
