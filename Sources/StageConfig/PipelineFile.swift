import Glibc

/// Reads a pipeline file from disk. The one place in this module that knows that there are files.
package enum PipelineFile {
    /// Why a file could not be read.
    package struct Problem: Error, Sendable {
        package var diagnostic: Diagnostic
        /// Whether the file is simply not there.
        package var isMissing: Bool
    }

    /// The text of the file, and the folder that its relative paths start from.
    package static func read(_ path: String) -> Result<(source: SourceText, directory: String), Problem> {
        guard let resolved = absolute(path) else { return .failure(problem(path, errno)) }
        let descriptor = unsafe open(resolved, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .failure(problem(path, errno)) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return .failure(problem(path, errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            return .failure(
                Problem(
                    diagnostic: Diagnostic(
                        "\(path) is no pipeline file", found: isFolder ? "a folder" : "a device or a pipe",
                        expected: "a JSON5 file", help: isFolder ? "name a file in it" : nil), isMissing: true))
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        // One byte beyond the limit is enough for the parser to refuse the file with its own words.
        while bytes.count <= ConfigParser.maximumBytes {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failure(problem(path, errno)) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        let directory = resolved.lastIndex(of: "/").map { String(resolved[..<$0]) } ?? ""
        return .success((SourceText(name: path, bytes: bytes), directory.isEmpty ? "/" : directory))
    }

    /// The absolute path without links and dots; nil, with errno set, when there is no such file.
    package static func absolute(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    private static func problem(_ path: String, _ code: Int32) -> Problem {
        let reason = unsafe String(cString: strerror(code))
        return Problem(
            diagnostic: Diagnostic(
                "cannot read the pipeline file \(path)", found: reason, expected: "a readable JSON5 file",
                help: "check the path"), isMissing: code == ENOENT || code == ENOTDIR)
    }
}
