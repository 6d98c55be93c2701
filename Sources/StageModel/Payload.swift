/// Some bytes on their way through the host, seen from where nobody looks inside.
///
/// The scheduler passes payloads on and counts their bytes; only the runtime knows that they are buffers, and only the
/// workers know what is in them. A payload lives as long as somebody refers to it, and never changes once it is made:
/// that is why threads may share it. Open, because a subclass in another module of the package needs just that.
open class Payload: @unchecked Sendable {
    /// Records in it; 0 for checkpoints and other payloads that hold none.
    public let recordCount: UInt64
    /// What it takes in memory.
    public let byteCount: Int

    public init(recordCount: UInt64, byteCount: Int) {
        self.recordCount = recordCount
        self.byteCount = byteCount
    }
}
