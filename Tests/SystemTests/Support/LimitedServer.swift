import Foundation
import LinuxIO
import Synchronization

/// An HTTP server on loopback that takes so many requests a second, and answers 429 to the others. It keeps a log.
final class LimitedServer: Sendable {
    struct Request {
        var at: UInt64
        var path: String
        var isTaken: Bool
    }

    let port: UInt16
    private let socket: Int32
    private let log = Mutex<[Request]>([])

    /// - Parameters:
    ///   - perSecond: Requests that it takes; after a quiet time `burst` at once.
    ///   - pauseMilliseconds: What its refusals ask for.
    init(perSecond: Double, burst: Double = 10, pauseMilliseconds: Int = 200) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = socket
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(descriptor, generic, length) == 0 && listen(descriptor, 128) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard isBound else { throw SystemError("listen", "loopback", code: errno) }
        let thread = Thread { [self] in serve(perSecond, burst, pauseMilliseconds) }
        thread.start()
    }

    /// Ends it; its thread goes with the socket.
    func stop() { shutdown(socket, Int32(SHUT_RDWR)) }

    var requests: [Request] { log.withLock { $0 } }

    private func serve(_ perSecond: Double, _ burst: Double, _ pause: Int) {
        var tokens = burst
        var last = monotonicNanoseconds()
        while true {
            let client = accept(socket, nil, nil)
            guard client >= 0 else { break }
            let path = Self.path(from: client)
            let now = monotonicNanoseconds()
            tokens = min(burst, tokens + Double(now - last) / 1e9 * perSecond)
            last = now
            let isTaken = tokens >= 1
            if isTaken { tokens -= 1 }
            log.withLock { $0.append(Request(at: now, path: path, isTaken: isTaken)) }
            Self.answer(
                client, isTaken ? "HTTP/1.0 200 OK\r\n\r\n" : "HTTP/1.0 429 Too Many Requests\r\nRetry-After-Ms: \(pause)\r\n\r\n")
        }
        close(socket)
    }

    private static func path(from client: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        var count = 0
        while count < bytes.count, !String(decoding: bytes[..<count], as: UTF8.self).contains("\r\n\r\n") {
            let got = unsafe bytes.withUnsafeMutableBytes { unsafe recv(client, $0.baseAddress! + count, $0.count - count, 0) }
            guard got > 0 else { break }
            count += got
        }
        let words = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
        return words.count > 1 ? String(words[1]) : ""
    }

    private static func answer(_ client: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        close(client)
    }
}
