import Glibc

/// An open file, closed when it goes away. Paths are bytes, as Linux has them.
package struct File: ~Copyable {
    package let path: [UInt8]
    package let descriptor: CInt

    private init(path: [UInt8], flags: CInt, action: String) throws(SystemError) {
        self.path = path
        let opened = unsafe withPath(path) { path in
            var result: CInt
            repeat { result = unsafe open(path, flags | O_CLOEXEC, 0o666) } while result < 0 && errno == EINTR
            return result
        }
        guard opened >= 0 else { throw SystemError(path, action) }
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// Opens a file for reading. A pipe is opened without waiting for its writer: look at `isRegular`.
    package static func reading(_ path: [UInt8]) throws(SystemError) -> File {
        try File(path: path, flags: O_RDONLY | O_NONBLOCK, action: "open it")
    }

    /// Opens a file for writing and reading, and creates it when there is none.
    package static func writing(_ path: [UInt8]) throws(SystemError) -> File {
        try File(path: path, flags: O_RDWR | O_CREAT | O_NONBLOCK, action: "open it for writing")
    }

    /// Makes the entry of a new file in its folder durable.
    package static func syncFolder(of path: [UInt8]) throws(SystemError) {
        let folder = Paths.folder(of: path)
        let file = try File(path: folder, flags: O_RDONLY | O_DIRECTORY, action: "open the folder")
        guard fsync(file.descriptor) == 0 else { throw SystemError(folder, "sync the folder") }
    }

    package func status() throws(SystemError) -> (size: Int, isRegular: Bool) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw SystemError(path, "look at it") }
        return (Int(status.st_size), status.st_mode & S_IFMT == S_IFREG)
    }

    /// Reads up to `buffer.count` bytes at `offset`; 0 at the end of the file.
    @unsafe package func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        while true {
            let count = unsafe pread(descriptor, buffer.baseAddress, buffer.count, offset)
            if count >= 0 { return count }
            guard errno == EINTR else { throw SystemError(path, "read it") }
        }
    }

    /// The whole of a regular file of at most `limit` bytes. Throws ``SystemError`` or ``FileTooLarge``.
    package static func contents(_ path: [UInt8], upTo limit: Int) throws -> [UInt8] {
        let file = try reading(path)
        let (size, isRegular) = try file.status()
        guard isRegular else {
            errno = EINVAL
            throw SystemError(path, "read it: not a regular file")
        }
        guard size <= limit else { throw FileTooLarge(description: "\(String(decoding: path, as: UTF8.self)): has \(size) bytes") }
        return try unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
                let more = unsafe try file.read(into: rest, at: count)
                if more == 0 { break }
                count += more
            }
        }
    }

    /// Writes all of `buffer` at `offset`.
    @unsafe package func write(_ buffer: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
            if count < 0 {
                guard errno == EINTR else { throw SystemError(path, "write to it") }
                continue
            }
            done += count
        }
    }

    package func truncate(to size: Int) throws(SystemError) {
        guard ftruncate(descriptor, size) == 0 else { throw SystemError(path, "cut it to \(size) bytes") }
    }

    /// Makes the content durable.
    package func syncData() throws(SystemError) {
        guard fdatasync(descriptor) == 0 else { throw SystemError(path, "sync it") }
    }

    /// Takes the file for this process alone; false when another has it.
    package func lock() -> Bool {
        flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    /// Tells the kernel that the file is read from front to back.
    package func adviseSequential() {
        _ = posix_fadvise(descriptor, 0, 0, CInt(POSIX_FADV_SEQUENTIAL))
    }
}

/// A file is larger than its reader allows.
package struct FileTooLarge: Error, CustomStringConvertible {
    package let description: String
}

/// Calls `body` with the path as C wants it.
func withPath<Result>(_ path: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let terminated = path.map { CChar(bitPattern: $0) } + [0]
    return unsafe terminated.withUnsafeBufferPointer { buffer in
        guard let start = buffer.baseAddress else { preconditionFailure("a C string has at least its NUL") }
        return unsafe body(start)
    }
}

/// Paths by their bytes.
package enum Paths {
    /// The folder that holds `path`: "." for a bare name.
    package static func folder(of path: [UInt8]) -> [UInt8] {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return Array(".".utf8) }
        return slash == 0 ? Array("/".utf8) : Array(path[..<slash])
    }

    /// Creates the folder that `path` lies in, and those above it.
    package static func createFolder(of path: [UInt8]) throws(SystemError) {
        let folder = folder(of: path)
        for (index, byte) in folder.enumerated() where byte == UInt8(ascii: "/") && index > 0 {
            try create(Array(folder[..<index]))
        }
        try create(folder)
    }

    private static func create(_ folder: [UInt8]) throws(SystemError) {
        let result = unsafe withPath(folder) { unsafe mkdir($0, 0o777) }
        guard result != 0, errno != EEXIST else { return }
        // "." and mount points may answer otherwise, although they are there.
        let code = errno
        guard kind(of: folder, followingLinks: true) != .folder else { return }
        errno = code
        throw SystemError(folder, "create the folder")
    }

    package enum Kind: Sendable {
        case file, folder, link, other
    }

    /// What `path` is, or nil when it is not there or cannot be looked at.
    package static func kind(of path: [UInt8], followingLinks: Bool) -> Kind? {
        var status = stat()
        let result = unsafe withPath(path) { path in
            unsafe followingLinks ? stat(path, &status) : lstat(path, &status)
        }
        guard result == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        case S_IFLNK: return .link
        default: return .other
        }
    }
}
