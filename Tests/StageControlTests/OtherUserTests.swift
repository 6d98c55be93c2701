import Glibc
import LinuxIO
import StageControl
import Testing

@Test(.enabled(if: geteuid() == 0, "only root can be somebody else"))
func `another user is told to go, and root is let in`() async {
    await #expect(processExitsWith: .success) {
        let folder = try TestFolder()
        let server = try ControlServer(folder: folder.path)
        // What keeps others out in the first place, out of the way.
        #expect(unsafe chmod(folder.socket, 0o666) == 0)
        let nobody: uid_t = 65_534
        #expect(seteuid(nobody) == 0)
        let stranger = Descriptor(owning: connected(folder.socket))
        #expect(seteuid(0) == 0)
        #expect(stranger.number >= 0)
        #expect(server.accept() == nil)
        #expect(try stranger.waitReadable(milliseconds: 30_000))
        var bytes = [UInt8](repeating: 0, count: 1_000)
        let transfer = unsafe bytes.withUnsafeMutableBytes { unsafe stranger.read(into: $0) }
        guard case .bytes(let count) = transfer else {
            Issue.record("it was told nothing: \(transfer)")
            return
        }
        #expect(String(decoding: bytes[..<count], as: UTF8.self).contains("only the user that runs the job"))
        #expect(unsafe stranger.number >= 0 && bytes.withUnsafeMutableBytes { unsafe stranger.read(into: $0) } == .closed)

        // A host of that user hears itself and root.
        let root = Descriptor(owning: connected(folder.socket))
        #expect(seteuid(nobody) == 0)
        let own = Descriptor(owning: connected(folder.socket))
        #expect(root.number >= 0 && own.number >= 0)
        #expect(server.accept() != nil && server.accept() != nil)
        #expect(seteuid(0) == 0)
    }
}

/// connect(2) by the path: a process that has changed its user may not go through its own /proc.
private func connected(_ path: String) -> Int32 {
    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix(107)) }
    let result = unsafe withUnsafePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    if result == 0 { return number }
    close(number)
    return -1
}
