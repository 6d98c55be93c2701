/// Finds the file of a plugin by its name.
///
/// A name stands for `libstage-NAME.so` in the first of these folders that has it: those of the search path
/// (`--plugin-path`, then `STAGEHOST_PLUGIN_PATH`), `plugins/` beside the pipeline file, the folder of the executable,
/// and `PREFIX/lib/stagehost` for an executable in `PREFIX/bin`. A name with a slash is a path, relative to the folder
/// of the pipeline file.
package struct PluginLocator {
    package var pipelineDirectory: String?
    package var searchPath: [String]
    /// The folder of the running executable.
    package var executableDirectory: String
    package var fileExists: (String) -> Bool
    /// The names of the files in a folder; empty when there is no such folder.
    package var filesIn: (String) -> [String]

    package init(
        pipelineDirectory: String?, searchPath: [String], executableDirectory: String,
        fileExists: @escaping (String) -> Bool, filesIn: @escaping (String) -> [String]
    ) {
        self.pipelineDirectory = pipelineDirectory
        self.searchPath = searchPath
        self.executableDirectory = executableDirectory
        self.fileExists = fileExists
        self.filesIn = filesIn
    }

    /// A plugin that was found.
    package struct Found: Sendable, Equatable {
        package var name: String
        package var path: String

        package init(name: String, path: String) {
            self.name = name
            self.path = path
        }
    }

    /// The folders of a colon-separated path.
    package static func folders(in path: String) -> [String] { path.split(separator: ":").map(String.init) }

    /// The name in `libstage-NAME.so`, whatever folder the file is in; other text is returned as it is.
    package static func name(of plugin: String) -> String {
        let last = plugin.split(separator: "/").last.map(String.init) ?? plugin
        guard last.hasPrefix("libstage-"), last.hasSuffix(".so"), last.utf8.count > 12 else { return last }
        return String(last.dropFirst(9).dropLast(3))
    }

    package var folders: [String] {
        var folders = searchPath
        if let pipelineDirectory { folders.append(pipelineDirectory + "/plugins") }
        folders.append(executableDirectory)
        if executableDirectory.hasSuffix("/bin") {
            folders.append(executableDirectory.dropLast(4) + "/lib/stagehost")
        }
        return folders
    }

    /// The file of a plugin, or why there is none; `place` is where the pipeline names it.
    package func locate(_ plugin: String, at place: Place? = nil) -> Result<Found, Diagnostic> {
        let name = Self.name(of: plugin)
        if plugin.contains("/") {
            let path = plugin.hasPrefix("/") ? plugin : (pipelineDirectory.map { $0 + "/" } ?? "") + plugin
            if fileExists(path) { return .success(Found(name: name, path: path)) }
            return .failure(
                Diagnostic(
                    "there is no plugin file \(plugin)", at: place, expected: "a library at \(path)",
                    help: "build the plugin, or name it without a slash to have it looked up"))
        }
        guard plugin.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), plugin.utf8.count <= 200 else {
            return .failure(
                Diagnostic(
                    "a plugin cannot have such a name", at: place, found: "\"\(plugin)\"", expected: "a plain word"))
        }
        let candidates = folders.map { "\($0)/libstage-\(name).so" }
        if let path = candidates.first(where: fileExists) { return .success(Found(name: name, path: path)) }
        let near = Suggestion.nearest(to: name, among: available().map(\.name))
        return .failure(
            Diagnostic(
                "there is no plugin \"\(plugin)\"", at: place,
                expected: "libstage-\(name).so in one of: " + folders.joined(separator: ", "),
                help: near.map { "did you mean \"\($0)\"?" }
                    ?? "put the library into one of these folders, or name the folder with --plugin-path"))
    }

    /// Every plugin that a name can stand for, sorted; where two have one name, the one that is used.
    package func available() -> [Found] {
        var found: [String: Found] = [:]
        for folder in folders {
            for file in filesIn(folder) where file.hasPrefix("libstage-") && file.hasSuffix(".so") {
                let name = Self.name(of: file)
                if found[name] == nil { found[name] = Found(name: name, path: "\(folder)/\(file)") }
            }
        }
        return found.values.sorted { $0.name < $1.name }
    }
}
