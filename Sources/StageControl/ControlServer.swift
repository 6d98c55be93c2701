import Glibc
package import LinuxIO

/// The listening socket of a job's host: fed by the host's event loop, never blocks. One thread.
///
/// Whatever a client does, it costs the host a bounded amount of memory and of work at a time, and ends with that client
/// being closed. Descriptors are to be watched level triggered; one that was closed is in `takeClosed`.
package final class ControlServer {
    /// The name of the socket in a job directory.
    package static let socketName = "control.sock"

    private let folder: Descriptor
    private let socket: Descriptor
    private var connections: [ControlClientID: ControlConnection] = [:]
    private var lastNumber: ControlClientID = 0
    private var closed: [ControlClientID] = []
    /// Given up for a moment when no descriptor is left: a connection that cannot be taken would be reported for ever.
    private var reserve: Descriptor?

    /// Binds `control.sock` in the job directory, mode 0600. One that a killed host has left is replaced: the caller holds
    /// the job's lock.
    package init(folder path: String) throws(SystemError) {
        folder = try UnixSocket.folder(path)
        do throws(SystemError) {
            socket = try UnixSocket.listen(in: folder, Self.socketName, backlog: ControlLimits.backlog)
        } catch {
            throw SystemError(error.call, "\(path)/\(Self.socketName)", code: error.code)
        }
        reserve = Self.makeReserve()
    }

    deinit { UnixSocket.remove(in: folder, Self.socketName) }

    /// To be watched for `readable`.
    package var listener: Int32 { socket.number }

    /// Lets one client in. Its request may have come with it, and been read: `readable` is to be called at once.
    ///
    /// - Returns: nil when none waits or those that did were sent away; the listener stays readable while more wait.
    package func accept() -> ControlClientID? {
        for _ in 0..<ControlLimits.refusalsInARow {
            switch UnixSocket.accept(socket) {
            case .connection(let connection):
                if let number = admit(connection) { return number }
            case .none: return nil
            case .failed(let error):
                if error.code == EMFILE || error.code == ENFILE { sendOneAway() }
                return nil
            }
        }
        return nil
    }

    private func admit(_ connection: consuming Descriptor) -> ControlClientID? {
        guard let user = UnixSocket.peerUser(connection), user == geteuid() || user == 0 else {
            Self.refuse(connection, "only the user that runs the job can command it")
            return nil
        }
        let newcomer = ControlConnection(connection)
        // Those who hold their connection and say nothing must not keep out somebody who has something to say.
        guard
            connections.count < ControlLimits.clients
                || connections.count < ControlLimits.clientsWithRequests && newcomer.hasArrivedWithRequest()
        else {
            Self.refuse(newcomer.socket, "the host has \(connections.count) clients already; try again in a moment")
            return nil
        }
        lastNumber += 1
        connections[lastNumber] = newcomer
        return lastNumber
    }

    private static func refuse(_ connection: borrowing Descriptor, _ message: String) {
        _ = connection.send((Array(ControlReply(ok: false, message, last: true).json.utf8) + [0x0A])[...])
    }

    private static func makeReserve() -> Descriptor? { try? Descriptor.open("/dev/null", flags: O_RDONLY) }

    private func sendOneAway() {
        reserve = nil
        if case .connection(let connection) = UnixSocket.accept(socket) {
            Self.refuse(connection, "the host has no descriptor left; try again in a moment")
        }
        reserve = Self.makeReserve()
    }

    /// The client's descriptor; nil when it is closed.
    package func descriptor(of client: ControlClientID) -> Int32? { connections[client]?.socket.number }

    /// Reads what is there.
    ///
    /// - Returns: The request, once it is complete. A client that breaks the rules or hangs up is closed.
    package func readable(_ client: ControlClientID) -> [ControlRequest] {
        guard let connection = connections[client] else { return [] }
        switch connection.read() {
        case .nothing: return []
        case .hungUp:
            close(client)
            return []
        case .brokenRules(let message):
            reply(client, ControlReply(ok: false, message, last: true).json, last: true)
            close(client)
            return []
        case .request(let line): return request(line, of: client)
        }
    }

    private func request(_ line: [UInt8], of client: ControlClientID) -> [ControlRequest] {
        do throws(ControlRefusal) {
            let command = try ControlCommand.read(line)
            if case .unknown(let word) = command { answer(client, ControlCommand.refusal(ofUnknown: word)) }
            return [ControlRequest(client: client, command: command)]
        } catch {
            answer(client, error)
            return []
        }
    }

    private func answer(_ client: ControlClientID, _ refusal: ControlRefusal) {
        reply(client, ControlReply(ok: false, refusal.message, last: true).json, last: true)
    }

    /// Queues one JSON object for the client. One that leaves too much unread is closed, and replies to a closed client, or
    /// after the last one, go nowhere.
    ///
    /// - Parameter last: Close when it is written.
    package func reply(_ client: ControlClientID, _ value: String, last: Bool) {
        guard let connection = connections[client], !connection.isFinishing else { return }
        guard connection.queue(value, last: last) else {
            close(client)
            return
        }
        writable(client)
    }

    /// Writes what goes at once.
    package func writable(_ client: ControlClientID) {
        guard let connection = connections[client] else { return }
        let isThere = connection.flush()
        if !isThere || (connection.isFinishing && connection.unwritten == 0) { close(client) }
    }

    /// Whether the client's descriptor is to be watched for `writable` too.
    package func wantsToWrite(_ client: ControlClientID) -> Bool { connections[client].map { $0.unwritten > 0 } ?? false }

    /// The clients that were closed since the last call. Their descriptors are closed too, so that a poller has forgotten
    /// them by itself.
    package func takeClosed() -> [ControlClientID] {
        defer { closed = [] }
        return closed
    }

    /// Drops clients that keep the host waiting. To be called about once a second.
    package func tick(nowNanoseconds now: UInt64) {
        for (client, connection) in connections where connection.isOverdue(nowNanoseconds: now) { close(client) }
    }

    private func close(_ client: ControlClientID) {
        guard connections.removeValue(forKey: client) != nil else { return }
        closed.append(client)
    }
}
