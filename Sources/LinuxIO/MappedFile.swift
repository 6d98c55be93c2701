import CLinux
import Glibc

/// A file mapped into memory and shared with other processes.
///
/// Invariants: `base` is valid for `size` bytes until `deinit`; what is read there may change at any time, because another
/// process writes to it; so each value is read once, and checked after it was read.
@safe package final class MappedFile {
    package let descriptor: Int32
    package let size: Int
    private let base: UnsafeMutableRawPointer

    /// Makes the file (or takes the one that is there) with zeros up to `size`, and maps it. Where the disk is full, the
    /// memory has no name and is shared by its descriptor only.
    package init(creating path: String, size: Int) throws(SystemError) {
        let file = try Self.allocated(path, size)
        guard let map = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0),
            unsafe map != MAP_FAILED
        else { throw SystemError("mmap", path, code: errno) }
        unsafe base = map
        self.size = size
        descriptor = file.release()
    }

    /// A file whose bytes have their place on the disk: a store into a hole would end this process with SIGBUS when there
    /// is no room left for it.
    private static func allocated(_ path: String, _ size: Int) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
            let error = posix_fallocate(file.number, 0, off_t(size))
            guard error == 0 else { throw SystemError("posix_fallocate", path, code: error) }
            return file
        } catch {
            guard error.code == ENOSPC || error.code == EDQUOT else { throw error }
            _ = unsafe unlink(path)
            let memory = Descriptor(owning: unsafe try check("memfd_create", path, clinux_memfd("page")))
            guard ftruncate(memory.number, off_t(size)) == 0 else { throw SystemError("ftruncate", path, code: errno) }
            return memory
        }
    }

    deinit {
        unsafe munmap(base, size)
        _ = close(descriptor)
    }

    package func load32(_ offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset + 4 <= size)
        return unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }

    package func load64(_ offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset + 8 <= size)
        return unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    package func store32(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= size)
        unsafe base.storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
    }

    package func store64(_ value: UInt64, at offset: Int) {
        precondition(offset >= 0 && offset + 8 <= size)
        unsafe base.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    package func store(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset + bytes.count <= size)
        for (index, byte) in bytes.enumerated() {
            unsafe base.storeBytes(of: byte, toByteOffset: offset + index, as: UInt8.self)
        }
    }

    /// Stores a word and wakes whoever waits for it in another process (futex).
    package func publish32(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset % 4 == 0 && offset + 4 <= size)
        let word = unsafe (base + offset).assumingMemoryBound(to: UInt32.self)
        unsafe word.pointee = value
        _ = unsafe clinux_futex_wake_all(word)
    }

    /// A copy of some bytes.
    package func bytes(_ offset: Int, _ count: Int) -> [UInt8] {
        precondition(offset >= 0 && count >= 0 && offset + count <= size)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: base + offset, count: count))
    }
}
