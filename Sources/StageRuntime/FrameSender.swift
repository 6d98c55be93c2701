import Glibc
import LinuxIO
import StageModel
import StageWire

/// Frames on their way into a worker's pipe, written as far as the pipe takes them.
///
/// Header and payload leave in one `writev`; payload bytes are never copied in this process.
final class FrameSender {
    private struct Piece {
        /// Keeps what `bytes` points to alive.
        var header: [UInt8] = []
        var payload: BlockPayload?

        var count: Int { payload?.byteCount ?? header.count }
    }

    private var pieces: [Piece] = []
    /// Bytes of the first piece that are written already.
    private var offset = 0

    var isEmpty: Bool { pieces.isEmpty }

    /// Appends a frame: header, blocks, extra. The lengths and the checksum of the header are filled in.
    func add(_ header: FrameHeader, blocks: [BlockPayload] = [], extra: [UInt8] = []) {
        var header = header
        header.blocksLength = UInt32(blocks.reduce(0) { $0 + $1.byteCount })
        header.extraLength = UInt32(extra.count)
        header.extraChecksum = checksum(of: extra)
        var bytes = [UInt8](repeating: 0, count: WireLimits.frameHeaderBytes)
        unsafe bytes.withUnsafeMutableBytes { unsafe header.encode(into: $0) }
        if blocks.isEmpty { bytes += extra }
        pieces.append(Piece(header: bytes))
        guard !blocks.isEmpty else { return }
        for block in blocks where block.byteCount > 0 { pieces.append(Piece(payload: block)) }
        if !extra.isEmpty { pieces.append(Piece(header: extra)) }
    }

    /// Writes what the pipe takes. `.bytes` means that nothing is left.
    func flush(to descriptor: borrowing Descriptor) -> Transfer {
        while !pieces.isEmpty {
            let transfer = unsafe withVectors { unsafe descriptor.write(vectors: $0) }
            guard case .bytes(let count) = transfer else { return transfer }
            advance(by: count)
        }
        return .bytes(0)
    }

    private func advance(by count: Int) {
        var left = count + offset
        var whole = 0
        while whole < pieces.count, left >= pieces[whole].count {
            left -= pieces[whole].count
            whole += 1
        }
        pieces.removeFirst(whole)
        offset = left
    }

    /// Calls `body` with the pieces as vectors, the first one without what is written already. The pieces stay alive
    /// during the call.
    private func withVectors(_ body: (UnsafeBufferPointer<iovec>) -> Transfer) -> Transfer {
        let count = min(pieces.count, 16)
        return unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
            func fill(_ position: Int) -> Transfer {
                guard position < count else { return unsafe body(UnsafeBufferPointer(vectors)) }
                let skip = position == 0 ? offset : 0
                func place(_ bytes: UnsafeRawBufferPointer) -> Transfer {
                    unsafe vectors[position] = iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress! + skip),
                        iov_len: bytes.count - skip)
                    return fill(position + 1)
                }
                if let payload = pieces[position].payload { return unsafe place(payload.blocks) }
                return unsafe pieces[position].header.withUnsafeBytes { unsafe place($0) }
            }
            return fill(0)
        }
    }
}
