import Foundation
import LinuxIO
import StageControl
import Testing

@testable import StageRuntime

/// Clients of the control socket, all together, get a share of the host's time.
@Suite struct ControlDeskTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/desk-\(UUID().uuidString)"

    /// Tokens that are ready at once.
    private func ready(_ poller: borrowing Poller) throws -> [UInt64] {
        var ready: [(token: UInt64, Readiness)] = []
        try poller.wait(into: &ready, timeoutMilliseconds: 0)
        return ready.map(\.token)
    }

    @Test func `when their share is used up, none is looked at before the next tick`() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let poller = try Poller()
        let desk = try ControlDesk(folder: folder, poller: poller)
        let directory = try UnixSocket.folder(folder)
        let first = try UnixSocket.connect(in: directory, ControlServer.socketName)
        #expect(try ready(poller) == [ControlDesk.firstToken])
        #expect(desk.ready(ControlDesk.firstToken, .readable, poller).isEmpty, "it has said nothing yet")
        _ = first.send(Array("{\"command\":\"status\"}\n".utf8)[...])
        let second = try UnixSocket.connect(in: directory, ControlServer.socketName)
        #expect(try ready(poller).count == 2)

        desk.took(ControlDesk.shareNanoseconds / 2, poller)
        #expect(!desk.isResting)
        desk.took(ControlDesk.shareNanoseconds, poller)
        #expect(desk.isResting)
        #expect(try ready(poller).isEmpty, "the host would be woken for nothing")

        desk.tick(1, poller)
        #expect(!desk.isResting)
        let tokens = try ready(poller)
        #expect(tokens.count == 2)
        let client = try #require(tokens.first { $0 != ControlDesk.firstToken })
        let requests = desk.ready(client, .readable, poller)
        #expect(requests.map(\.command) == [.status])

        // An answer that was long in coming is sent also while the desk rests, and one that took long is not held against all for ever.
        desk.took(1_000 * ControlDesk.shareNanoseconds, poller)
        desk.reply(to: try #require(requests.first).client, ControlReply(ok: true, "done", last: true).json, isLast: true, poller)
        var bytes = [UInt8](repeating: 0, count: 1_000)
        let got = unsafe bytes.withUnsafeMutableBytes { unsafe first.read(into: $0) }
        guard case .bytes(let count) = got else {
            Issue.record("no answer")
            return
        }
        #expect(String(decoding: bytes[..<count], as: UTF8.self).contains("done"))
        var ticks = 0
        while desk.isResting {
            desk.tick(2, poller)
            ticks += 1
            try #require(ticks <= 10)
        }
        #expect(ticks > 1)
        #expect(try ready(poller) == [ControlDesk.firstToken])
        _ = consume second
    }
}
