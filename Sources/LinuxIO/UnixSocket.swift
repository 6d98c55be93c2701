import CLinux
import Glibc

/// Sockets that lie in a folder, by name. Paths may be longer than a socket address holds.
package enum UnixSocket {
    /// Opens a folder to find sockets in.
    package static func folder(_ path: String) throws(SystemError) -> Descriptor {
        // O_PATH: it need not be readable.
        try Descriptor.open(path, flags: O_DIRECTORY | 0o10_000_000)
    }

    /// socket, bind, chmod 0600, listen: never blocks. Whatever has the name before is replaced.
    package static func listen(
        in folder: borrowing Descriptor, _ name: String, backlog: Int32
    ) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try check("bind", name, unsafe clinux_unix_listen(folder.number, name, backlog)))
    }

    /// socket, connect: EAGAIN when too many wait to be let in, at once or after a wait for them. The socket never blocks.
    package static func connect(
        in folder: borrowing Descriptor, _ name: String, waitMilliseconds: Int32 = 0
    ) throws(SystemError) -> Descriptor {
        Descriptor(owning: try check("connect", name, unsafe clinux_unix_connect(folder.number, name, waitMilliseconds)))
    }

    /// unlinkat(2).
    package static func remove(in folder: borrowing Descriptor, _ name: String) {
        _ = unsafe clinux_unlink_at(folder.number, name)
    }

    /// What accept4(2) came to.
    package enum Arrival: ~Copyable {
        case connection(Descriptor)
        case none
        case failed(SystemError)
    }

    /// accept4(2): the connection never blocks and is closed on exec.
    package static func accept(_ listener: borrowing Descriptor) -> Arrival {
        let number = clinux_accept(listener.number)
        if number >= 0 { return .connection(Descriptor(owning: number)) }
        switch -number {
        case EAGAIN, EINTR, ECONNABORTED: return .none
        default: return .failed(SystemError("accept4", "", code: -number))
        }
    }

    /// SO_PEERCRED: the user that the other end belonged to when it connected.
    package static func peerUser(_ socket: borrowing Descriptor) -> UInt32? {
        var peer = clinux_peer()
        guard unsafe clinux_peer_credentials(socket.number, &peer) == 0 else { return nil }
        return peer.uid
    }
}

extension Descriptor {
    /// send(MSG_NOSIGNAL): as much as goes at once. That the other end has gone away is a result, never a signal.
    package func send(_ bytes: ArraySlice<UInt8>) -> Transfer {
        let sent = unsafe bytes.withUnsafeBytes { unsafe clinux_send(number, $0.baseAddress, $0.count) }
        if sent >= 0 { return .bytes(sent) }
        switch Int32(-sent) {
        case EAGAIN: return .wouldBlock
        case EPIPE, ECONNRESET: return .closed
        default: return .failed(SystemError("send", "descriptor", code: Int32(-sent)))
        }
    }

    /// poll(2) for something to read, or the end; false when the time is over. nil: no limit.
    package func waitReadable(milliseconds: Int32?) throws(SystemError) -> Bool {
        try check("poll", "descriptor", clinux_wait_readable(number, milliseconds ?? -1)) > 0
    }
}

/// nanosleep(2), for programs that have nothing else to do.
package func rest(milliseconds: Int32) { clinux_pause(milliseconds) }
