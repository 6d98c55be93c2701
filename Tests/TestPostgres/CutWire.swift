import Foundation
import Glibc
import Synchronization

/// Stands between a client and the server, and cuts a connection when it is told to.
package final class CutWire: Sendable {
    package enum Cut: Sendable {
        /// The server never hears of the next COMMIT.
        case beforeCommit
        /// The server does the next COMMIT, and its answer is lost.
        case afterCommit
    }

    private let server: String
    private let folder: String
    private let listener: Int32
    private let next = Mutex<Cut?>(nil)
    private let cuts = Mutex(0)

    package init(to server: PostgresServer) throws {
        self.server = server.folder + "/.s.PGSQL.5432"
        folder = server.folder + "/wire-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let bound = Self.withAddress(folder + "/.s.PGSQL.5432") { [listener] in unsafe bind(listener, $0, $1) }
        guard bound == 0, listen(listener, 10) == 0 else { throw PostgresServer.Problem(description: "no socket: \(errno)") }
        Thread.detachNewThread { [self] in accept() }
    }

    /// Ends the thread and everything that goes through it.
    package func close() {
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
    }

    package var host: String { folder }
    /// How often a connection was cut.
    package var count: Int { cuts.withLock { $0 } }

    package func arm(_ cut: Cut) { next.withLock { $0 = cut } }

    @safe private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            Thread.detachNewThread { [self] in serve(client) }
        }
    }

    private func serve(_ client: Int32) {
        let behind = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer {
            Glibc.close(client)
            Glibc.close(behind)
        }
        guard Self.withAddress(server, { unsafe connect(behind, $0, $1) }) == 0 else { return }
        var isDeaf = false
        while true {
            var items = [pollfd(fd: client, events: Int16(POLLIN), revents: 0), pollfd(fd: behind, events: Int16(POLLIN), revents: 0)]
            guard unsafe poll(&items, 2, -1) > 0 else { return }
            if items[0].revents != 0 {
                guard let bytes = Self.read(client) else { return }
                if Data(bytes).range(of: Data("; COMMIT\0".utf8)) != nil, let cut = next.withLock({ $0.take() }) {
                    cuts.withLock { $0 += 1 }
                    if cut == .beforeCommit { return }
                    isDeaf = true
                }
                guard Self.write(bytes, to: behind) else { return }
            }
            if items[1].revents != 0 {
                // The answer means that it has happened.
                guard let bytes = Self.read(behind), !isDeaf, Self.write(bytes, to: client) else { return }
            }
        }
    }

    private static func read(_ descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
