import Glibc
import LinuxIO

/// The other end of the control socket: one command, its replies.
package enum ControlClient {
    /// Connects to the host that runs the job of a folder, sends a command, and hands on each reply until the last.
    ///
    /// - Parameters:
    ///   - timeoutSeconds: How long to wait to be let in, and for each reply. `.infinity`: as long as the host is there.
    ///   - onReply: Gets one line, without the newline; false: nothing more is wanted.
    package static func send(
        _ command: ControlCommand, folder: String, timeoutSeconds: Double, onReply: (String) -> Bool
    ) throws(ControlError) {
        let wait = Wait(seconds: timeoutSeconds)
        let socket = try connect(folder, wait)
        // It fits into the socket's buffer as a whole. Whoever refuses to read it has said why.
        switch socket.send((Array(command.json.utf8) + [0x0A])[...]) {
        case .failed(let error): throw .system(error)
        case .bytes, .wouldBlock, .closed: break
        }
        var lines = LineReader()
        while true {
            let line = try lines.next(from: socket, wait)
            let wantsMore = onReply(line)
            if !wantsMore || ControlReply(line)?.isLast ?? false { return }
        }
    }

    private static let longestWaitMilliseconds: Int32 = 1_000

    private static func connect(_ folder: String, _ wait: Wait) throws(ControlError) -> Descriptor {
        do throws(SystemError) {
            let directory = try UnixSocket.folder(folder)
            let deadline = wait.deadline
            while true {
                // Others may wait to be let in, too. Now and then it is looked whether there is still a socket of that name.
                let left = min(Wait.milliseconds(until: deadline) ?? longestWaitMilliseconds, longestWaitMilliseconds)
                do throws(SystemError) {
                    return try UnixSocket.connect(in: directory, ControlServer.socketName, waitMilliseconds: left)
                } catch where error.code == EAGAIN {
                    guard monotonicNanoseconds() < deadline else { throw SystemError("connect", folder, code: ETIMEDOUT) }
                }
            }
        } catch {
            switch error.code {
            case ENOENT, ECONNREFUSED, ENOTSOCK: throw .noHost
            case EACCES, EPERM: throw .refused
            case ETIMEDOUT: throw .timeout
            default: throw .system(error)
            }
        }
    }

    /// How long to wait each time.
    struct Wait {
        private let nanoseconds: UInt64?

        init(seconds: Double) {
            nanoseconds = seconds < 1e6 ? UInt64(max(0, seconds) * 1e9) : nil
        }

        /// In time of the monotonic clock.
        var deadline: UInt64 { nanoseconds.map { monotonicNanoseconds() + $0 } ?? .max }

        static func milliseconds(until deadline: UInt64) -> Int32? {
            guard deadline != .max else { return nil }
            let now = monotonicNanoseconds()
            return deadline <= now ? 0 : Int32(clamping: (deadline - now + 999_999) / 1_000_000)
        }
    }

    /// Cuts what a host sends into lines.
    struct LineReader {
        private var bytes: [UInt8] = []

        /// The next line, without the newline.
        mutating func next(from socket: borrowing Descriptor, _ wait: Wait) throws(ControlError) -> String {
            let deadline = wait.deadline
            var searched = 0
            while true {
                if let end = bytes[searched...].firstIndex(of: 0x0A) {
                    defer { bytes.removeSubrange(...end) }
                    return String(decoding: bytes[..<end], as: UTF8.self)
                }
                searched = bytes.count
                // No host that keeps to its limits sends so much.
                guard bytes.count <= ControlLimits.replyBytes else { throw .cutOff }
                try fill(from: socket, deadline)
            }
        }

        private mutating func fill(from socket: borrowing Descriptor, _ deadline: UInt64) throws(ControlError) {
            do throws(SystemError) {
                guard try socket.waitReadable(milliseconds: Wait.milliseconds(until: deadline)) else {
                    throw SystemError("poll", "", code: ETIMEDOUT)
                }
            } catch {
                throw error.code == ETIMEDOUT ? .timeout : .system(error)
            }
            var chunk = [UInt8](repeating: 0, count: 16 << 10)
            switch unsafe chunk.withUnsafeMutableBytes({ unsafe socket.read(into: $0) }) {
            case .bytes(let count): bytes += chunk[..<count]
            case .wouldBlock: break
            // ECONNRESET: the host has closed without reading all that was sent. What it said has been read by now.
            case .closed, .failed: throw .cutOff
            }
        }
    }
}
