import Foundation
import Glibc
import LinuxIO
import StageControl

/// A folder with a job in it that the real command line made, and that this test can be the host of.
final class TestJob {
    struct Ended {
        var code: Int32
        var output: String
        var errors: String
    }

    struct Failed: Error { var words: String }

    let folder: TestFolder
    var jobFolder: String { folder.path + "/.stagehost/demo" }

    /// - Parameter failing: The job ends by itself before it is complete.
    init(failing: Bool) throws {
        folder = try TestFolder()
        try write("in.txt", (1...30).map { "line \($0)\n" }.joined())
        try write(
            "demo.json5",
            """
            { name: "demo", batch: { records: 10 }, failures: { max: 0 }, stages: [
              { name: "read", plugin: "read-lines", with: { path: "in.txt" } },
              { name: "picky", plugin: "misbehave",
                with: \(failing ? "{ when: { ids: [2] }, do: \"fail-permanently\" }" : "{}") },
              { name: "write", plugin: "write-lines", with: { path: "out.txt" } } ] }
            """)
        let ended = try stagehost("run", "demo.json5", "--quiet")
        guard ended.code == (failing ? 3 : 0) else { throw Failed(words: "\(ended)") }
    }

    func write(_ name: String, _ text: String) throws {
        try writeFileAtomically(folder.path + "/" + name, Array(text.utf8), durable: false)
    }

    /// Runs a command to its end. Its output goes to files, so that nothing can fill up.
    @discardableResult
    func stagehost(_ arguments: String...) throws -> Ended {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("stagehost")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("STAGEHOST_") }
        process.standardInput = FileHandle.nullDevice
        let names = ["out", "err"].map { folder.path + "/.\($0)-\(UUID().uuidString)" }
        for name in names { _ = FileManager.default.createFile(atPath: name, contents: nil) }
        process.standardOutput = FileHandle(forWritingAtPath: names[0])
        process.standardError = FileHandle(forWritingAtPath: names[1])
        try process.run()
        process.waitUntilExit()
        let texts = try names.map { String(decoding: try readSmallFile($0), as: UTF8.self) }
        return Ended(code: process.terminationStatus, output: texts[0], errors: texts[1])
    }

    var state: String? {
        guard let ended = try? stagehost("status", "demo", "--json"),
            let object = try? JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any]
        else { return nil }
        return object["state"] as? String
    }

    /// Is the host of the job, with its lock and its socket, while `body` runs.
    func hosted(
        by serve: @escaping @Sendable (ControlServer, ControlRequest) -> Void, _ body: () throws -> Void
    ) throws {
        guard let lock = try FileLock.take(jobFolder + "/lock") else { throw Failed(words: "somebody has the lock") }
        let host = try HostThread(ControlServer(folder: jobFolder), serve)
        defer { host.end() }
        try body()
        _ = consume lock
    }
}
