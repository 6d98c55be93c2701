/// The files that a source reads one after another.
package enum InputFiles {
    /// The files of all `patterns`, those of one pattern sorted by the bytes of their paths, each once. Throws when a pattern
    /// is wrong (under the configuration key `key`), matches nothing, or a name is not UTF-8: checkpoints are JSON.
    package static func find(_ patterns: [String], key: String, _ host: Host) throws -> [[UInt8]] {
        var files: [[UInt8]] = []
        var seen: Set<[UInt8]> = []
        for pattern in patterns {
            let found: [[UInt8]]
            do {
                found = try Glob(pattern).files { host.log(.warning, "\($0)") }
            } catch {
                throw ConfigurationError(path: [key], problem: "\(error)")
            }
            guard !found.isEmpty else {
                throw StageFailure.fatal(
                    "no input: no file matches \(JSON.quote(pattern)); paths are relative to the pipeline file")
            }
            for file in found where seen.insert(file).inserted {
                let isText = file.withStageBytes { unsafe firstInvalidUTF8(in: $0) == nil }
                guard isText else {
                    throw StageFailure.fatal("\(name(file)): the name is not UTF-8; rename the file, or leave it out")
                }
                files.append(file)
            }
        }
        return files
    }

    /// The file for people.
    package static func name(_ file: [UInt8]) -> String { String(decoding: file, as: UTF8.self) }
}
