import StageModel

/// What `--describe` prints: a plugin's table as one JSON object.
enum Description {
    static func json(_ plugin: PluginTable) -> String {
        var flags: [String] = []
        if plugin.flags.contains(.reentrant) { flags.append("reentrant") }
        if plugin.flags.contains(.recordByRecord) { flags.append("record-by-record") }
        if plugin.flags.contains(.stateful) { flags.append("stateful") }
        let functions = [
            (PluginFunctions.read, "read"), (.process, "process"), (.sync, "sync"), (.finish, "finish"), (.close, "close"),
        ].filter { plugin.functions.contains($0.0) }.map(\.1)
        let members = [
            ("kind", JSON.quoted(plugin.kind.name)), ("id", JSON.quoted(plugin.identifier)),
            ("version", JSON.quoted(plugin.version)), ("description", JSON.quoted(plugin.description)),
            ("flags", array(flags)), ("max_workers", "\(plugin.maximumWorkers)"), ("functions", array(functions)),
            ("config_schema", plugin.schema ?? "null"),
        ]
        return "{" + members.map { "\(JSON.quoted($0.0)):\($0.1)" }.joined(separator: ",") + "}"
    }

    private static func array(_ names: [String]) -> String {
        "[" + names.map(JSON.quoted).joined(separator: ",") + "]"
    }
}
