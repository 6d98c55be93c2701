import Glibc

/// Reads the entries of folders.
enum Folder {
    /// One entry: its name, and what it is as far as the folder knows.
    struct Entry {
        let name: [UInt8]

        /// Nil when the folder does not say.
        let kind: Paths.Kind?
    }

    /// The entries of `path`, without "." and "..", in no particular order.
    static func entries(of path: [UInt8]) throws(SystemError) -> [Entry] {
        guard let folder = unsafe withPath(path, { unsafe opendir($0) }) else {
            throw SystemError(path, "read the folder")
        }
        defer { unsafe closedir(folder) }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(folder) else { break }
            let name = unsafe name(of: entry)
            if name == [0x2E] || name == [0x2E, 0x2E] { continue }
            entries.append(Entry(name: name, kind: unsafe kind(entry.pointee.d_type)))
        }
        guard errno == 0 else { throw SystemError(path, "read the folder") }
        return entries
    }

    private static func kind(_ type: UInt8) -> Paths.Kind? {
        switch Int(type) {
        case Int(DT_REG): .file
        case Int(DT_DIR): .folder
        case Int(DT_LNK): .link
        case Int(DT_UNKNOWN): nil
        default: .other
        }
    }

    /// The NUL-terminated name at the end of the entry.
    private static func name(of entry: UnsafeMutablePointer<dirent>) -> [UInt8] {
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return [] }
        let start = unsafe UnsafeRawPointer(entry) + offset
        let length = unsafe strlen(start.assumingMemoryBound(to: CChar.self))
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: length))
    }
}
