import Glibc
import StageWire

/// Sends frames to the host, from any thread, each whole.
@safe final class FrameWriter: @unchecked Sendable {
    private let descriptor: Int32
    private let lock = Lock()

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Sends a frame with at most one block, made of a table and its bytes as they lie in memory.
    ///
    /// Fills in the lengths and checksums. A block that is large goes into `room`, if it fits there, where its bytes may be
    /// already. A host that has gone ends the worker: there is nobody left to work for.
    func send(
        _ header: FrameHeader, table: UnsafeRawBufferPointer, bytes: UnsafeRawBufferPointer, items: [UInt8],
        room: UnsafeMutableRawBufferPointer? = nil
    ) {
        let length = Block.length(count: table.count / WireLimits.tableEntryBytes, bytes: bytes.count)
        guard let room = unsafe room, length >= WireLimits.sharedBlocksFrom, length <= room.count else {
            unsafe sendWhole(header, table: table, bytes: bytes, items: items)
            return
        }
        var header = header
        header.flags |= FrameHeader.shared
        header.blocksLength = UInt32(length)
        header.secondArgument = UInt64(unsafe Self.lay(table, bytes, in: room, length: length))
        unsafe sendWhole(header, table: Self.nothing, bytes: Self.nothing, items: items)
    }

    /// Makes a block in `room`, around the bytes if they are there and leave room for the table.
    ///
    /// - Returns: Where in the room it begins.
    private static func lay(
        _ table: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer, in room: UnsafeMutableRawBufferPointer, length: Int
    ) -> Int {
        guard let base = room.baseAddress else { return 0 }
        let head = WireLimits.blockHeaderBytes + table.count
        var start = 0
        if let found = bytes.baseAddress {
            let before = unsafe found - UnsafeRawPointer(base) - head
            if before >= 0, before <= room.count - length { start = before }
            let target = unsafe base + start + head
            if unsafe target != found { unsafe memmove(target, found, bytes.count) }
        }
        if let source = table.baseAddress { unsafe memcpy(base + start + WireLimits.blockHeaderBytes, source, table.count) }
        unsafe memset(base + start + head + bytes.count, 0, length - head - bytes.count)
        let block = unsafe UnsafeMutableRawBufferPointer(rebasing: room[start..<start + length])
        unsafe Block.encodeHeader(
            into: block, count: UInt32(table.count / WireLimits.tableEntryBytes), bytesLength: UInt32(bytes.count),
            length: UInt32(length), checksum: checksum(of: UnsafeRawBufferPointer(rebasing: block[WireLimits.blockHeaderBytes...])))
        return start
    }

    private static var nothing: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: nil, count: 0) }

    private func sendWhole(
        _ header: FrameHeader, table: UnsafeRawBufferPointer, bytes: UnsafeRawBufferPointer, items: [UInt8]
    ) {
        var header = header
        unsafe withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { scratch in
            // 0: frame header, 64: block header, 96: eight zeros for the padding, 128: five vectors.
            guard let start = scratch.baseAddress else { return }
            unsafe memset(start, 0, 128)
            let vectors = unsafe UnsafeMutableBufferPointer(
                start: (start + 128).bindMemory(to: iovec.self, capacity: 5), count: 5)
            let count = table.count / WireLimits.tableEntryBytes
            var padding = 0
            if count > 0 {
                let length = Block.length(count: count, bytes: bytes.count)
                padding = length - WireLimits.blockHeaderBytes - table.count - bytes.count
                var sum = unsafe checksum(of: bytes, after: checksum(of: table))
                sum = unsafe checksum(of: UnsafeRawBufferPointer(rebasing: scratch[96..<96 + padding]), after: sum)
                unsafe Block.encodeHeader(
                    into: UnsafeMutableRawBufferPointer(rebasing: scratch[64..<96]), count: UInt32(count),
                    bytesLength: UInt32(bytes.count), length: UInt32(length), checksum: sum)
                header.blocksLength = UInt32(length)
            }
            header.extraLength = UInt32(items.count)
            header.extraChecksum = checksum(of: items)
            unsafe header.encode(into: UnsafeMutableRawBufferPointer(rebasing: scratch[0..<64]))
            unsafe items.withUnsafeBytes { items in
                unsafe vectors[0] = unsafe iovec(iov_base: start, iov_len: count > 0 ? 96 : 64)
                unsafe vectors[1] = unsafe iovec(iov_base: UnsafeMutableRawPointer(mutating: table.baseAddress), iov_len: table.count)
                unsafe vectors[2] = unsafe iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: count > 0 ? bytes.count : 0)
                unsafe vectors[3] = unsafe iovec(iov_base: start + 96, iov_len: padding)
                unsafe vectors[4] = unsafe iovec(iov_base: UnsafeMutableRawPointer(mutating: items.baseAddress), iov_len: items.count)
                unsafe write(vectors)
            }
        }
    }

    func send(_ header: FrameHeader, items: [UInt8] = []) {
        unsafe sendWhole(header, table: Self.nothing, bytes: Self.nothing, items: items)
    }

    private func write(_ vectors: UnsafeMutableBufferPointer<iovec>) {
        _ = lock.take()
        defer { lock.release() }
        var first = 0
        while first < vectors.count {
            if unsafe vectors[first].iov_len == 0 {
                first += 1
                continue
            }
            guard let base = vectors.baseAddress else { return }
            var wrote = unsafe writev(descriptor, base + first, Int32(vectors.count - first))
            if wrote < 0 {
                if errno == EINTR { continue }
                depart(Departure.system("answer to the host", errno))
            }
            while wrote > 0, first < vectors.count {
                let taken = unsafe min(wrote, vectors[first].iov_len)
                unsafe vectors[first].iov_base = unsafe vectors[first].iov_base.map { unsafe $0 + taken }
                unsafe vectors[first].iov_len -= taken
                wrote -= taken
                if unsafe vectors[first].iov_len == 0 { first += 1 }
            }
        }
    }
}
