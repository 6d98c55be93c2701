import Glibc
import StageCommand
import StageConfig

/// What a command finds around it: the environment and the file system, as far as the pure modules ask for them.
enum Surroundings {
    static let environment: [String: String] = {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let pointer = unsafe entry.pointee {
            let text = unsafe String(cString: pointer)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            unsafe entry += 1
        }
        return variables
    }()

    static var executableDirectory: String {
        let path = PipelineFile.absolute("/proc/self/exe") ?? "."
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    static func fileExists(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    static func files(in folder: String) -> [String] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            names.append(name)
        }
        return names.sorted()
    }

    static func locator(for arguments: ParsedCommand, pipelineDirectory: String?) -> PluginLocator {
        PluginLocator(
            pipelineDirectory: pipelineDirectory,
            searchPath: arguments.pluginSearchPath(environment: environment),
            executableDirectory: executableDirectory, fileExists: fileExists, filesIn: files)
    }
}
