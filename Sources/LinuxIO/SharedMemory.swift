import CLinux
import Glibc

/// Memory without a name that other processes get by its descriptors, of a size that nobody can change.
///
/// Invariants: `base` is valid for `size` bytes until `deinit`, and cannot fault, because the memory cannot shrink. It is
/// mapped for reading. What is in it may change at any time, because other processes write to it: a value is read once, and
/// checked after it was read.
@safe package final class SharedMemory: @unchecked Sendable {
    package let size: Int
    /// Can only be read, and mapped for reading.
    package let reading: Descriptor
    /// Can be written, and mapped for it.
    package let writing: Descriptor
    private let base: UnsafeRawPointer

    /// memfd_create. The system gives pages when they are first written.
    package init(name: String, size: Int) throws(SystemError) {
        var descriptors: (reading: Int32, writing: Int32) = (-1, -1)
        let error = unsafe clinux_shared_memory(name, size, &descriptors.reading, &descriptors.writing)
        guard error == 0 else { throw SystemError("memfd_create", name, code: -error) }
        reading = Descriptor(owning: descriptors.reading)
        writing = Descriptor(owning: descriptors.writing)
        guard let map = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, descriptors.reading, 0), unsafe map != MAP_FAILED
        else { throw SystemError("mmap", name, code: errno) }
        unsafe base = UnsafeRawPointer(map)
        self.size = size
    }

    deinit {
        unsafe munmap(UnsafeMutableRawPointer(mutating: base), size)
    }

    /// A view of some bytes; valid as long as the memory.
    package func bytes(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        precondition(offset >= 0 && count >= 0 && offset <= size - count)
        return unsafe UnsafeRawBufferPointer(start: base + offset, count: count)
    }
}
