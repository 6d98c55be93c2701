import Glibc
package import StageModel

/// Blocks of records as they came over the wire or from a log, in memory of their own.
///
/// Invariants: `base` is valid for `capacity` bytes until `deinit`; the first `byteCount` of them are validated blocks, and
/// are not written to after `init`.
@safe package final class BlockPayload: Payload, @unchecked Sendable {
    private let base: UnsafeMutableRawPointer

    /// Takes over `buffer`, which was made by `allocate`, and whose first `blocksLength` bytes are valid blocks.
    init(owning buffer: UnsafeMutableRawBufferPointer, blocksLength: Int, records: UInt64) {
        unsafe base = buffer.baseAddress!
        super.init(recordCount: records, byteCount: blocksLength)
    }

    deinit {
        unsafe free(base)
    }

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
