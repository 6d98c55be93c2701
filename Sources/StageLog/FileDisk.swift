import CLinux
import Glibc

/// The real file system.
package final class FileDisk: Disk {
    package init() {}

    package func createFolder(_ path: String) throws(DiskError) {
        var made: [String] = []
        var missing = path
        while unsafe mkdir(missing, 0o755) != 0 {
            let error = errno
            if error == EEXIST { break }
            guard error == ENOENT, let slash = missing.lastIndex(of: "/"), slash != missing.startIndex else {
                throw DiskError("mkdir", missing, error)
            }
            made.append(missing)
            missing = String(missing[..<slash])
        }
        for folder in made.reversed() where unsafe mkdir(folder, 0o755) != 0 && errno != EEXIST {
            throw DiskError("mkdir", folder, errno)
        }
        for folder in made + [missing] {
            let parent = folder.lastIndex(of: "/").map { String(folder[..<$0]) } ?? "."
            try syncFolder(parent.isEmpty ? "/" : parent)
        }
    }

    package func list(_ folder: String) throws(DiskError) -> [String] {
        guard let stream = unsafe opendir(folder) else { throw DiskError("opendir", folder, errno) }
        defer { unsafe _ = closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw DiskError("readdir", folder, errno) }
                return names
            }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    package func open(_ path: String, writable: Bool) throws(DiskError) -> any DiskFile {
        try RealFile(path, "open", writable ? O_RDWR : O_RDONLY)
    }

    package func create(_ path: String) throws(DiskError) -> any DiskFile {
        try RealFile(path, "create", O_RDWR | O_CREAT | O_EXCL)
    }

    package func rename(_ path: String, to newPath: String) throws(DiskError) {
        if unsafe Glibc.rename(path, newPath) != 0 { throw DiskError("rename", path, errno) }
    }

    package func unlink(_ path: String) throws(DiskError) {
        if unsafe Glibc.unlink(path) != 0 { throw DiskError("unlink", path, errno) }
    }

    package func syncFolder(_ path: String) throws(DiskError) {
        let descriptor = unsafe clinux_open(path, O_RDONLY | O_DIRECTORY, 0)
        if descriptor < 0 { throw DiskError("open", path, -descriptor) }
        defer { close(descriptor) }
        // Some file systems cannot sync a folder and say EINVAL: there is nothing to be done about it there.
        if fsync(descriptor) != 0 && errno != EINVAL { throw DiskError("fsync", path, errno) }
    }
}

/// One descriptor of the real file system, closed with the object.
final class RealFile: DiskFile {
    private let path: String
    private let descriptor: Int32

    init(_ path: String, _ operation: String, _ flags: Int32) throws(DiskError) {
        self.path = path
        descriptor = unsafe clinux_open(path, flags, 0o644)
        if descriptor < 0 { throw DiskError(operation, path, -descriptor) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func size() throws(DiskError) -> UInt64 {
        var information = stat()
        if unsafe fstat(descriptor, &information) != 0 { throw DiskError("fstat", path, errno) }
        return UInt64(clamping: information.st_size)
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var done = 0
        while done < buffer.count {
            let got = unsafe pread(descriptor, base + done, buffer.count - done, off_t(clamping: offset) + done)
            if got == 0 { break }
            if got < 0 {
                if errno == EINTR { continue }
                throw DiskError("pread", path, errno)
            }
            done += got
        }
        return done
    }

    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(DiskError) -> Int {
        // Linux takes at most 1024 parts in one call; the caller writes the rest with the next.
        let vectors = unsafe parts.prefix(1024).map {
            unsafe iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
        }
        while true {
            let written = unsafe pwritev(descriptor, vectors, Int32(vectors.count), off_t(clamping: offset))
            if written > 0 { return written }
            // A write of nothing without an error does not happen on files; taken for a full disk it cannot loop.
            if written == 0 { throw DiskError("pwritev", path, ENOSPC) }
            if errno != EINTR { throw DiskError("pwritev", path, errno) }
        }
    }

    func truncate(to size: UInt64) throws(DiskError) {
        while ftruncate(descriptor, off_t(clamping: size)) != 0 {
            if errno != EINTR { throw DiskError("ftruncate", path, errno) }
        }
    }

    func sync() throws(DiskError) {
        while fdatasync(descriptor) != 0 {
            if errno != EINTR { throw DiskError("fdatasync", path, errno) }
        }
    }
}
