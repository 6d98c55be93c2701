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
        // Somebody who only looks whether the job is taken holds the lock for an instant.
        var lock = try FileLock.take(path + "/" + JobLayout.lock)
        var looksLeft = 10
        while lock == nil, looksLeft > 0 {
            looksLeft -= 1
            _ = poll(nil, 0, 10)
            lock = try FileLock.take(path + "/" + JobLayout.lock)
        }
        guard let lock = consume lock else { return nil }
        for folder in [JobLayout.logs, JobLayout.plugins, JobLayout.pages, JobLayout.text] {
            try createFolders(path + "/" + folder)
        }
        return JobDirectory(path: path, lock: lock)
    }

    /// Whether a host has the job at this moment. Any number of processes may ask at once.
    package static func isTaken(_ path: String) -> Bool {
        guard let file = try? Descriptor.open(path + "/" + JobLayout.lock, flags: O_RDONLY) else { return false }
        // A shared lock is in nobody's way but a host's, and `take` is patient.
        return flock(file.number, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
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
    /// - Parameter durable: The copy is on the disk when this returns: what is brought in may be gone afterwards.
    package func keepPlugin(_ original: String, durable: Bool = false) throws(SystemError) -> PluginBuild {
        try Self.keepPlugin(original, in: path, durable: durable)
    }

    /// Copies the plugins of a job in, each file once.
    ///
    /// - Returns: The copies, by the path of the original.
    package func keepPlugins(_ originals: [String]) throws(SystemError) -> [String: PluginBuild] {
        var builds: [String: PluginBuild] = [:]
        for file in originals where builds[file] == nil { builds[file] = try Self.keepPlugin(file, in: path, durable: false) }
        return builds
    }

    static func keepPlugin(_ original: String, in path: String, durable: Bool) throws(SystemError) -> PluginBuild {
        // A pipe or a device would be read for ever.
        guard let facts = FileFacts(of: original), facts.isRegular else { throw SystemError("copy", original, code: EINVAL) }
        let bytes = try readSmallFile(original, limit: 1 << 30)
        let digest = digest(of: bytes)
        let copy = Self.copyPath(digest: digest, of: original, in: path)
        if FileFacts(of: copy)?.bytes != UInt64(bytes.count) {
            try createFolders(parentFolder(of: copy))
            try writeFileAtomically(copy, bytes, durable: durable)
        }
        return PluginBuild(path: copy, digest: digest, origin: original)
    }

    /// The place of a plugin's copy in a job directory.
    package static func copyPath(digest: String, of original: String, in path: String) -> String {
        let name = original.split(separator: "/").last.map(String.init) ?? original
        return path + "/" + JobLayout.plugins + "/" + digest.prefix(16) + "/" + name
    }

    /// A copy that the job keeps, if it is whole.
    package func keptBuild(digest: String, origin: String) -> PluginBuild? {
        let copy = Self.copyPath(digest: digest, of: origin, in: path)
        guard let bytes = try? readSmallFile(copy, limit: 1 << 30), LinuxIO.digest(of: bytes) == digest else { return nil }
        return PluginBuild(path: copy, digest: digest, origin: origin)
    }

    /// Forgets the pages of workers of an earlier host. Not before `AttemptLedger` has read them.
    package func clearPages() throws(SystemError) { try Self.clearPages(of: path) }

    static func clearPages(of path: String) throws(SystemError) {
        let folder = path + "/" + JobLayout.pages
        for name in try namesIn(folder) { try removeTree(folder + "/" + name) }
    }
}
