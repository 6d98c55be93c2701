import Glibc

/// A disk in memory that keeps what POSIX promises and not a byte more.
///
/// Bytes are safe when their file was synced, names when their folder was. `afterPowerLoss` gives the disk that would
/// be found then. Every operation that changes something has a number, 0, 1, 2, …; any of them can be made to fail, to
/// be short, or to be the last one before the power goes. The same calls and seed give the same disk.
package final class SimulatedDisk: Disk {
    /// What happens at a chosen operation.
    package enum Fault: Sendable {
        /// It fails with this error number, and changes nothing.
        case error(Int32)
        /// A write takes only half of its bytes. Other operations are not touched by it.
        case short
        /// A write takes half of its bytes, and what is left of it fails with this error number.
        case shortThenError(Int32)
        /// The power goes while it is under way: it may or may not have had its effect, and everything fails from then
        /// on.
        case powerLoss
    }

    private enum NameChange {
        case set(String, Int)
        case remove(String)
        case move(String, to: String, Int)
    }

    private var contents: [SimulatedContent] = []
    private var names: [String: Int] = [:]
    private var durableNames: [String: Int] = [:]
    private var pendingNames: [NameChange] = []
    private var folders: Set<String> = []

    /// Operations so far that change something.
    package private(set) var operations = 0
    /// Faults by number of the operation.
    package var faults: [Int: Fault] = [:]
    /// Bytes that fit, over all files; beyond, writes are short and then fail with ENOSPC.
    package var capacity: Int?
    /// Set when the power is gone.
    package private(set) var isDead = false

    package init() {}

    // MARK: Crash

    /// The disk as it is found after a power loss now.
    package func afterPowerLoss(_ loss: PowerLoss, seed: UInt64) -> SimulatedDisk {
        var random = SeededRandom(seed: seed)
        var left = loss == .nothingLost ? names : durableNames
        if loss == .sectorsAndNamesKept || loss == .prefixKept || loss == .lastWriteTorn {
            for change in pendingNames where loss != .sectorsAndNamesKept || Bool.random(using: &random) {
                Self.apply(change, to: &left)
            }
        }
        let result = SimulatedDisk()
        for path in left.keys.sorted() {
            guard let inode = left[path] else { continue }
            result.contents.append(
                SimulatedContent(durable: contents[inode].remains(after: loss, using: &random)))
            result.names[path] = result.contents.count - 1
        }
        result.durableNames = result.names
        result.folders = folders
        return result
    }

    // MARK: For tests

    /// The bytes of a file as a reader sees them.
    package func bytes(_ path: String) -> [UInt8]? { names[path].map { contents[$0].visible } }

    /// Puts a durable file there, whatever was there before.
    package func place(_ bytes: [UInt8], at path: String) {
        contents.append(SimulatedContent(durable: bytes))
        names[path] = contents.count - 1
        durableNames[path] = contents.count - 1
        var folder = path
        while let slash = folder.lastIndex(of: "/") {
            folder = String(folder[..<slash])
            folders.insert(folder)
        }
    }

    package func remove(_ path: String) {
        names[path] = nil
        durableNames[path] = nil
    }

    /// All files, by path.
    package var paths: [String] { names.keys.sorted() }

    // MARK: Disk

    package func createFolder(_ path: String) throws(DiskError) {
        try alive("mkdir", path)
        var folder = path
        folders.insert(folder)
        while let slash = folder.lastIndex(of: "/") {
            folder = String(folder[..<slash])
            folders.insert(folder)
        }
    }

    package func list(_ folder: String) throws(DiskError) -> [String] {
        try alive("opendir", folder)
        guard folders.contains(folder) else { throw DiskError("opendir", folder, ENOENT) }
        return names.keys.filter { Self.folder(of: $0) == folder }.map { String($0.dropFirst(folder.count + 1)) }
    }

    package func open(_ path: String, writable: Bool) throws(DiskError) -> any DiskFile {
        try alive("open", path)
        guard let inode = names[path] else { throw DiskError("open", path, ENOENT) }
        return SimulatedFile(self, path, inode)
    }

    package func create(_ path: String) throws(DiskError) -> any DiskFile {
        guard names[path] == nil else { throw DiskError("create", path, EEXIST) }
        try change("create", path) {
            contents.append(SimulatedContent())
            name(.set(path, contents.count - 1))
        }
        return SimulatedFile(self, path, contents.count - 1)
    }

    package func rename(_ path: String, to newPath: String) throws(DiskError) {
        guard let inode = names[path] else { throw DiskError("rename", path, ENOENT) }
        try change("rename", path) {
            name(.move(path, to: newPath, inode))
        }
    }

    package func unlink(_ path: String) throws(DiskError) {
        guard names[path] != nil else { throw DiskError("unlink", path, ENOENT) }
        try change("unlink", path) { name(.remove(path)) }
    }

    package func syncFolder(_ path: String) throws(DiskError) {
        try change("fsync", path, isSync: true) {
            var others: [NameChange] = []
            for change in pendingNames {
                let name =
                    switch change {
                    case .set(let name, _), .remove(let name), .move(let name, _, _): name
                    }
                if Self.folder(of: name) == path {
                    Self.apply(change, to: &durableNames)
                } else {
                    others.append(change)
                }
            }
            pendingNames = others
        }
    }

    // MARK: Files

    func content(_ inode: Int, _ path: String) throws(DiskError) -> SimulatedContent {
        try alive("pread", path)
        return contents[inode]
    }

    func write(_ bytes: [UInt8], at offset: Int, _ inode: Int, _ path: String) throws(DiskError) -> Int {
        var count = bytes.count
        if let capacity {
            let used = names.values.reduce(0) { $0 + contents[$1].visible.count }
            let overwritten = max(0, contents[inode].visible.count - offset)
            count = max(0, min(count, capacity - used + overwritten))
            if count == 0 && !bytes.isEmpty { throw DiskError("pwritev", path, ENOSPC) }
        }
        switch faults[operations] {
        case .short where count > 1: count = (count + 1) / 2
        case .shortThenError(let error) where count > 1:
            count = (count + 1) / 2
            faults[operations + 1] = .error(error)
        default: break
        }
        try change("pwritev", path) { contents[inode].apply(.write(Array(bytes.prefix(count)), at: offset)) }
        return count
    }

    func truncate(to size: Int, _ inode: Int, _ path: String) throws(DiskError) {
        try change("ftruncate", path) { contents[inode].apply(.truncate(to: size)) }
    }

    func sync(_ inode: Int, _ path: String) throws(DiskError) {
        try change("fdatasync", path, isSync: true) { contents[inode].sync() }
    }

    // MARK: Within

    private func alive(_ operation: String, _ path: String) throws(DiskError) {
        if isDead { throw DiskError(operation, path, EIO) }
    }

    /// One numbered operation. When the power goes during a sync, it has had no effect; any other operation is in the
    /// same state as the ones before it that were not synced.
    private func change(
        _ operation: String, _ path: String, isSync: Bool = false, _ effect: () -> Void
    ) throws(DiskError) {
        try alive(operation, path)
        let fault = faults[operations]
        operations += 1
        switch fault {
        case .error(let error): throw DiskError(operation, path, error)
        case .powerLoss:
            isDead = true
            if !isSync { effect() }
            throw DiskError(operation, path, EIO)
        case .short, .shortThenError, nil: effect()
        }
    }

    private func name(_ change: NameChange) {
        Self.apply(change, to: &names)
        pendingNames.append(change)
    }

    private static func apply(_ change: NameChange, to names: inout [String: Int]) {
        switch change {
        case .set(let path, let inode): names[path] = inode
        case .remove(let path): names[path] = nil
        case .move(let path, let newPath, let inode):
            names[path] = nil
            names[newPath] = inode
        }
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }
}
