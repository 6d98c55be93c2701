/// The `extra` of a mark: what was before the entries that are still here. See `docs/log-format.md`.
struct Mark: Equatable {
    static let byteCount = 64

    /// Every batch up to here is committed, and may be gone.
    var watermark: UInt64 = 0
    /// Segments below are not part of the log any more.
    var firstSegment: UInt64 = 1
    /// Of all batches up to the watermark, plus corrections.
    var totals = Totals()

    var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes.put(watermark, at: 0)
        bytes.put(firstSegment, at: 8)
        bytes.put(totals.batches, at: 16)
        bytes.put(totals.inputs, at: 24)
        bytes.put(totals.passed, at: 32)
        bytes.put(totals.filtered, at: 40)
        bytes.put(totals.failed, at: 48)
        bytes.put(totals.outputs, at: 56)
        return bytes
    }

    static func decode(_ bytes: [UInt8], at offset: UInt64) throws(Fault) -> Mark {
        guard bytes.count == byteCount else {
            throw Fault(offset, "a mark of \(byteCount) bytes", "\(bytes.count) bytes")
        }
        var totals = Totals()
        totals.batches = bytes.integer(at: 16)
        totals.inputs = bytes.integer(at: 24)
        totals.passed = bytes.integer(at: 32)
        totals.filtered = bytes.integer(at: 40)
        totals.failed = bytes.integer(at: 48)
        totals.outputs = bytes.integer(at: 56)
        return Mark(watermark: bytes.integer(at: 0), firstSegment: bytes.integer(at: 8), totals: totals)
    }
}
