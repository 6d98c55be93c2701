import Glibc
package import LinuxIO

/// The folder of one job, locked for the host that runs it.
///
/// The lock is one on a descriptor: it ends with the process that holds it, however that ends, so that a killed host never
/// leaves anything to clean up by hand.
package struct JobDirectory: ~Copyable {
    package let path: String
    private let lock: FileLock

    /// Makes the folder if it is missing, and locks it.
    ///
    /// - Returns: nil when another host has it.
    package static func take(_ path: String) throws(SystemError) -> JobDirectory? {
        try createFolders(path)
        guard let lock = try FileLock.take(path + "/" + JobLayout.lock) else { return nil }
        for folder in [JobLayout.logs, JobLayout.plugins, JobLayout.pages, JobLayout.text] {
            try createFolders(path + "/" + folder)
        }
        return JobDirectory(path: path, lock: lock)
    }

    /// Whether a host has the job at this moment.
    package static func isTaken(_ path: String) -> Bool {
        guard fileExists(path + "/" + JobLayout.lock) else { return false }
        guard let lock = try? FileLock.take(path + "/" + JobLayout.lock) else { return true }
        _ = consume lock
        return false
    }

    /// Removes everything but the lock: the job starts over.
    package func clear() throws(SystemError) {
        for name in try namesIn(path) where name != JobLayout.lock { try removeTree(path + "/" + name) }
        for folder in [JobLayout.logs, JobLayout.plugins, JobLayout.pages, JobLayout.text] {
            try createFolders(path + "/" + folder)
        }
    }

    /// Copies a plugin in, under a name made of its content: overwriting the original during a run is safe, and the job
    /// knows which code did what.
    ///
    /// - Returns: The copy and its SHA-256.
    package func keepPlugin(_ original: String) throws(SystemError) -> (path: String, digest: String) {
        let bytes = try readSmallFile(original, limit: 1 << 30)
        let digest = digest(of: bytes)
        let name = original.split(separator: "/").last.map(String.init) ?? original
        let folder = path + "/" + JobLayout.plugins + "/" + digest.prefix(16)
        let copy = folder + "/" + name
        if FileFacts(of: copy)?.bytes != UInt64(bytes.count) {
            try createFolders(folder)
            try writeFileAtomically(copy, bytes, durable: false)
        }
        return (copy, digest)
    }

    /// Forgets the pages of workers of an earlier host.
    package func clearPages() throws(SystemError) {
        let folder = path + "/" + JobLayout.pages
        for name in try namesIn(folder) { try removeTree(folder + "/" + name) }
    }
}
