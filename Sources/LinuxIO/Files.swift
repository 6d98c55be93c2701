import CLinux
import Glibc

/// The whole content of a file of moderate size (at most `limit` bytes).
package func readSmallFile(_ path: String, limit: Int = 64 << 20) throws(SystemError) -> [UInt8] {
    let file = try Descriptor.open(path, flags: O_RDONLY)
    // One byte more than there should be, so that the end shows without another read into new memory.
    var facts = stat()
    let size = unsafe fstat(file.number, &facts) == 0 ? Int(facts.st_size) : 0
    var content: [UInt8] = []
    while true {
        let room = content.isEmpty ? min(max(size, 4_095), limit) + 1 : 65_536
        var problem: SystemError?
        let part = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            loop: while count < room {
                switch unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])) {
                case .bytes(let got): count += got
                case .closed, .wouldBlock: break loop
                case .failed(let error):
                    problem = SystemError("read", path, code: error.code)
                    break loop
                }
            }
        }
        if let problem { throw problem }
        if content.isEmpty { content = part } else { content += part }
        if content.count > limit { throw SystemError("read", path, code: EFBIG) }
        if part.count < room { return content }
    }
}

/// Replaces a file as a whole: a temporary file beside it, then rename(2); with `durable` both are on disk when it returns.
package func writeFileAtomically(_ path: String, _ bytes: [UInt8], durable: Bool) throws(SystemError) {
    let temporary = path + ".new"
    try writeWhole(temporary, bytes, durable: durable)
    guard unsafe rename(temporary, path) == 0 else { throw SystemError("rename", path, code: errno) }
    if durable { try syncDirectory(containing: path) }
}

private func writeWhole(_ path: String, _ bytes: [UInt8], durable: Bool) throws(SystemError) {
    let file = try Descriptor.open(path, flags: O_WRONLY | O_CREAT | O_TRUNC)
    try file.writeAll(bytes)
    if durable, fdatasync(file.number) != 0 { throw SystemError("fdatasync", path, code: errno) }
    try file.close()
}

/// fsync of the directory that holds `path`: makes a created, renamed or removed name durable.
package func syncDirectory(containing path: String) throws(SystemError) {
    let folder = parentFolder(of: path)
    let directory = try Descriptor.open(folder, flags: O_RDONLY | O_DIRECTORY)
    if fsync(directory.number) != 0 { throw SystemError("fsync", folder, code: errno) }
}

/// Everything before the last slash; "." when there is none.
package func parentFolder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// mkdir(2) of a folder and of those above it, as far as they are missing.
package func createFolders(_ path: String) throws(SystemError) {
    if unsafe mkdir(path, 0o755) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, parentFolder(of: path) != path else { throw SystemError("mkdir", path, code: errno) }
    try createFolders(parentFolder(of: path))
    if unsafe mkdir(path, 0o755) != 0, errno != EEXIST { throw SystemError("mkdir", path, code: errno) }
}

/// The names in a folder, without "." and "..", sorted.
package func namesIn(_ path: String) throws(SystemError) -> [String] {
    guard let folder = unsafe opendir(path) else { throw SystemError("opendir", path, code: errno) }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
            unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

package func fileExists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

/// What `stat` says of a file; nil when there is none.
package struct FileFacts: Sendable, Equatable {
    package var bytes: UInt64
    package var isFolder: Bool
    package var isRegular: Bool
    package var modifiedSeconds: Int64

    package init?(of path: String) {
        var facts = stat()
        guard unsafe stat(path, &facts) == 0 else { return nil }
        bytes = UInt64(max(0, facts.st_size))
        isFolder = facts.st_mode & S_IFMT == S_IFDIR
        isRegular = facts.st_mode & S_IFMT == S_IFREG
        modifiedSeconds = Int64(facts.st_mtim.tv_sec)
    }
}

/// Removes a folder and everything in it; symbolic links are removed, not followed.
package func removeTree(_ path: String) throws(SystemError) {
    var facts = stat()
    guard unsafe lstat(path, &facts) == 0 else { return }
    if facts.st_mode & S_IFMT == S_IFDIR {
        for name in try namesIn(path) { try removeTree(path + "/" + name) }
        if unsafe rmdir(path) != 0 { throw SystemError("rmdir", path, code: errno) }
    } else if unsafe unlink(path) != 0 {
        throw SystemError("unlink", path, code: errno)
    }
}

/// realpath(3); nil when there is no such file.
package func absolutePath(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

/// The working directory.
package func currentFolder() -> String {
    guard let path = unsafe getcwd(nil, 0) else { return "." }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
}

/// A lock on a file that dies with its holder: flock(2). There is nothing to clean up after a crash.
package struct FileLock: ~Copyable {
    private let file: Descriptor

    /// - Returns: nil when another process holds the lock.
    package static func take(_ path: String) throws(SystemError) -> FileLock? {
        let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT, mode: 0o600)
        let result = clinux_flock_exclusive(file.number)
        if result == -EWOULDBLOCK { return nil }
        try check("flock", path, result)
        return FileLock(file: file)
    }
}
