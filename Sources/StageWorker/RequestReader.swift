import Glibc
import StageWire

/// Takes requests from the host, one after another, with blocking reads.
///
/// The header of the next request is read together with the payload of the one before: one system call a request when
/// the host is ahead.
@safe final class RequestReader {
    private let descriptor: Int32
    private let header = UnsafeMutableRawBufferPointer.allocate(
        byteCount: WireLimits.frameHeaderBytes, alignment: 8)
    private var headerFilled = 0

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { unsafe header.deallocate() }

    /// The next header; nil when the host has closed its end between two frames.
    func nextHeader() throws -> FrameHeader? {
        while unsafe headerFilled < header.count {
            let got = unsafe read(descriptor, header.baseAddress.map { unsafe $0 + headerFilled }, unsafe header.count - headerFilled)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Departure.system("request from the host", errno) }
            if got == 0 {
                guard headerFilled == 0 else {
                    throw Departure.confused("request from the host: it ends after \(headerFilled) bytes of a header")
                }
                return nil
            }
            headerFilled += got
        }
        headerFilled = 0
        return unsafe try FrameHeader(decoding: UnsafeRawBufferPointer(header), expectingAnswer: false)
    }

    /// Reads the payload that `frame` announces into `buffer`, which then holds it and nothing else.
    func readPayload(of frame: FrameHeader, into buffer: inout GrowingBytes) throws {
        buffer.count = 0
        let size = frame.payloadLength
        guard buffer.reserve(size) else {
            throw Departure(code: 74, message: "request from the host: no memory for its \(size) bytes")
        }
        while buffer.count < size {
            var vectors = unsafe (
                iovec(iov_base: buffer.base.map { unsafe $0 + buffer.count }, iov_len: size - buffer.count),
                unsafe iovec(iov_base: header.baseAddress, iov_len: header.count)
            )
            let got = unsafe withUnsafeBytes(of: &vectors) {
                unsafe readv(descriptor, $0.baseAddress?.assumingMemoryBound(to: iovec.self), 2)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Departure.system("request from the host", errno) }
            guard got > 0 else {
                throw Departure.confused("request from the host: it ends after \(buffer.count) of \(size) bytes")
            }
            let taken = min(got, size - buffer.count)
            buffer.count += taken
            headerFilled = got - taken
        }
        if frame.extraLength > 0 {
            unsafe try frame.checkExtra(UnsafeRawBufferPointer(rebasing: buffer.bytes[frame.inlineBlocksLength..<size]))
        } else if frame.extraChecksum != 0 {
            throw WireError(.checksum, "\(frame.type) frame, extra", found: "0x00000000", expected: hex(frame.extraChecksum))
        }
    }
}
