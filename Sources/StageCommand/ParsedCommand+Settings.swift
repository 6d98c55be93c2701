package import StageConfig

/// What the options of a command mean for a pipeline and for where things are.
extension ParsedCommand {
    /// `--set`, in order, and the flags that stand for one value of the pipeline.
    package func overrides() -> Result<[Override], Diagnostic> {
        var overrides: [Override] = []
        do throws(Diagnostic) {
            for assignment in strings("set") { overrides.append(try Override(assignment: assignment)) }
        } catch {
            return .failure(error)
        }
        if has("keep") { overrides.append(Override(key: "keep", value: "true", flag: "--keep")) }
        for (option, key) in [("time-limit", "time_limit"), ("metrics", "metrics")] {
            guard let value = strings(option).last else { continue }
            overrides.append(Override(key: key, value: value, flag: "--\(option) \(value)"))
        }
        return .success(overrides)
    }

    /// `--state-dir`, then `STAGEHOST_STATE_DIR`, then `.stagehost`.
    package func stateDirectory(environment: [String: String]) -> String {
        if let given = strings("state-dir").last { return given }
        if let variable = environment["STAGEHOST_STATE_DIR"], !variable.isEmpty { return variable }
        return string("state-dir") ?? ".stagehost"
    }

    /// The folders of `--plugin-path`, then those of `STAGEHOST_PLUGIN_PATH`.
    package func pluginSearchPath(environment: [String: String]) -> [String] {
        (strings("plugin-path") + [environment["STAGEHOST_PLUGIN_PATH"] ?? ""]).flatMap(PluginLocator.folders)
    }
}
