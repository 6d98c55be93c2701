import Foundation

/// What went wrong in the test's own machinery.
struct TestFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// What a command came to.
struct Ended {
    var code: Int32
    var output: String
    var errors: String

    /// The output as JSON.
    func json() throws -> Any {
        try JSONSerialization.jsonObject(with: Data(output.utf8), options: .fragmentsAllowed)
    }

    func object() throws -> [String: Any] {
        guard let object = try json() as? [String: Any] else { throw TestFailure("no object: \(output) \(errors)") }
        return object
    }

    func objects() throws -> [[String: Any]] {
        guard let objects = try json() as? [[String: Any]] else { throw TestFailure("no array: \(output) \(errors)") }
        return objects
    }

    /// The output as JSON Lines.
    func lines() throws -> [[String: Any]] {
        try output.split(separator: "\n").map { line in
            guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
                throw TestFailure("no object: \(line)")
            }
            return object
        }
    }
}

/// A folder to run `stagehost` in, with pipelines and jobs of its own; all of it is gone after the test.
final class Sandbox {
    let folder: URL
    private var hosts: [Process] = []

    static var buildFolder: URL {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("stage-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit {
        for host in hosts where host.isRunning {
            kill(host.processIdentifier, SIGKILL)
            host.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: folder)
    }

    func path(_ name: String) -> URL { folder.appendingPathComponent(name) }

    func write(_ name: String, _ text: String) throws {
        try FileManager.default.createDirectory(
            at: path(name).deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: path(name))
    }

    func text(_ name: String) throws -> String { String(decoding: try Data(contentsOf: path(name)), as: UTF8.self) }

    /// A job of `records` lines that go through `stages` into `out.txt`. `stages` is the JSON5 of what is between.
    func pipeline(records: Int = 100, batch: Int = 10, sync: String = "200ms", _ stages: () -> String) throws {
        let name = "demo"
        try write("in.txt", (1...records).map { "line \($0)\n" }.joined())
        try write(
            "\(name).json5",
            """
            { name: "\(name)", batch: { records: \(batch) }, sync: "\(sync)", stages: [
              { name: "read", plugin: "read-lines", with: { path: "in.txt" } },
              \(stages())
              { name: "write", plugin: "write-lines", with: { path: "out.txt" } } ] }
            """)
    }

    private func process(_ arguments: [String]) -> (Process, Pipe, Pipe) {
        let process = Process()
        process.executableURL = Self.buildFolder.appendingPathComponent("stagehost")
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("STAGEHOST_") }
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        return (process, output, errors)
    }

    /// Runs a command to its end.
    @discardableResult
    func stagehost(_ arguments: String...) throws -> Ended {
        let (process, output, errors) = process(arguments)
        // Into files, so that neither pipe can fill up while the other is read.
        let names = ["stdout", "stderr"].map { path(".\($0)-\(UUID().uuidString)") }
        for name in names { _ = FileManager.default.createFile(atPath: name.path, contents: nil) }
        defer { for name in names { try? FileManager.default.removeItem(at: name) } }
        _ = (output, errors)
        process.standardOutput = try FileHandle(forWritingTo: names[0])
        process.standardError = try FileHandle(forWritingTo: names[1])
        try process.run()
        process.waitUntilExit()
        let texts = try names.map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
        return Ended(code: process.terminationStatus, output: texts[0], errors: texts[1])
    }

    /// Starts a command that goes on for a while; its output goes to a file in the folder.
    func start(_ arguments: String..., output: String = "started.txt") throws -> Process {
        let (process, _, _) = process(arguments)
        _ = FileManager.default.createFile(atPath: path(output).path, contents: nil)
        let file = try FileHandle(forWritingTo: path(output))
        process.standardOutput = file
        process.standardError = file
        try process.run()
        hosts.append(process)
        return process
    }

    /// Looks at the job until what it says is so.
    func wait(_ what: String, _ job: String = "demo", until holds: ([String: Any]) -> Bool) throws -> [String: Any] {
        let deadline = Date().addingTimeInterval(60)
        var last = Ended(code: 0, output: "", errors: "")
        while Date() < deadline {
            last = try stagehost("status", job, "--json")
            if last.code == 0, let status = try? last.object(), holds(status) { return status }
        }
        throw TestFailure("\(what) has not come: \(last.output)\(last.errors)")
    }

    func kill9(_ host: Process) {
        kill(host.processIdentifier, SIGKILL)
        host.waitUntilExit()
    }
}

extension [String: Any] {
    /// A number below a path of keys.
    func number(_ keys: String...) -> Int? {
        var value: Any? = self
        for key in keys { value = (value as? [String: Any])?[key] }
        return (value as? NSNumber)?.intValue
    }

    func isNull(_ key: String) -> Bool { self[key] is NSNull }
}
