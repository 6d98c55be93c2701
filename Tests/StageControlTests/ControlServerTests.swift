import Glibc
import LinuxIO
import StageControl
import Testing

private func isClosed(_ server: ControlServer, _ client: ControlClientID) -> Bool {
    server.descriptor(of: client) == nil && server.takeClosed() == [client]
}

@Test func `every command comes through, and only the keys that it has`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let commands: [ControlCommand] = [
        .status, .pause(release: false), .pause(release: true), .resume, .stop, .restart(stage: "terms", plugin: nil),
        .restart(stage: "tërms \"x\"", plugin: "/a b/libstage-terms.so"),
    ]
    for command in commands {
        let raw = try RawClient(folder)
        let client = try server.admitted()
        raw.send(command.json + "\n")
        #expect(server.readable(client) == [ControlRequest(client: client, command: command)])
        #expect(raw.received() == ("", false))
        server.reply(client, #"{"ok":true,"message":"loaded"}"#, last: false)
        #expect(raw.received() == ("{\"ok\":true,\"message\":\"loaded\"}\n", false))
        server.reply(client, #"{"ok":true,"last":true}"#, last: true)
        #expect(try raw.finished() == "{\"ok\":true,\"last\":true}\n")
        #expect(isClosed(server, client))
    }
    let plain = try RawClient(folder)
    let client = try server.admitted()
    plain.send(#"{"command":"pause"}"# + "\r\n\n")
    #expect(server.readable(client).first?.command == .pause(release: false))
}

@Test(arguments: [
    ("{}", "no \\\"command\\\""), ("[1]", "JSON object"), ("x", "JSON object"), ("GET / HTTP/1.1\r", "JSON object"),
    (#"{"command":7}"#, "must be a string"), (#"{"command":"status","verbose":true}"#, "no key \\\"verbose\\\""),
    (#"{"command":"pause","release":"yes"}"#, "true or false"), (#"{"command":"restart"}"#, "needs a \\\"stage\\\""),
    (#"{"command":"restart","stage":""}"#, "1 to 4096"), (#"{"command":"restart","stage":"a\u0000b"}"#, "control characters"),
    (#"{"command":"restart","stage":["a"]}"#, "must be a string"),
    (#"{"command":"restart","stage":"a","plugin":"x.so"}"#, "absolute"),
    (#"{"command":"stop","command":"status"}"#, "JSON object"),
    (String(repeating: "[", count: 100), "JSON object"), ("\u{0}\u{1}\u{2}", "JSON object"),
])
func `a request that is none is answered by the server alone, and closed`(request: String, words: String) throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let raw = try RawClient(folder)
    let client = try server.admitted()
    raw.send(request + "\n")
    #expect(server.readable(client).isEmpty)
    let text = try raw.finished()
    let reply = try #require(ControlReply(String(text.dropLast())))
    #expect(!reply.isOK && reply.isLast && text.contains(words), "\(text)")
    #expect(text.utf8.count < 400)
    #expect(isClosed(server, client))
}

@Test func `a word that stands for no command is answered with what was meant, and told to the host`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let raw = try RawClient(folder)
    let client = try server.admitted()
    raw.send(#"{"command":"restrat"}"# + "\n")
    #expect(server.readable(client).map(\.command) == [.unknown("restrat")])
    server.reply(client, "too late", last: true)
    let text = try raw.finished()
    #expect(text.contains(#"did you mean \"restart\"?"#) && !text.contains("late"))
    let long = try RawClient(folder)
    let other = try server.admitted()
    long.send("{\"command\":\"\(String(repeating: "é", count: 9_000))\"}\n")
    var requests: [ControlRequest] = []
    while server.descriptor(of: other) != nil { requests += server.readable(other) }
    #expect(requests.count == 1)
    #expect(long.received().text.utf8.count < 400)
}

@Test func `a request may come byte by byte`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    let raw = try RawClient(folder)
    let client = try server.admitted()
    for byte in "  \n" + #"{"command":"stop"}"# {
        raw.send(String(byte))
        #expect(server.readable(client).isEmpty)
    }
    #expect(server.readable(client).isEmpty)
    raw.send("\n")
    #expect(server.readable(client).map(\.command) == [.stop])
}

@Test func `a request whose sender has left counts; half of one does not`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    var raw: RawClient? = try RawClient(folder)
    let first = try server.admitted()
    raw?.send(#"{"command":"stop"}"# + "\n")
    raw = nil
    #expect(server.readable(first).map(\.command) == [.stop])
    #expect(try server.readableAfterHangup(first).isEmpty)
    #expect(isClosed(server, first))
    server.reply(first, "{}", last: true)

    raw = try RawClient(folder)
    let second = try server.admitted()
    raw?.send(#"{"command":"stop"}"#)
    raw = nil
    #expect(server.readable(second).isEmpty)
    #expect(try server.readableAfterHangup(second).isEmpty)
    #expect(isClosed(server, second))
}

@Test func `a client that says more than one thing is closed`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    for later in [false, true] {
        let raw = try RawClient(folder)
        let client = try server.admitted()
        raw.send(#"{"command":"status"}"# + "\n" + (later ? "" : "{"))
        #expect(server.readable(client).count == (later ? 1 : 0))
        if later {
            raw.send("{")
            #expect(server.readable(client).isEmpty)
        }
        #expect(raw.received().text.contains("takes one request"))
        #expect(isClosed(server, client))
    }
}

@Test func `a line without end is cut off at its limit, as is white space`() throws {
    for filler in ["x", " ", "\n"] {
        let folder = try TestFolder()
        let server = try ControlServer(folder: folder.path)
        let raw = try RawClient(folder)
        let client = try server.admitted()
        var sent = 0
        while server.descriptor(of: client) != nil {
            try #require(sent < 1 << 20, "no end to it")
            if case .bytes(let count) = raw.send(String(repeating: filler, count: 8_192)) { sent += count }
            #expect(server.readable(client).isEmpty)
        }
        #expect(sent > ControlLimits.requestBytes && sent <= ControlLimits.requestBytes + 65_536)
        #expect(raw.received().text.contains("longer than 65536 bytes"))
        #expect(isClosed(server, client))
    }
}

@Test func `garbage of any kind never makes a request and never keeps a client`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    var random = SystemRandomNumberGenerator()
    let requests = [#"{"command":"restart","stage":"terms"}"#, #"{"command":"pause","release":true}"#].map { Array($0.utf8) }
    for round in 0..<500 {
        let raw = try RawClient(folder)
        let client = try server.admitted()
        var bytes: [UInt8]
        if round % 2 == 0 {
            bytes = (0..<Int.random(in: 1...300, using: &random)).map { _ in UInt8.random(in: 0x21...255, using: &random) }
        } else {
            bytes = requests[round / 2 % 2]
            // Cut short, so that it cannot be whole by chance.
            bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
            bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0x21...255, using: &random)
        }
        raw.send(bytes + [0x0A])
        #expect(server.readable(client).isEmpty, "\(bytes)")
        #expect(server.descriptor(of: client) == nil, "\(bytes)")
    }
    #expect(server.takeClosed().count == 500)
}
