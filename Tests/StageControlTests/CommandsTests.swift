import LinuxIO
import StageControl
import Synchronization
import Testing

@Test func `a running host is told, and its words are shown as they come`() throws {
    let job = try TestJob(failing: true)
    let seen = Seen()
    try job.hosted { server, request in
        seen.add(request.command)
        func say(_ ok: Bool, _ words: String, last: Bool) {
            server.reply(request.client, ControlReply(ok: ok, words, last: last).json, last: last)
        }
        switch request.command {
        case .restart(_, nil):
            for words in ["loaded", "serving"] { say(true, words, last: false) }
            say(true, "restarted", last: true)
        case .restart:
            say(true, "loaded", last: false)
            say(false, "rolled back: \u{1B}[31mworse", last: true)
        case .stop: say(false, "busy", last: true)
        default: say(true, "as you say", last: true)
        }
    } _: {
        let restarted = try job.stagehost("restart", "demo", "picky")
        #expect(restarted.code == 0 && restarted.errors.isEmpty)
        #expect(restarted.output == "demo: loaded\ndemo: serving\ndemo: restarted\n")
        try job.write("libstage-new.so", "")
        let swapped = try job.stagehost("restart", "demo", "picky", "--plugin", "libstage-new.so")
        #expect(swapped.code == 69 && swapped.output == "demo: loaded\n")
        #expect(swapped.errors == "error: job \"demo\": rolled back: \\u{1b}[31mworse\n")
        for words in [["pause", "demo"], ["pause", "demo", "--release"], ["resume", "demo"]] {
            let ended = try words.count == 2 ? job.stagehost(words[0], words[1]) : job.stagehost(words[0], words[1], words[2])
            #expect(ended.code == 0 && ended.output == "demo: as you say\n", "\(ended)")
        }
        let stopped = try job.stagehost("stop", "demo")
        #expect(stopped.code == 75 && stopped.errors == "error: job \"demo\": busy\n")
        #expect(try job.stagehost("restart", "demo", "pikcy").code == 64)
        let missing = try job.stagehost("restart", "demo", "picky", "--plugin", "nowhere.so")
        #expect(missing.code == 69 && missing.errors.contains("nowhere.so"))
    }
    let plugin = absolutePath(job.folder.path).map { $0 + "/libstage-new.so" }
    #expect(
        seen.commands == [
            .restart(stage: "picky", plugin: nil), .restart(stage: "picky", plugin: plugin), .pause(release: false),
            .pause(release: true), .resume, .stop,
        ])
    #expect(job.state == "failed", "nothing was written down")
}

@Test func `without a host a pause is kept until resume`() throws {
    let job = try TestJob(failing: true)
    let paused = try job.stagehost("pause", "demo")
    #expect(paused.code == 0 && paused.output.contains("stagehost resume demo"))
    #expect(job.state == "paused")
    #expect(try job.stagehost("pause", "demo").output.contains("already"))
    let run = try job.stagehost("run", "demo.json5")
    #expect(run.code == 75 && run.errors.contains("is paused") && run.errors.contains("stagehost resume demo"))
    #expect(job.state == "paused")
    // It goes on, and what had stopped it before does not stop it again.
    #expect(try job.stagehost("resume", "demo", "--quiet").code == 0)
    #expect(job.state == "complete")
    #expect(try job.stagehost("run", "demo.json5", "--quiet").code == 0)
}

@Test func `without a host a stop is for good, and only a fresh start goes on`() throws {
    let job = try TestJob(failing: true)
    let stopped = try job.stagehost("stop", "demo")
    #expect(stopped.code == 0 && stopped.output.contains("--fresh"))
    #expect(job.state == "stopped")
    #expect(try job.stagehost("verify", "demo").code == 0)
    for arguments in [["run", "demo.json5"], ["resume", "demo"], ["pause", "demo"]] {
        let ended = try job.stagehost(arguments[0], arguments[1])
        #expect(ended.code == 73 && ended.errors.contains("stopped for good") && ended.errors.contains("--fresh"), "\(ended)")
    }
    #expect(try job.stagehost("stop", "demo").output.contains("already"))
    #expect(try job.stagehost("run", "demo.json5", "--fresh", "--quiet").code == 3)
    #expect(job.state == "failed")
}

@Test func `a complete job stays complete`() throws {
    let job = try TestJob(failing: false)
    for command in ["pause", "stop"] {
        let ended = try job.stagehost(command, "demo")
        #expect(ended.code == 0 && ended.output.contains("complete"))
        #expect(job.state == "complete")
    }
}

@Test func `without a host there is nothing to restart`() throws {
    let job = try TestJob(failing: true)
    let ended = try job.stagehost("restart", "demo", "picky")
    #expect(ended.code == 75 && ended.errors.contains("no host runs") && ended.errors.contains("stagehost resume demo"))
    #expect(try job.stagehost("restart", "domo", "picky").code == 66)
    #expect(try job.stagehost("pause", "domo").code == 66)
}

@Test func `a host that goes away before it answers leaves the wish behind`() throws {
    for command in ["pause", "stop"] {
        let job = try TestJob(failing: true)
        let lock = try #require(HeldLock(job.jobFolder + "/lock"))
        let folder = try UnixSocket.folder(job.jobFolder)
        let number = try UnixSocket.listen(in: folder, ControlServer.socketName, backlog: 4).release()
        let host = SideThread {
            let listener = Descriptor(owning: number)
            _ = try? listener.waitReadable(milliseconds: 30_000)
            if case .connection(let connection) = UnixSocket.accept(listener) {
                _ = try? connection.waitReadable(milliseconds: 30_000)
            }
            lock.release()
        }
        let ended = try job.stagehost(command, "demo")
        host.join()
        #expect(ended.code == 0, "\(ended)")
        #expect(job.state == (command == "pause" ? "paused" : "stopped"))
    }
}

@Test func `a host that goes away in the middle of a restart is a failure to try again`() throws {
    let job = try TestJob(failing: true)
    let folder = try UnixSocket.folder(job.jobFolder)
    let number = try UnixSocket.listen(in: folder, ControlServer.socketName, backlog: 4).release()
    let host = SideThread {
        let listener = Descriptor(owning: number)
        _ = try? listener.waitReadable(milliseconds: 30_000)
        if case .connection(let connection) = UnixSocket.accept(listener) {
            _ = try? connection.waitReadable(milliseconds: 30_000)
            _ = connection.send(Array("{\"ok\":true,\"message\":\"loaded\"}\n".utf8)[...])
        }
    }
    let ended = try job.stagehost("restart", "demo", "picky")
    host.join()
    #expect(ended.code == 75 && ended.output == "demo: loaded\n" && ended.errors.contains("went away"))
}

/// A lock that another thread lets go of.
private final class HeldLock: Sendable {
    private let lock: Mutex<FileLock?>

    init?(_ path: String) {
        guard let lock = try? FileLock.take(path) else { return nil }
        self.lock = Mutex(lock)
    }

    func release() {
        lock.withLock { $0 = nil }
    }
}

/// What a host in another thread was told.
private final class Seen: Sendable {
    private let list = Mutex<[ControlCommand]>([])

    func add(_ command: ControlCommand) { list.withLock { $0.append(command) } }

    var commands: [ControlCommand] { list.withLock { $0 } }
}
