import Foundation
import Glibc
import LinuxIO
import Testing

/// A pipeline in a folder of its own, run by the real program. When the value goes, so do its processes and its folder.
final class Job {
    let folder: String
    /// Stands in the environment of every process that descends from this job, and in that of no other.
    private let mark = "STAGE_UNDER_TEST=\(UUID().uuidString)"
    private var outputs = 0
    /// More variables for the programs.
    var environment: [String: String] = [:]

    /// - Parameter pipeline: JSON5 text of `pipeline.json5`.
    init(_ pipeline: String, in parent: String? = nil) throws {
        folder = (parent ?? FileManager.default.temporaryDirectory.path) + "/stage-system-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try write("pipeline.json5", pipeline)
    }

    deinit {
        // What is just dying may still make a file in a folder that is being removed.
        let patience = Patience(seconds: 10)
        repeat {
            for pid in processes() { kill(pid, SIGKILL) }
            try? FileManager.default.removeItem(atPath: folder)
        } while (FileManager.default.fileExists(atPath: folder) || !processes().isEmpty) && patience.lasts
    }

    // MARK: - Files

    func path(_ name: String) -> String { folder + "/" + name }

    func write(_ name: String, _ text: String) throws {
        let file = URL(filePath: path(name))
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    func data(_ name: String) -> Data { FileManager.default.contents(atPath: path(name)) ?? Data() }

    func size(_ name: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path(name))[.size] as? Int) ?? 0
    }

    func lines(_ name: String) -> [String] {
        String(decoding: data(name), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Lines of JSON as objects; a line that is still being written is left out.
    func objects(_ name: String) -> [[String: Any]] { lines(name).compactMap(jsonObject) }

    // MARK: - Runs

    /// Runs a command to its end.
    @discardableResult
    func command(_ arguments: String..., seconds: Double = 60) throws -> Ended {
        try command(arguments, seconds: seconds)
    }

    @discardableResult
    func command(_ arguments: [String], seconds: Double = 60) throws -> Ended {
        try start(arguments).wait(seconds: seconds)
    }

    /// Begins a command.
    func begin(_ arguments: String...) throws -> Host { try start(arguments) }

    /// Begins another program of this project.
    func begin(program: String, _ arguments: String...) throws -> Host { try start(Programs.folder + "/" + program, arguments) }

    /// `stagehost run pipeline.json5`, to its end.
    @discardableResult
    func run(_ options: String..., seconds: Double = 60) throws -> Ended {
        try start(["run", "pipeline.json5"] + options).wait(seconds: seconds)
    }

    /// `stagehost run pipeline.json5`, in the background.
    func start(_ options: String...) throws -> Host { try start(options: options) }

    func start(options: [String]) throws -> Host { try start(["run", "pipeline.json5"] + options) }

    /// Begins a line of shell in the folder of the job; `asNobody`: by a user who may do nothing, where the tests are run by root.
    func shell(_ line: String, asNobody: Bool = false) throws -> Host {
        guard asNobody, geteuid() == 0 else { return try start("/bin/bash", ["-c", line]) }
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]
        return try start(Programs.find("setpriv") ?? "/usr/bin/setpriv", nobody + ["/bin/bash", "-c", line])
    }

    private func start(_ arguments: [String]) throws -> Host { try start(Programs.folder + "/stagehost", arguments) }

    private func start(_ program: String, _ arguments: [String]) throws -> Host {
        outputs += 1
        let environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("STAGEHOST_") }
            .merging(self.environment) { $1 }
        return try Host(
            program, arguments, folder: folder, output: path(".output-\(outputs)"),
            environment: environment.map { "\($0.key)=\($0.value)" } + [mark], of: self)
    }

    // MARK: - What there is to see

    /// The status that the host wrote last; nil before the first.
    func status(of name: String = "job") -> [String: Any]? {
        jsonObject(String(decoding: data(".stagehost/\(name)/status.json"), as: UTF8.self))
    }

    func events(_ event: String, of name: String = "job") -> [[String: Any]] {
        objects(".stagehost/\(name)/events.jsonl").filter { $0["event"] as? String == event }
    }

    /// The dead letters, by key.
    func letters(of name: String = "job") throws -> [String: [String: Any]] {
        let listed = try command("failures", name, "--json")
        try #require(listed.code == 0, "\(listed.output)")
        let letters = listed.output.split(separator: "\n").compactMap { jsonObject(String($0)) }
        return Dictionary(letters.map { ($0["key"] as? String ?? "", $0) }) { first, _ in first }
    }

    /// Every process of this job that lives, grandchildren included.
    func processes() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap(Int32.init).filter { pid in
            guard pid != getpid(), let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else { return false }
            return environment.range(of: Data(mark.utf8)) != nil
        }
    }

    /// Waits until these processes have let go of everything: one of many threads has no environment any more, and so is none of
    /// `processes`, while the last of them still has its sockets.
    func expectOver(_ dying: [Int32], _ place: SourceLocation = #_sourceLocation) {
        func isOver(_ pid: Int32) -> Bool {
            guard let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat"), let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return true }
            let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task"))?.count ?? 0
            return threads <= 1 && stat[end...].dropFirst(2).first == UInt8(ascii: "Z")
        }
        let patience = Patience(seconds: 5)
        while !dying.allSatisfy(isOver), patience.lasts { patience.rest() }
        #expect(dying.allSatisfy(isOver), "processes that do not end", sourceLocation: place)
    }

    /// Waits until no process of the job is left: the kernel needs a moment to bury those that were killed.
    func expectNoProcessLeft(_ place: SourceLocation = #_sourceLocation) {
        let patience = Patience(seconds: 5)
        while !processes().isEmpty, patience.lasts { patience.rest() }
        #expect(processes().isEmpty, "processes left behind", sourceLocation: place)
    }
}

func jsonObject(_ text: String) -> [String: Any]? {
    try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
}
