import StageConfig

/// Keys of pipeline files that are read and checked, and do nothing yet. Whoever sets one is told.
enum InertSettings {
    private static let topLevel: Set<String> = ["log_records", "metrics"]

    /// A warning for each such key that was set.
    static func warnings(for pipeline: Pipeline) -> [Diagnostic] {
        var named: [String] = []
        for entry in pipeline.resolved where entry.origin != .default {
            guard let key = inertKey(entry.path), !named.contains(key) else { continue }
            named.append(key)
        }
        return named.map { .warning("`\($0)` has no effect yet", help: "this version only checks it") }
    }

    private static func inertKey(_ path: [String]) -> String? {
        path.first.flatMap { topLevel.contains($0) ? $0 : nil }
    }
}
