import Glibc
import LinuxIO
import StageControl
import Testing

@Test func `only the owner may touch the socket, and it goes with the server`() throws {
    let folder = try TestFolder()
    let old = umask(0)
    defer { _ = umask(old) }
    var server: ControlServer? = try ControlServer(folder: folder.path)
    var facts = stat()
    #expect(unsafe stat(folder.socket, &facts) == 0)
    #expect(facts.st_mode & S_IFMT == S_IFSOCK && facts.st_mode & 0o7777 == 0o600)
    #expect((server?.listener ?? -1) >= 0)
    server = nil
    #expect(!fileExists(folder.socket))
}

@Test func `what a killed host has left is replaced`() throws {
    let folder = try TestFolder()
    // A socket that nobody listens on any more, as after kill -9.
    let directory = try UnixSocket.folder(folder.path)
    do { _ = try UnixSocket.listen(in: directory, ControlServer.socketName, backlog: 1) }
    #expect(fileExists(folder.socket))
    #expect(throws: ControlError.noHost) {
        try ControlClient.send(.status, folder: folder.path, timeoutSeconds: 5) { _ in true }
    }
    let server = try ControlServer(folder: folder.path)
    let raw = try RawClient(folder)
    #expect(try server.admitted() == 1)
    _ = raw
}

@Test func `a path longer than a socket address works on both ends`() throws {
    let folder = try TestFolder(depth: 12)
    #expect(folder.socket.utf8.count > 500)
    let server = try ControlServer(folder: folder.path)
    let host = try HostThread(server) { server, request in
        server.reply(request.client, ControlReply(ok: true, "\(request.command)", last: true).json, last: true)
    }
    var replies: [String] = []
    try ControlClient.send(.resume, folder: folder.path, timeoutSeconds: 30) { line in
        replies.append(line)
        return true
    }
    #expect(replies == [#"{"ok":true,"message":"resume","last":true}"#])
    host.end()
}

@Test func `what cannot be a job directory is said with its name`() throws {
    let folder = try TestFolder()
    let error = #expect(throws: SystemError.self) { _ = try ControlServer(folder: folder.path + "/nowhere") }
    #expect(error?.code == ENOENT && error?.subject.hasSuffix("/nowhere") ?? false)
    try createFolders(folder.socket)
    let other = #expect(throws: SystemError.self) { _ = try ControlServer(folder: folder.path) }
    #expect(other?.subject == folder.socket)
}
