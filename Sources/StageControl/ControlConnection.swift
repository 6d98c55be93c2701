import LinuxIO

/// One client as the server sees it: at most one request comes in, some replies go out, and neither is waited for.
final class ControlConnection {
    /// What came in.
    enum Arrival {
        case nothing
        /// One line, without the newline.
        case request([UInt8])
        case brokenRules(String)
        case hungUp
    }

    let socket: Descriptor
    private var received: [UInt8] = []
    private var receivedBytes = 0
    private var hasRequest = false
    private var output: [UInt8] = []
    private var written = 0
    private var deadline: UInt64?
    /// The last reply is queued: nothing more is taken on.
    private(set) var isFinishing = false

    /// What was read before anybody asked for it.
    private var ahead: Arrival?

    init(_ socket: consuming Descriptor) { self.socket = socket }

    var unwritten: Int { output.count - written }

    /// Whether the request has arrived with its client.
    func hasArrivedWithRequest() -> Bool {
        let arrival = read()
        ahead = arrival
        if case .request = arrival { return true }
        return false
    }

    /// Reads once. The descriptor is watched level triggered, so what is left comes again.
    func read() -> Arrival {
        if let arrival = ahead.take() { return arrival }
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        switch unsafe chunk.withUnsafeMutableBytes({ unsafe socket.read(into: $0) }) {
        case .wouldBlock: return .nothing
        case .closed, .failed: return .hungUp
        case .bytes(let count):
            receivedBytes += count
            return take(chunk[..<count])
        }
    }

    private func take(_ chunk: ArraySlice<UInt8>) -> Arrival {
        guard receivedBytes <= ControlLimits.requestBytes else {
            return .brokenRules("the request is longer than \(ControlLimits.requestBytes) bytes")
        }
        // White space around the line is nobody's mistake; anything else after it is.
        let rest = hasRequest || received.isEmpty ? chunk.drop(while: Self.isSpace) : chunk
        if hasRequest { return rest.isEmpty ? .nothing : .brokenRules("a connection takes one request") }
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
            received += rest
            return .nothing
        }
        let line = received + rest[..<end]
        hasRequest = true
        received = []
        deadline = nil
        guard rest[(end + 1)...].allSatisfy(Self.isSpace) else {
            return .brokenRules("a connection takes one request")
        }
        return .request(line)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// Queues one line.
    ///
    /// - Returns: Whether it found room.
    func queue(_ text: String, last: Bool) -> Bool {
        let line = Array(text.utf8.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }) + [0x0A]
        guard unwritten + line.count <= ControlLimits.replyBytes else { return false }
        if unwritten == 0 { deadline = nil }
        if written > 0 {
            output.removeFirst(written)
            written = 0
        }
        output += line
        if last { isFinishing = true }
        return true
    }

    /// Sends what goes at once.
    ///
    /// - Returns: Whether the client is still there.
    func flush() -> Bool {
        while unwritten > 0 {
            switch socket.send(output[written...]) {
            case .bytes(let count):
                written += count
                deadline = nil
            case .wouldBlock: return true
            case .closed, .failed: return false
            }
        }
        output = []
        written = 0
        return true
    }

    /// Whether the client has kept the server waiting for too long: with its request, or with reading. Who waits for the
    /// host waits as long as that takes.
    func isOverdue(nowNanoseconds now: UInt64) -> Bool {
        guard !hasRequest || unwritten > 0 else { return false }
        guard let deadline else {
            self.deadline = now &+ ControlLimits.silenceNanoseconds
            return false
        }
        return now >= deadline
    }
}
