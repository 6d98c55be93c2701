import Foundation
import Glibc
import LinuxIO
import StageControl
import Testing

private let second: UInt64 = 1_000_000_000

@Test func `a client that never reads is dropped when its replies are too many, and blocks nobody`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let lazy = try RawClient(folder)
    let client = try server.admitted()
    lazy.send(#"{"command":"restart","stage":"a"}"# + "\n")
    #expect(server.readable(client).count == 1)
    var replies = 0
    while server.descriptor(of: client) != nil {
        server.reply(client, #"{"ok":true,"message":""# + String(repeating: "m", count: 10_000) + "\"}", last: false)
        replies += 1
        try #require(replies < 1_000, "it is kept for ever")
    }
    #expect(replies > 100)
    #expect(server.takeClosed() == [client])
    #expect(!server.wantsToWrite(client))
}

@Test func `a client that leaves a little unread is dropped after ten seconds without progress`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let lazy = try RawClient(folder)
    let client = try server.admitted()
    lazy.send(#"{"command":"status"}"# + "\n")
    #expect(server.readable(client).count == 1)
    let line = "{\"ok\":true,\"message\":\"" + String(repeating: "m", count: 500_000) + "\"}"
    server.reply(client, line, last: true)
    #expect(server.wantsToWrite(client))
    server.tick(nowNanoseconds: 5 * second)
    server.tick(nowNanoseconds: 14 * second)
    #expect(server.descriptor(of: client) != nil)
    let part = lazy.received()
    #expect(!part.text.isEmpty && !part.isClosed)
    server.writable(client)
    server.tick(nowNanoseconds: 16 * second)
    #expect(server.descriptor(of: client) != nil, "it has read something")
    server.tick(nowNanoseconds: 26 * second)
    #expect(server.takeClosed() == [client])
}

@Test func `a reply that needs several goes arrives whole`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let raw = try RawClient(folder)
    let client = try server.admitted()
    raw.send(#"{"command":"status"}"# + "\n")
    #expect(server.readable(client).count == 1)
    let lines = (0..<9).map { "{\"n\":\($0),\"m\":\"" + String(repeating: "m", count: 100_000) + "\"}" }
    for (index, line) in lines.enumerated() { server.reply(client, line, last: index == 8) }
    var text = ""
    while true {
        text += raw.received().text
        if server.descriptor(of: client) == nil { break }
        try #require(server.wantsToWrite(client), "nobody would write the rest")
        server.writable(client)
    }
    text += try raw.finished()
    #expect(text == lines.map { $0 + "\n" }.joined())
}

@Test func `who says nothing, half of something, or trickles is dropped; who waits for the host is not`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let clients = try (0..<4).map { _ in (try RawClient(folder), try server.admitted()) }
    clients[1].0.send(#"{"command""#)
    clients[3].0.send(#"{"command":"status"}"# + "\n")
    for (_, client) in clients[1...] { _ = server.readable(client) }
    for time in UInt64(1)...10 {
        server.tick(nowNanoseconds: time * second)
        clients[2].0.send("x")
        #expect(server.readable(clients[2].1).isEmpty)
    }
    #expect(server.takeClosed().isEmpty)
    server.tick(nowNanoseconds: 11 * second)
    #expect(Set(server.takeClosed()) == Set(clients[0..<3].map(\.1)))
    server.tick(nowNanoseconds: 100 * second)
    #expect(server.descriptor(of: clients[3].1) != nil)
}

@Test func `a thousand clients: sixteen are let in, the others hear why, and no descriptor stays`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    var admitted: [ControlClientID] = []
    var raws: [RawClient] = []
    var refused = 0
    for _ in 0..<1_000 {
        let raw = try RawClient(folder)
        if let client = server.accept() {
            admitted.append(client)
            raws.append(raw)
        } else {
            #expect(try raw.finished().contains("try again"))
            refused += 1
        }
    }
    #expect(admitted.count == ControlLimits.clients && refused == 1_000 - ControlLimits.clients)
    #expect(Set(admitted).count == admitted.count)
    let numbers = admitted.compactMap { server.descriptor(of: $0) }
    raws = []
    for client in admitted { #expect(try server.readableAfterHangup(client).isEmpty) }
    #expect(server.takeClosed().sorted() == admitted.sorted())
    #expect(admitted.allSatisfy { server.descriptor(of: $0) == nil })
    #expect(numbers.count == admitted.count)
    let later = try RawClient(folder)
    let client = try server.admitted()
    #expect(!admitted.contains(client), "a number is never used again")
    later.send(#"{"command":"status"}"# + "\n")
    #expect(server.readable(client).count == 1)
}

@Test func `who comes with a request is let in beside those who say nothing`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let silent = try (0..<ControlLimits.clients).map { _ in (try RawClient(folder), try server.admitted()) }
    let half = try RawClient(folder)
    half.send(#"{"command":"#)
    #expect(server.accept() == nil)
    #expect(try half.finished().contains("try again"))
    var others: [RawClient] = []
    for _ in silent.count..<ControlLimits.clientsWithRequests {
        let raw = try RawClient(folder)
        raw.send(#"{"command":"status"}"# + "\n")
        let client = try server.admitted()
        #expect(server.readable(client).map(\.command) == [.status])
        #expect(server.readable(client).isEmpty, "a request is handed over once")
        others.append(raw)
    }
    let last = try RawClient(folder)
    last.send(#"{"command":"status"}"# + "\n")
    #expect(server.accept() == nil)
    #expect(try last.finished().contains("try again"))
    #expect(server.takeClosed().isEmpty && others.count == 16)
}

@Test func `those who wait in a crowd are sent away some at a time`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let inside = try (0..<ControlLimits.clients).map { _ in (try RawClient(folder), try server.admitted()) }
    let crowd = try (0..<40).map { _ in try RawClient(folder) }
    // In between the host looks after its job.
    for _ in 0..<3 { #expect(server.accept() == nil) }
    for raw in crowd { #expect(try raw.finished().contains("try again")) }
    #expect(inside.allSatisfy { server.descriptor(of: $0.1) != nil })
}

@Test func `without a free descriptor a client is sent away instead of being reported for ever`() async {
    await #expect(processExitsWith: .success) {
        let folder = try TestFolder()
        let server = try ControlServer(folder: folder.path)
        let raw = try RawClient(folder)
        var hoard: [Int32] = []
        while true {
            let number = dup(0)
            if number < 0 { break }
            hoard.append(number)
        }
        #expect(server.accept() == nil)
        let (text, isClosed) = raw.received()
        #expect(text.contains("no descriptor left") && isClosed)
        for number in hoard { _ = Glibc.close(number) }
        let later = try RawClient(folder)
        #expect(server.accept() != nil)
        _ = later
    }
}

@Test func `descriptors are closed with the clients and with the server`() async {
    await #expect(processExitsWith: .success) {
        let folder = try TestFolder()
        let before = try descriptorsOfSockets(in: folder)
        for _ in 0..<3 {
            let server = try ControlServer(folder: folder.path)
            for _ in 0..<50 {
                let raw = try RawClient(folder)
                let client = try server.admitted()
                raw.send("rubbish\n")
                #expect(server.readable(client).isEmpty)
            }
            let left = try (0..<5).map { _ in (try RawClient(folder), try server.admitted()) }
            #expect(left.count == 5)
            // Five clients with two ends each, the listener, and the server's folder.
            #expect(try descriptorsOfSockets(in: folder) == before + 12)
        }
        #expect(try descriptorsOfSockets(in: folder) == before)
    }
}

/// The open descriptors of this process that are sockets or the folder. Whatever else opens and closes is not ours.
private func descriptorsOfSockets(in folder: TestFolder) throws -> Int {
    try namesIn("/proc/self/fd").filter { number in
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
        return target?.hasPrefix("socket:") == true || target == absolutePath(folder.path)
    }.count
}
