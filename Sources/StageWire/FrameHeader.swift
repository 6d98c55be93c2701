/// What a frame is about. Requests go to the worker, answers come from it.
package enum FrameType: UInt8, Sendable {
    case open = 1
    case read = 2
    case process = 3
    case sync = 4
    case finish = 5
    case close = 6

    case hello = 16
    case ready = 17
    case refused = 18
    case partial = 19
    case result = 20
    case heartbeat = 21

    package var isAnswer: Bool { rawValue >= 16 }
}

/// The fixed 64 bytes that begin every frame; see `docs/wire.md`.
public struct FrameHeader: Sendable, Equatable {
    package var type: FrameType
    package var flags: UInt16 = 0
    package var batch: UInt64 = 0
    package var dispatch: UInt64 = 0
    package var argument: UInt64 = 0
    package var secondArgument: UInt64 = 0
    package var count: UInt32 = 0
    package var status: UInt32 = 0
    package var blocksLength: UInt32 = 0
    package var extraLength: UInt32 = 0
    package var extraChecksum: UInt32 = 0

    @inlinable package static var replay: UInt16 { 1 << 0 }
    @inlinable package static var checkpointWanted: UInt16 { 1 << 1 }
    /// Of a result: its blocks are not in the frame but in the room that the request had named, from `secondArgument` on.
    @inlinable package static var shared: UInt16 { 1 << 2 }

    /// Of a process request: not to be begun unless the request before it has ended well.
    @inlinable package static var follows: UInt16 { 1 << 3 }
    /// Of the result of such a request: it was not begun.
    @inlinable package static var notBegun: UInt16 { 1 << 4 }

    static let magic: UInt32 = 0x3146_4853

    package init(_ type: FrameType) {
        self.type = type
    }

    /// Bytes that follow the header. Both lengths have been checked against their limits.
    package var payloadLength: Int { inlineBlocksLength + Int(extraLength) }

    package var isShared: Bool { flags & Self.shared != 0 }

    /// Bytes of blocks in the frame itself.
    package var inlineBlocksLength: Int { isShared ? 0 : Int(blocksLength) }

    /// Writes the 64 bytes, checksum included. `buffer` holds at least so many.
    package func encode(into buffer: UnsafeMutableRawBufferPointer) {
        unsafe buffer.store(Self.magic, at: 0)
        unsafe buffer.store(WireLimits.version, at: 4)
        unsafe buffer.store(type.rawValue, at: 5)
        unsafe buffer.store(flags, at: 6)
        unsafe buffer.store(batch, at: 8)
        unsafe buffer.store(dispatch, at: 16)
        unsafe buffer.store(argument, at: 24)
        unsafe buffer.store(secondArgument, at: 32)
        unsafe buffer.store(count, at: 40)
        unsafe buffer.store(status, at: 44)
        unsafe buffer.store(blocksLength, at: 48)
        unsafe buffer.store(extraLength, at: 52)
        unsafe buffer.store(extraChecksum, at: 56)
        let sum = unsafe checksum(of: UnsafeRawBufferPointer(buffer).part(0, 60))
        unsafe buffer.store(sum, at: 60)
    }

    /// Takes the 64 bytes of a header; believes none of it before the checksum holds.
    package init(decoding bytes: UnsafeRawBufferPointer, expectingAnswer: Bool) throws(WireError) {
        let subject = "frame header"
        guard bytes.count >= WireLimits.frameHeaderBytes else {
            throw WireError(.truncated, subject, found: "\(bytes.count) bytes", expected: "64 bytes")
        }
        let magic = unsafe bytes.load32(0)
        guard magic == Self.magic else {
            throw WireError(.magic, subject, found: hex(magic), expected: hex(Self.magic))
        }
        let version = unsafe bytes[4]
        guard version == WireLimits.version else {
            throw WireError(.version, subject, found: "version \(version)", expected: "version \(WireLimits.version)")
        }
        let stated = unsafe bytes.load32(60)
        let sum = unsafe checksum(of: bytes.part(0, 60))
        guard stated == sum else {
            throw WireError(.checksum, subject, found: hex(sum), expected: hex(stated))
        }
        let raw = unsafe bytes[5]
        guard let type = FrameType(rawValue: raw), type.isAnswer == expectingAnswer else {
            throw WireError(.type, subject, found: "type \(raw)", expected: expectingAnswer ? "an answer" : "a request")
        }
        self.type = type
        unsafe flags = bytes.load16(6)
        unsafe batch = bytes.load64(8)
        unsafe dispatch = bytes.load64(16)
        unsafe argument = bytes.load64(24)
        unsafe secondArgument = bytes.load64(32)
        unsafe count = bytes.load32(40)
        unsafe status = bytes.load32(44)
        unsafe blocksLength = bytes.load32(48)
        unsafe extraLength = bytes.load32(52)
        unsafe extraChecksum = bytes.load32(56)
        guard blocksLength <= WireLimits.maximumBlocksBytes else {
            throw WireError(
                .length, "\(type) frame, blocks", found: "\(blocksLength) bytes",
                expected: "at most \(WireLimits.maximumBlocksBytes)")
        }
        guard extraLength <= WireLimits.maximumExtraBytes else {
            throw WireError(
                .length, "\(type) frame, extra", found: "\(extraLength) bytes",
                expected: "at most \(WireLimits.maximumExtraBytes)")
        }
    }

    /// Checks the second section of the payload against the header's checksum.
    package func checkExtra(_ extra: UnsafeRawBufferPointer) throws(WireError) {
        let sum = unsafe checksum(of: extra)
        guard sum == extraChecksum else {
            throw WireError(.checksum, "\(type) frame, extra", found: hex(sum), expected: hex(extraChecksum))
        }
    }
}

package func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
}
