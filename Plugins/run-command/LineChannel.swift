import Glibc

/// Lines to and from a program, without ever waiting for one direction while the other is full.
final class LineChannel {
    /// What came of waiting.
    enum Event {
        /// A line without its end; it is gone with the next call.
        case line([UInt8])
        /// The program has closed its stdout.
        case end
        /// Nothing for a while, or only room for more to write.
        case nothing
    }

    /// A longer line from the program is an error.
    let maximumLineBytes: Int
    private let program: ChildProgram
    private var outgoing: [UInt8] = []
    private var written = 0
    private var incoming: [UInt8] = []
    /// incoming[..<consumed] has been delivered; in the first `searched` bytes behind it is no newline.
    private var consumed = 0
    private var searched = 0
    private var hasEnded = false
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)

    init(_ program: ChildProgram, maximumLineBytes: Int) {
        self.program = program
        self.maximumLineBytes = maximumLineBytes
    }

    /// Bytes that the program has not taken yet.
    var backlog: Int { outgoing.count - written }

    func send(_ line: [UInt8]) {
        if written == outgoing.count {
            outgoing.removeAll(keepingCapacity: true)
            written = 0
        }
        outgoing += line
        outgoing.append(UInt8(ascii: "\n"))
        flush()
    }

    /// Waits up to `milliseconds` for a line. Throws when a line grows too long.
    func next(within milliseconds: CInt) throws(LineTooLong) -> Event {
        if let line = try takeLine() { return .line(line) }
        if hasEnded { return .end }
        var waits = [pollfd(fd: program.output, events: Int16(POLLIN), revents: 0)]
        if backlog > 0 { waits.append(pollfd(fd: program.input, events: Int16(POLLOUT), revents: 0)) }
        guard unsafe poll(&waits, nfds_t(waits.count), milliseconds) > 0 else { return .nothing }
        if waits.count > 1, waits[1].revents != 0 { flush() }
        if waits[0].revents != 0 { receive() }
        if let line = try takeLine() { return .line(line) }
        return hasEnded ? .end : .nothing
    }

    private func flush() {
        while backlog > 0, program.input >= 0 {
            let count = unsafe outgoing.withUnsafeBytes { bytes in
                unsafe write(program.input, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EPIPE {
                // It will be seen dead, or has just stopped listening: its answers count all the same.
                outgoing.removeAll()
                written = 0
            }
            guard count > 0 else { return }
            written += count
        }
    }

    private func receive() {
        let count = unsafe chunk.withUnsafeMutableBytes { bytes in unsafe read(program.output, bytes.baseAddress, bytes.count) }
        if count > 0 {
            if consumed > 0 {
                incoming.removeFirst(consumed)
                consumed = 0
            }
            incoming += chunk[..<count]
        } else if count == 0 || errno != EINTR && errno != EAGAIN {
            hasEnded = true
        }
    }

    private func takeLine() throws(LineTooLong) -> [UInt8]? {
        let start = consumed
        if let end = incoming[(start + searched)...].firstIndex(of: UInt8(ascii: "\n")) {
            consumed = end + 1
            searched = 0
            return Array(incoming[start..<end])
        }
        searched = incoming.count - start
        guard searched <= maximumLineBytes else { throw LineTooLong() }
        guard hasEnded, searched > 0 else { return nil }
        // The last line needs no end.
        consumed = incoming.count
        searched = 0
        return Array(incoming[start...])
    }
}

/// The program wrote more than it may without an end of the line.
struct LineTooLong: Error {}
