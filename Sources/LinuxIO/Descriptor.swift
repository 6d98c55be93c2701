import CLinux
package import Glibc

/// An open file descriptor and the duty to close it.
package struct Descriptor: ~Copyable, Sendable {
    package let number: Int32

    /// Takes over a descriptor that is open and owned by nobody else.
    package init(owning number: Int32) {
        self.number = number
    }

    deinit {
        _ = Glibc.close(number)
    }

    /// open(2), with O_CLOEXEC.
    package static func open(_ path: String, flags: Int32, mode: UInt32 = 0o644) throws(SystemError) -> Descriptor {
        Descriptor(owning: try unsafe check("open", path, clinux_open(path, flags, mode)))
    }

    /// Closes now and reports what `close` says: for files whose errors come late.
    package consuming func close() throws(SystemError) {
        let result = Glibc.close(number)
        let code = errno
        discard self
        if result != 0 { throw SystemError("close", "descriptor", code: code) }
    }

    /// fcntl(F_SETFL, O_NONBLOCK).
    package func makeNonblocking() {
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL, 0) | O_NONBLOCK)
    }

    /// Gives up ownership: the caller closes.
    package consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}

/// The two ends of a pipe.
package struct PipeEnds: ~Copyable {
    package var read: Descriptor
    package var write: Descriptor

    /// Keeps the reading end and closes the other.
    package consuming func takeRead() -> Descriptor { read }
    /// Keeps the writing end and closes the other.
    package consuming func takeWrite() -> Descriptor { write }

    /// pipe2(O_CLOEXEC), enlarged to `size` bytes as far as the system lets us: a user who is not root has 64 MiB of
    /// pipe pages in all, and a smaller pipe works as well, only slower.
    package static func make(size: Int32 = 0) throws(SystemError) -> PipeEnds {
        var ends: (Int32, Int32) = (-1, -1)
        let result = unsafe withUnsafeMutablePointer(to: &ends) {
            unsafe $0.withMemoryRebound(to: Int32.self, capacity: 2) { unsafe clinux_pipe2($0) }
        }
        try check("pipe2", "", result)
        if size > 0 {
            var wanted = size
            while wanted > 65_536, clinux_set_pipe_size(ends.1, wanted) < 0 { wanted /= 2 }
        }
        return PipeEnds(read: Descriptor(owning: ends.0), write: Descriptor(owning: ends.1))
    }
}

/// What reading from or writing to a descriptor that never blocks came to.
package enum Transfer: Equatable, Sendable {
    case bytes(Int)
    case wouldBlock
    /// Read: end of file. Write: nobody reads any more.
    case closed
    case failed(SystemError)
}

extension Descriptor {
    /// read(2) into `buffer`.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        while true {
            let count = unsafe Glibc.read(number, buffer.baseAddress, buffer.count)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .closed }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(SystemError("read", "descriptor", code: errno))
            }
        }
    }

    /// writev(2) of `vectors`.
    package func write(vectors: UnsafeBufferPointer<iovec>) -> Transfer {
        while true {
            let count = unsafe Glibc.writev(number, vectors.baseAddress, Int32(vectors.count))
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EPIPE: return .closed
            default: return .failed(SystemError("writev", "descriptor", code: errno))
            }
        }
    }

    /// write(2) of all of `bytes`, however long it takes.
    package func writeAll(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe Glibc.write(number, bytes.baseAddress! + offset, bytes.count - offset)
            if count >= 0 {
                offset += count
            } else if errno != EINTR {
                throw SystemError("write", "descriptor", code: errno)
            }
        }
    }

    /// write(2) of all of `bytes`.
    package func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        let result: Result<Void, SystemError> = unsafe bytes.withUnsafeBytes { raw in
            do throws(SystemError) {
                unsafe try writeAll(raw)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}
