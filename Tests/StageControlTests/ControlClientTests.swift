import Glibc
import LinuxIO
import StageControl
import StageConfig
import Testing

private func reply(_ ok: Bool, _ message: String, last: Bool) -> String {
    ControlReply(ok: ok, message, last: last).json
}

@Test func `replies are handed on as they come, until the last`() throws {
    let folder = try TestFolder()
    let host = try HostThread(ControlServer(folder: folder.path)) { server, request in
        #expect(request.command == .restart(stage: "terms", plugin: "/p.so"))
        for step in ["loaded", "serving", "on probation"] { server.reply(request.client, reply(true, step, last: false), last: false) }
        server.reply(request.client, reply(false, "rolled back", last: true), last: true)
    }
    var seen: [ControlReply] = []
    try ControlClient.send(.restart(stage: "terms", plugin: "/p.so"), folder: folder.path, timeoutSeconds: 30) { line in
        seen += [ControlReply(line)].compactMap { $0 }
        return true
    }
    host.end()
    #expect(seen.map(\.message) == ["loaded", "serving", "on probation", "rolled back"])
    #expect(seen.map(\.isOK) == [true, true, true, false] && seen.map(\.isLast) == [false, false, false, true])
}

@Test func `a caller that has heard enough gets no more`() throws {
    let folder = try TestFolder()
    let host = try HostThread(ControlServer(folder: folder.path)) { server, request in
        for step in ["1", "2", "3"] { server.reply(request.client, reply(true, step, last: false), last: false) }
    }
    var count = 0
    try ControlClient.send(.status, folder: folder.path, timeoutSeconds: 30) { _ in
        count += 1
        return count < 2
    }
    host.end()
    #expect(count == 2)
}

@Test func `where nothing listens there is no host`() throws {
    let folder = try TestFolder()
    for path in [folder.path, folder.path + "/nowhere"] {
        #expect(throws: ControlError.noHost) {
            try ControlClient.send(.status, folder: path, timeoutSeconds: 5) { _ in true }
        }
    }
}

@Test func `a host that says nothing is given up on`() throws {
    let folder = try TestFolder()
    let server = try ControlServer(folder: folder.path)
    #expect(throws: ControlError.timeout) {
        try ControlClient.send(.status, folder: folder.path, timeoutSeconds: 0.05) { _ in true }
    }
    // So is one that lets nobody in, once its backlog is full.
    var waiting: [RawClient] = []
    while let raw = try? RawClient(folder) { waiting.append(raw) }
    #expect(throws: ControlError.timeout) {
        try ControlClient.send(.status, folder: folder.path, timeoutSeconds: 0.05) { _ in true }
    }
    _ = server
}

@Test func `a host that goes away in the middle of its replies is noticed`() throws {
    for words in ["", "{\"ok\":true}\n", "{\"ok\":true}\n{\"ok\":tr"] {
        let folder = try TestFolder()
        let directory = try UnixSocket.folder(folder.path)
        let listener = try UnixSocket.listen(in: directory, ControlServer.socketName, backlog: 4)
        let number = listener.release()
        let thread = SideThread {
            let listener = Descriptor(owning: number)
            guard (try? listener.waitReadable(milliseconds: 30_000)) == true,
                case .connection(let connection) = UnixSocket.accept(listener)
            else { return }
            _ = try? connection.waitReadable(milliseconds: 30_000)
            _ = connection.send(Array(words.utf8)[...])
        }
        var seen = 0
        #expect(throws: ControlError.cutOff) {
            try ControlClient.send(.status, folder: folder.path, timeoutSeconds: 30) { _ in
                seen += 1
                return true
            }
        }
        thread.join()
        #expect(seen == (words.isEmpty ? 0 : 1))
    }
}

@Test func `a command that is too long is refused by the server with words`() throws {
    let folder = try TestFolder()
    let host = try HostThread(ControlServer(folder: folder.path)) { _, _ in }
    var seen: [String] = []
    try ControlClient.send(
        .restart(stage: String(repeating: "s", count: 200_000), plugin: nil), folder: folder.path, timeoutSeconds: 30
    ) { line in
        seen.append(line)
        return true
    }
    host.end()
    #expect(seen.count == 1 && seen[0].contains("longer than"))
}

@Test func `a crowd of hostile clients keeps nobody else from being served`() throws {
    let folder = try TestFolder()
    let host = try HostThread(ControlServer(folder: folder.path)) { server, request in
        server.reply(request.client, reply(true, "here", last: true), last: true)
    }
    var hostile: [RawClient] = []
    for round in 0..<300 {
        // What is full is full: the next one tries again, as anybody would.
        guard let raw = try? RawClient(folder) else { continue }
        raw.send(["\u{0}\u{1}\u{2}\n", #"{"command""#, "", #"{"command":"status"}"# + "\n"][round % 4])
        hostile.append(raw)
        if hostile.count > 12 { hostile.removeFirst() }
    }
    hostile.removeFirst(4)
    var answered = false
    while !answered {
        try ControlClient.send(.status, folder: folder.path, timeoutSeconds: 30) { line in
            answered = ControlReply(line)?.isOK ?? false
            return true
        }
    }
    host.end()
}

@Test func `replies are read as they were written, and rubbish is none`() {
    let reply = ControlReply(ok: true, "a \"b\"\nc", last: true, more: [.init("stage", .string("terms"))])
    #expect(!reply.json.contains("\n"))
    let read = ControlReply(reply.json)
    #expect(read?.message == reply.message && read?.isOK == true && read?.isLast == true)
    #expect(read?.more.first?.key == "stage" && read?.more.count == 1)
    for rubbish in ["", "{}", "[]", "{\"ok\":1}", "ok"] { #expect(ControlReply(rubbish) == nil) }
}
