/// Some bytes on their way through the host, seen from where nobody looks inside.
///
/// The scheduler passes payloads on and counts their bytes; only the runtime knows that they are buffers, and only the
/// workers know what is in them. A payload lives as long as somebody refers to it.
package class Payload {
    /// Records in it; 0 for checkpoints and other payloads that hold none.
    package let recordCount: UInt64
    /// What it takes in memory.
    package let byteCount: Int

    package init(recordCount: UInt64, byteCount: Int) {
        self.recordCount = recordCount
        self.byteCount = byteCount
    }
}
