import Glibc
package import StageModel
import StageWire

/// Blocks of records as they came over the wire or from a log: in memory of their own, or where their worker has written
/// them in the shared memory.
///
/// Invariants: `base` is valid for `byteCount` bytes until `deinit`, which were validated blocks at `init`. In memory of
/// its own they are not written to afterwards. In the shared memory whoever made them has no reason to write there again; but
/// it could, so that readers in this process check bounds themselves.
@safe package final class BlockPayload: Payload, @unchecked Sendable {
    private let base: UnsafeRawPointer
    /// nil: `base` is our own.
    private let room: Room?
    /// CRC32C of the bytes as it was when they were validated; nil when they were not.
    let checksum: UInt32?

    /// Takes over `buffer`, which was made by `allocate`, and whose first `blocksLength` bytes are valid blocks.
    init(owning buffer: UnsafeMutableRawBufferPointer, blocksLength: Int, records: UInt64, checksum: UInt32? = nil) {
        unsafe base = UnsafeRawPointer(buffer.baseAddress!)
        room = nil
        place = nil
        self.checksum = checksum
        super.init(recordCount: records, byteCount: blocksLength)
    }

    /// Takes over a room, of which `range` are valid blocks.
    init(in room: Room, _ range: Range<Int>, records: UInt64, checksum: UInt32) {
        self.checksum = checksum
        unsafe base = room.bytes(range).baseAddress!
        place = SharedPlace(offset: room.offset + range.lowerBound, length: range.count)
        room.trim(to: range)
        self.room = room
        super.init(recordCount: records, byteCount: range.count)
    }

    deinit {
        if room == nil { unsafe free(UnsafeMutableRawPointer(mutating: base)) }
    }

    /// Where it is in the shared memory; nil when it is not there.
    let place: SharedPlace?

    /// Memory for a payload. Never empty.
    static func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
        guard let memory = unsafe malloc(max(count, 1)) else {
            fatalError("out of memory: \(count) bytes for a batch")  // nothing can be saved without memory
        }
        return unsafe UnsafeMutableRawBufferPointer(start: memory, count: count)
    }

    /// Copies validated blocks.
    package convenience init(copying bytes: UnsafeRawBufferPointer, records: UInt64) {
        let buffer = unsafe Self.allocate(bytes.count)
        unsafe buffer.copyMemory(from: bytes)
        unsafe self.init(owning: buffer, blocksLength: bytes.count, records: records)
    }

    /// The blocks; valid as long as the payload.
    package var blocks: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base, count: byteCount)
    }
}

/// A checkpoint: bytes that only the plugin understands.
package final class CheckpointPayload: Payload, @unchecked Sendable {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        super.init(recordCount: 0, byteCount: bytes.count)
    }
}
