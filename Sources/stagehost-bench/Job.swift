import CBench
import Glibc
import LinuxIO
import StageConfig

/// A pipeline that is measured, and the running of it by the real `stagehost`.
struct Job: Sendable {
    struct Stage: Sendable {
        var name: String
        var plugin: String
        var with: [(String, JSONValue)] = []
        var durable = true
        var standby = 0
        var workers = 1
        var threads = 1
        var rate: [(String, JSONValue)] = []
        var retry: [(String, JSONValue)] = []
    }

    var name: String
    var batch = 100
    var sync = "200ms"
    var stages: [Stage]

    /// Lines of a file, through some stages, to lines of a file.
    static func lines(_ name: String, from input: String, to output: String, through stages: [Stage]) -> Job {
        let read = Stage(name: "read", plugin: "read-lines", with: [("path", .string(input))])
        let write = Stage(name: "write", plugin: "write-lines", with: [("path", .string(output))])
        return Job(name: name, stages: [read] + stages + [write])
    }

    /// Records of so many bytes from memory, through some stages, to nowhere.
    static func memory(_ name: String, records: Int, bytes: Int, through stages: [Stage], _ setting: Setting) -> Job {
        let read = Stage(
            name: "read", plugin: setting.programs.source,
            with: [("count", .integer(Int64(records))), ("bytes", .integer(Int64(bytes)))])
        return Job(name: name, stages: [read] + stages + [Stage(name: "count", plugin: setting.programs.sink)])
    }

    private var document: JSONValue {
        let shown = stages.map { stage -> JSONValue in
            .object([
                .init("name", .string(stage.name)), .init("plugin", .string(stage.plugin)),
                .init("with", .object(stage.with.map { JSONValue.Member($0.0, $0.1) })),
                .init("durable", .boolean(stage.durable)), .init("standby", .integer(Int64(stage.standby))),
                .init("workers", .integer(Int64(stage.workers))), .init("threads", .integer(Int64(stage.threads))),
                .init("rate", .object(stage.rate.map { JSONValue.Member($0.0, $0.1) })),
                // The bench kills workers far more often than any stage may die by itself.
                .init("restart", .object([.init("max", .integer(1_000_000))])),
                .init("retry", .object(stage.retry.map { JSONValue.Member($0.0, $0.1) })),
            ])
        }
        return .object([
            .init("name", .string(name)),
            .init("batch", .object([.init("records", .integer(Int64(batch))), .init("bytes", .string("64MiB"))])),
            .init("sync", .string(sync)), .init("stages", .array(shown)),
        ])
    }

    /// Starts `stagehost run`. What it says goes to the file that `complain` reads.
    func start(_ setting: Setting, fresh: Bool = true) throws(BenchError) -> Child {
        let file = setting.scratch.file(name + ".json5")
        let errors = errorFile(setting)
        let descriptor = try onSystem { () throws(SystemError) in
            try writeFileAtomically(file, Array(document.json().utf8), durable: false)
            return try Descriptor.open(errors, flags: O_WRONLY | O_CREAT | O_TRUNC)
        }
        return try Child.start(
            [setting.programs.stagehost, "run", file, "--state-dir", setting.scratch.file("state"), "--quiet"]
                + (fresh ? ["--fresh"] : []),
            in: setting.scratch, error: descriptor.number)
    }

    /// Runs the job from its beginning to its end.
    func run(_ setting: Setting, fresh: Bool = true) throws(BenchError) -> Child.Usage {
        try finished(try start(setting, fresh: fresh).wait(), setting)
    }

    /// Takes the end of a run: anything but success is an error with the job's own words.
    func finished(_ usage: Child.Usage, _ setting: Setting) throws(BenchError) -> Child.Usage {
        guard usage.status != 0 else { return usage }
        throw .failed("job \(name): found exit \(usage.status), expected 0; it said: \(words(setting))")
    }

    func words(_ setting: Setting) -> String {
        let bytes = (try? readSmallFile(errorFile(setting))) ?? []
        return bytes.isEmpty ? "nothing" : String(decoding: bytes.suffix(2000), as: UTF8.self)
    }

    private func errorFile(_ setting: Setting) -> String { setting.scratch.file(name + ".errors") }
}

extension Job.Stage {
    /// A stage of the benchmarks' own plugin.
    static func bench(
        _ name: String, _ setting: Setting, with: [(String, JSONValue)] = [], durable: Bool = true, standby: Int = 0,
        workers: Int = 1
    ) -> Job.Stage {
        Job.Stage(
            name: name, plugin: setting.programs.plugin, with: with, durable: durable, standby: standby, workers: workers)
    }
}
