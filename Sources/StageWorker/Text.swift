import CStage
import Glibc

/// What `strerror` says of an errno, given positive or negative.
func errorText(_ error: Int32) -> String {
    unsafe String(cString: strerror(abs(error)))
}

/// Writes all of `text` to `descriptor` with as few calls as it takes; what cannot be written is lost.
func writeText(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
        var offset = 0
        while offset < bytes.count {
            let wrote = unsafe write(descriptor, bytes.baseAddress.map { unsafe $0 + offset }, bytes.count - offset)
            if wrote < 0, errno == EINTR { continue }
            guard wrote > 0 else { return }
            offset += wrote
        }
    }
}

extension stage_bytes {
    /// A copy as text, cut to `limit` bytes; bytes that are not UTF-8 are replaced.
    func text(limit: Int) -> String {
        unsafe String(decoding: buffer.prefix(limit), as: UTF8.self)
    }

    /// The bytes as a view; empty when they are absent.
    var buffer: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : size)
    }

    /// A copy that lives as long as the worker, with a NUL after its end for those who forget that there is none.
    init(copying bytes: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + 1, alignment: 16)
        unsafe copy.copyMemory(from: bytes)
        unsafe copy[bytes.count] = 0
        unsafe self.init(data: UnsafeRawPointer(copy.baseAddress), size: bytes.count)
    }
}
