import LinuxIO
import StageControl
import StageScheduler

/// The host's side of the control socket: clients in the poller, requests on their way to the scheduler, and who waits for
/// which answer.
///
/// A client that has gone by the time its answer comes is simply not there any more; none can make the host wait. All of them
/// together get a share of the host's time: when it is used up, none is looked at before the next tick, and those that want to
/// be let in wait in the kernel.
final class ControlDesk {
    /// Above every token of the host and of its workers.
    static let firstToken: UInt64 = 1 << 62
    private static let listenerToken = firstToken

    /// What clients may take of the time between two ticks, a tenth of a second.
    static let shareNanoseconds: UInt64 = 2_000_000
    /// What they took beyond that comes off later, but not more than this: one request may take long.
    private static let debtNanoseconds: UInt64 = 5 * shareNanoseconds

    private let server: ControlServer
    private var spentNanoseconds: UInt64 = 0
    /// Nobody is looked at before the next tick.
    private(set) var isResting = false
    private var clients: [UInt64: ControlClientID] = [:]
    private var nextRequest: UInt64 = 1
    private var watched: Set<ControlClientID> = []
    private var writing: Set<ControlClientID> = []

    init(folder: String, poller: borrowing Poller) throws(SystemError) {
        server = try ControlServer(folder: folder)
        try poller.add(server.listener, .readable, token: Self.listenerToken)
    }

    /// Clients have kept the host busy for so long.
    func took(_ nanoseconds: UInt64, _ poller: borrowing Poller) {
        spentNanoseconds += nanoseconds
        guard spentNanoseconds > Self.shareNanoseconds, !isResting else { return }
        isResting = true
        poller.remove(server.listener)
        for client in watched { if let descriptor = server.descriptor(of: client) { poller.remove(descriptor) } }
    }

    private func goOn(_ poller: borrowing Poller) {
        isResting = false
        try? poller.add(server.listener, .readable, token: Self.listenerToken)
        for client in watched {
            guard let descriptor = server.descriptor(of: client) else { continue }
            let wants = server.wantsToWrite(client)
            if wants { writing.insert(client) } else { writing.remove(client) }
            try? poller.add(descriptor, wants ? [.readable, .writable] : .readable, token: Self.firstToken + client)
        }
    }

    /// Requests that have become complete.
    func ready(_ token: UInt64, _ readiness: Readiness, _ poller: borrowing Poller) -> [ControlRequest] {
        guard token != Self.listenerToken else {
            guard let client = server.accept(), let descriptor = server.descriptor(of: client) else { return [] }
            watched.insert(client)
            try? poller.add(descriptor, .readable, token: Self.firstToken + client)
            defer { update(client, poller) }
            return server.readable(client)
        }
        let client = token - Self.firstToken
        if readiness.contains(.writable) { server.writable(client) }
        var requests: [ControlRequest] = []
        if !readiness.isDisjoint(with: [.readable, .hangup, .error]) { requests = server.readable(client) }
        update(client, poller)
        return requests
    }

    /// A number for a request that the scheduler is to answer.
    func number(for client: ControlClientID) -> UInt64 {
        defer { nextRequest += 1 }
        clients[nextRequest] = client
        return nextRequest
    }

    /// The scheduler's answer to a request.
    func reply(to request: UInt64, _ reply: ControlReply, _ poller: borrowing Poller) {
        guard let client = reply.isLast ? clients.removeValue(forKey: request) : clients[request] else { return }
        self.reply(to: client, reply.json, isLast: reply.isLast, poller)
    }

    func reply(to client: ControlClientID, _ line: String, isLast: Bool, _ poller: borrowing Poller) {
        server.reply(client, line, last: isLast)
        update(client, poller)
    }

    func tick(_ now: UInt64, _ poller: borrowing Poller) {
        server.tick(nowNanoseconds: now)
        forgetClosed()
        spentNanoseconds -= min(spentNanoseconds, Self.shareNanoseconds)
        spentNanoseconds = min(spentNanoseconds, Self.debtNanoseconds)
        if isResting, spentNanoseconds < Self.shareNanoseconds { goOn(poller) }
    }

    private func update(_ client: ControlClientID, _ poller: borrowing Poller) {
        forgetClosed()
        guard !isResting, watched.contains(client), let descriptor = server.descriptor(of: client) else { return }
        let wants = server.wantsToWrite(client)
        guard wants != writing.contains(client) else { return }
        if wants { writing.insert(client) } else { writing.remove(client) }
        try? poller.modify(descriptor, wants ? [.readable, .writable] : .readable, token: Self.firstToken + client)
    }

    private func forgetClosed() {
        for client in server.takeClosed() {
            watched.remove(client)
            writing.remove(client)
        }
    }
}
