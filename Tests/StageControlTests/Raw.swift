import Foundation
import Glibc
import LinuxIO
import StageControl

/// A folder for a socket; gone after the test.
final class TestFolder {
    let path: String

    /// - Parameter depth: Levels of folders with names of 40 characters.
    init(depth: Int = 0) throws {
        var path = FileManager.default.temporaryDirectory.appendingPathComponent("control-\(UUID().uuidString)").path
        root = path
        for _ in 0..<depth { path += "/" + String(repeating: "d", count: 40) }
        self.path = path
        try createFolders(path)
    }

    private let root: String

    var socket: String { path + "/" + ControlServer.socketName }

    deinit { try? removeTree(root) }
}

/// A client that keeps to no rules.
final class RawClient {
    let socket: Descriptor

    init(_ folder: TestFolder) throws {
        let directory = try UnixSocket.folder(folder.path)
        socket = try UnixSocket.connect(in: directory, ControlServer.socketName)
    }

    @discardableResult
    func send(_ text: String) -> Transfer { socket.send(Array(text.utf8)[...]) }

    func send(_ bytes: [UInt8]) { _ = socket.send(bytes[...]) }

    /// Everything up to the end. It is waited for: while some other test starts a process, that process has a copy of every
    /// descriptor for a moment, and nothing closed is closed.
    func finished() throws -> String {
        var text = ""
        while true {
            let part = received()
            text += part.text
            if part.isClosed { return text }
            guard try socket.waitReadable(milliseconds: 30_000) else { throw NeverClosed(text: text) }
        }
    }

    struct NeverClosed: Error { var text: String }

    /// Everything that is there, and whether the end is.
    func received() -> (text: String, isClosed: Bool) {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            switch unsafe chunk.withUnsafeMutableBytes({ unsafe socket.read(into: $0) }) {
            case .bytes(let count): bytes += chunk[..<count]
            case .wouldBlock: return (String(decoding: bytes, as: UTF8.self), false)
            case .closed, .failed: return (String(decoding: bytes, as: UTF8.self), true)
            }
        }
    }
}

extension ControlServer {
    /// Lets a client in that has just connected.
    func admitted() throws -> ControlClientID {
        guard let client = accept() else { throw NoClient() }
        return client
    }

    struct NoClient: Error {}

    /// Reads from a client that has hung up, once that can be seen.
    func readableAfterHangup(_ client: ControlClientID) throws -> [ControlRequest] {
        guard let number = descriptor(of: client) else { throw NoClient() }
        var wanted = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&wanted, 1, 30_000) == 1 else { throw NoClient() }
        return readable(client)
    }
}
