import CWorker
import Glibc
import StageWire

/// The memory that host and workers share, seen from a worker: mapped for reading where the plugin gets its records from, and
/// once more, for writing, where no pointer of the plugin leads.
///
/// Only `Parcel` and `FrameWriter` write to it, into the room of a request that has not been answered. A wild pointer of the plugin
/// can spoil what is in this process, but not what is on its way to others. Invariants: the mappings are never undone, and the
/// memory cannot shrink.
@safe final class PayloadMemory: @unchecked Sendable {
    private static let pageBytes = 4_096

    private let base: UnsafeRawPointer
    /// nil where the system has no such place: results then travel in frames.
    private let apart: UnsafeMutableRawPointer?
    /// A byte for each page: 1 once it has been made sure that storing to it needs no memory. Of a room only the thread that has
    /// the request looks at them.
    private let isPopulated: UnsafeMutablePointer<UInt8>?
    let size: Int

    /// Maps the memory behind both descriptors, and closes them.
    init(reading: Int32, writing: Int32) throws(Departure) {
        var mapping: UnsafeMutableRawPointer?
        var size = 0
        let error = unsafe cworker_map_for_reading(reading, &mapping, &size)
        guard error == 0, let mapping = unsafe mapping else {
            throw .confused("payloads (descriptor \(reading)): \(errorText(error)); the host passes its memory there")
        }
        unsafe base = UnsafeRawPointer(mapping)
        self.size = size
        unsafe apart = cworker_map_apart(writing, size)
        unsafe isPopulated = calloc(size / Self.pageBytes + 1, 1)?.assumingMemoryBound(to: UInt8.self)
        close(reading)
        close(writing)
    }

    /// A view of some bytes, which lie inside.
    func bytes(at place: SharedPlace) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base + place.offset, count: place.length)
    }

    /// A room, which lies inside, to write to until the request that it came with is answered; nil when there is no memory
    /// for it.
    func room(at place: SharedPlace) -> UnsafeMutableRawBufferPointer? {
        guard place.length > 0, let apart = unsafe apart, let isPopulated = unsafe isPopulated else { return nil }
        let pages = place.offset / Self.pageBytes...(place.offset + place.length - 1) / Self.pageBytes
        if pages.contains(where: { unsafe isPopulated[$0] == 0 }) {
            let length = min(pages.count * Self.pageBytes, size - pages.lowerBound * Self.pageBytes)
            guard unsafe cworker_populate(apart + pages.lowerBound * Self.pageBytes, length) == 0 else { return nil }
            for page in pages { unsafe isPopulated[page] = 1 }
        }
        return unsafe UnsafeMutableRawBufferPointer(start: apart + place.offset, count: place.length)
    }
}
