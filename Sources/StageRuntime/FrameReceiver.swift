import Glibc
import LinuxIO
import StageModel
import StageWire

/// One frame from a worker: its checked header, and its payload in memory of its own.
@safe struct ReceivedFrame: ~Copyable {
    let header: FrameHeader
    private var buffer: UnsafeMutableRawBufferPointer?

    init(header: FrameHeader, buffer: UnsafeMutableRawBufferPointer?) {
        self.header = header
        unsafe self.buffer = buffer
    }

    deinit {
        if let buffer = unsafe buffer { unsafe free(buffer.baseAddress) }
    }

    var blocks: UnsafeRawBufferPointer {
        guard let buffer = unsafe buffer else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
        return unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[0..<header.inlineBlocksLength])
    }

    var extra: UnsafeRawBufferPointer {
        guard let buffer = unsafe buffer else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
        return unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[header.inlineBlocksLength...])
    }

    /// Turns the memory into a payload of the blocks in it, without a copy.
    consuming func intoPayload(records: UInt64, checksum: UInt32) -> BlockPayload {
        let length = header.inlineBlocksLength
        let taken = unsafe buffer ?? BlockPayload.allocate(0)
        discard self
        return unsafe BlockPayload(owning: taken, blocksLength: length, records: records, checksum: checksum)
    }
}

/// Reads frames from a worker's pipe, as they come, however they are cut.
///
/// Small frames are read many at a time through a staging buffer; of a large one only the beginning goes through it, the
/// rest is read straight into place.
@safe final class FrameReceiver {
    enum Step: ~Copyable {
        case frame(ReceivedFrame)
        /// Nothing more for now.
        case drained
        /// The worker has closed its end.
        case closed
        case invalid(WireError)
        case failed(SystemError)
    }

    private var staging = [UInt8](repeating: 0, count: 65_536)
    private var start = 0
    private var end = 0
    private var header: FrameHeader?
    private var target: UnsafeMutableRawBufferPointer?
    private var filled = 0
    /// The last read took all that the pipe had: the poller says when there is more.
    private var isDrained = false

    deinit {
        if let target = unsafe target { unsafe free(target.baseAddress) }
    }

    /// The poller (or a death) says that there is something: what was found empty is looked at again.
    func lookAgain() { isDrained = false }

    func next(from descriptor: borrowing Descriptor) -> Step {
        while true {
            if header == nil, end - start >= WireLimits.frameHeaderBytes {
                do throws(WireError) { try takeHeader() } catch { return .invalid(error) }
            }
            if let header {
                takeStaged(of: header)
                if filled == header.payloadLength {
                    self.header = nil
                    let buffer = unsafe target
                    unsafe target = nil
                    return unsafe .frame(ReceivedFrame(header: header, buffer: buffer))
                }
            }
            if isDrained { return .drained }
            switch fill(from: descriptor) {
            case .bytes: continue
            case .wouldBlock: return .drained
            case .closed: return .closed
            case .failed(let error): return .failed(error)
            }
        }
    }

    private func takeHeader() throws(WireError) {
        let result: Result<FrameHeader, WireError> = unsafe staging.withUnsafeBytes { raw in
            do throws(WireError) {
                let part = unsafe UnsafeRawBufferPointer(rebasing: raw[start..<start + WireLimits.frameHeaderBytes])
                return .success(unsafe try FrameHeader(decoding: part, expectingAnswer: true))
            } catch {
                return .failure(error)
            }
        }
        let header = try result.get()
        start += WireLimits.frameHeaderBytes
        self.header = header
        filled = 0
        unsafe target = header.payloadLength == 0 ? nil : BlockPayload.allocate(header.payloadLength)
    }

    private func takeStaged(of header: FrameHeader) {
        let count = min(end - start, header.payloadLength - filled)
        guard count > 0, let target = unsafe target else { return }
        unsafe staging.withUnsafeBytes { raw in
            unsafe target.baseAddress!.advanced(by: filled).copyMemory(
                from: raw.baseAddress! + start, byteCount: count)
        }
        start += count
        filled += count
    }

    private func fill(from descriptor: borrowing Descriptor) -> Transfer {
        if let header, header.payloadLength - filled >= staging.count, let target = unsafe target {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[filled...])
            let transfer = unsafe descriptor.read(into: rest)
            if case .bytes(let count) = transfer {
                filled += count
                isDrained = count < rest.count
            }
            return transfer
        }
        if start > 0 {
            if end > start { staging.replaceSubrange(0..<end - start, with: staging[start..<end]) }
            end -= start
            start = 0
        }
        let room = staging.count - end
        let transfer = unsafe staging.withUnsafeMutableBytes { raw in
            unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: raw[end...]))
        }
        if case .bytes(let count) = transfer {
            end += count
            isDrained = count < room
        }
        return transfer
    }
}
