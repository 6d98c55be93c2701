import CWorker
import Glibc
import StageWire

/// The memory that host and workers share, seen from a worker: mapped for reading, written by system calls into the rooms
/// that requests name.
///
/// Never mapped for writing: a wild pointer of the plugin can spoil what is in this process, but not what is on its way
/// to others. Invariant: the mapping is never undone, and the memory cannot shrink.
@safe final class PayloadMemory: @unchecked Sendable {
    private let base: UnsafeRawPointer
    private let writing: Int32
    let size: Int

    /// Maps the memory behind `reading`, and closes that descriptor.
    init(reading: Int32, writing: Int32) throws(Departure) {
        var mapping: UnsafeMutableRawPointer?
        var size = 0
        let error = unsafe cworker_map_for_reading(reading, &mapping, &size)
        guard error == 0, let mapping = unsafe mapping else {
            throw .confused("payloads (descriptor \(reading)): \(errorText(error)); the host passes its memory there")
        }
        close(reading)
        unsafe base = UnsafeRawPointer(mapping)
        self.size = size
        self.writing = writing
    }

    /// A view of some bytes, which lie inside.
    func bytes(at place: SharedPlace) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base + place.offset, count: place.length)
    }

    /// Writes all of `vectors` at `offset`; false when the system did not take all of it.
    func write(_ vectors: UnsafeBufferPointer<iovec>, size: Int, at offset: Int) -> Bool {
        var wrote = -1
        repeat {
            wrote = unsafe pwritev(writing, vectors.baseAddress, Int32(vectors.count), off_t(offset))
        } while wrote < 0 && errno == EINTR
        return wrote == size
    }
}
