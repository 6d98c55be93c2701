import Glibc
import LinuxIO

/// What a hostile client of the control socket does, over and over again.
enum Deed: String, CaseIterable {
    case garbage
    case half = "half a request"
    case deaf = "never reads"
    case vanish = "connects and vanishes"
    case huge = "a request without end"
    case deep = "a request that is hard to read"
    case trickle = "a byte at a time"
    case hammer = "asks for the status"
}

/// Many clients in one thread, none of which ever waits: each has its turn, does a little harm, and comes again.
final class HostileClients {
    struct Tally {
        var connections = 0
        /// The host had no room for it in its queue.
        var turnedAway = 0
        /// The host has closed it.
        var closed = 0
        var replyBytes = 0
    }

    private final class Client {
        let deed: Deed
        var socket: Descriptor?
        var turns = 0

        init(_ deed: Deed) { self.deed = deed }
    }

    /// Turns after which a client that does next to nothing goes away by itself.
    private static let patience = 100
    private static let socketName = "control.sock"

    private let folder: Descriptor
    private let clients: [Client]
    private(set) var tallies: [Deed: Tally] = [:]
    private var random = SystemRandomNumberGenerator()
    private let filler = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
    private let deep = [UInt8](repeating: UInt8(ascii: "["), count: 60_000) + [UInt8(ascii: "\n")]
    private let status = Array("{\"command\":\"status\"}\n".utf8)

    /// - Parameter folder: The job directory, in which the socket lies.
    init(_ count: Int, folder: String) throws(SystemError) {
        self.folder = try UnixSocket.folder(folder)
        clients = (0..<count).map { Client(Deed.allCases[$0 % Deed.allCases.count]) }
    }

    /// Gives each client a turn.
    ///
    /// - Returns: Whether anybody listens there.
    func round() -> Bool {
        for client in clients {
            client.turns += 1
            if client.socket == nil {
                do throws(SystemError) {
                    client.socket = try UnixSocket.connect(in: folder, Self.socketName)
                    client.turns = 0
                    tallies[client.deed, default: Tally()].connections += 1
                } catch {
                    guard error.code == EAGAIN else { return false }
                    tallies[client.deed, default: Tally()].turnedAway += 1
                    continue
                }
            }
            if !goesOn(client) { client.socket = nil }
        }
        return true
    }

    private func goesOn(_ client: Client) -> Bool {
        switch client.deed {
        case .garbage:
            guard client.turns == 0 else { return hears(client) }
            return sends(client, (0..<200).map { _ in UInt8.random(in: .min ... .max, using: &random) } + [0x0A])
        case .half: return client.turns == 0 ? sends(client, Array(status.dropLast(5))) : hears(client) && client.turns < Self.patience
        case .deaf: return client.turns == 0 ? sends(client, status) : client.turns < Self.patience
        case .vanish: return false
        case .huge: return sends(client, filler) && hears(client)
        case .deep: return client.turns == 0 ? sends(client, deep) : hears(client)
        case .trickle: return sends(client, [UInt8(ascii: "{")]) && hears(client) && client.turns < Self.patience
        case .hammer: return client.turns == 0 ? sends(client, status) : hears(client)
        }
    }

    private func sends(_ client: Client, _ bytes: [UInt8]) -> Bool {
        switch client.socket?.send(bytes[...]) {
        case .bytes, .wouldBlock: return true
        default: break
        }
        tallies[client.deed, default: Tally()].closed += 1
        return false
    }

    private func hears(_ client: Client) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        switch unsafe bytes.withUnsafeMutableBytes({ unsafe client.socket?.read(into: $0) }) {
        case .bytes(let count): tallies[client.deed, default: Tally()].replyBytes += count
        case .wouldBlock: break
        default:
            tallies[client.deed, default: Tally()].closed += 1
            return false
        }
        return true
    }
}
