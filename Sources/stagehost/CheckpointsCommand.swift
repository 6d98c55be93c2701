import StageCommand
import StageConfig
import StageLog
import StageReport
import StageRuntime
import StageScheduler

/// `stagehost checkpoints JOB [STAGE]`: what each stage has committed, and the plugin's own state after it.
enum CheckpointsCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            let pipeline = try job.requirePipeline()
            var wanted = Array(pipeline.stages.indices)
            if let name = arguments.optionalArgument("STAGE") { wanted = [try job.stage(named: name)] }
            let checkpoints = try read(job, pipeline, wanted)
            if arguments.has("json") {
                Screen.show(.array(checkpoints.map(\.json)))
            } else if arguments.optionalArgument("STAGE") != nil, let only = checkpoints.first {
                Screen.show(only.lines)
            } else {
                show(checkpoints)
            }
            return .complete
        }
    }

    struct Checkpoint {
        var stage: String
        var plugin: String
        var version: String?
        var digest: String?
        /// Where the build came from, and what is to be said of that.
        var origin: String?
        var remark: String?
        var batch: UInt64 = 0
        var beyond: [UInt64] = []
        var bytes: UInt64 = 0
        var updated: String?
        var state: JSONValue?

        var json: JSONValue {
            func text(_ value: String?) -> JSONValue { value.map(JSONValue.string) ?? .null }
            return .object([
                .init("stage", .string(stage)), .init("plugin", .string(plugin)), .init("version", text(version)),
                .init("digest", text(digest)), .init("origin", text(origin)), .init("batch", .count(batch)),
                .init("beyond", .array(beyond.map(JSONValue.count))), .init("bytes", .count(bytes)),
                .init("updated", text(updated)), .init("state", state ?? .null),
            ])
        }

        /// Everything about one stage, a line each.
        var lines: [String] {
            let facts = [
                ("stage", stage), ("plugin", plugin), ("version", version ?? "-"), ("digest", digest ?? "-"), ("build", remark ?? "the pipeline's"),
                ("batch", "\(batch)"), ("beyond", beyond.isEmpty ? "-" : beyond.map(String.init).joined(separator: " ")),
                ("log", HumanNumbers.bytes(bytes)), ("updated", updated ?? "-"),
            ]
            let head = facts.map { "\($0.0):".padded(to: 9) + PrintableText.line($0.1) }
            guard let state else { return head + ["state:   -"] }
            let text = state.json(indented: true)
            return head + (text.contains("\n") ? ["state:", text] : ["state:   \(text)"])
        }
    }

    private static func read(_ job: StoredJob, _ pipeline: Pipeline, _ wanted: [Int]) throws(CommandFailure)
        -> [Checkpoint]
    {
        var attemptsLeft = job.isRunning ? 5 : 1
        while true {
            attemptsLeft -= 1
            let snapshot = try job.snapshot()
            do throws(LogError) {
                var result: [Checkpoint] = []
                for index in wanted {
                    result.append(try checkpoint(of: index, job, pipeline.stages[index], snapshot))
                }
                return result
            } catch {
                // The segment was retired meanwhile.
                if attemptsLeft == 0 { throw CommandFailure(error, job: job.name) }
            }
        }
    }

    private static func checkpoint(of index: Int, _ job: StoredJob, _ stage: StageSettings, _ snapshot: JobSnapshot?)
        throws(LogError) -> Checkpoint
    {
        let use = job.plugin(of: stage)
        var result = Checkpoint(stage: stage.name.value, plugin: use?.name ?? stage.plugin.value, digest: use?.digest)
        result.origin = use?.origin
        result.remark = use?.remark
        result.version = use?.version
        if result.version == nil, let use, let copy = job.keptCopy(of: use),
            case .success(let described) = PluginProbe.read(copy)
        {
            result.version = described.description.version
        }
        guard let snapshot else { return result }
        let log = snapshot.logs.logs[index]
        let committed = snapshot.recovery.stages[index].committed
        result.batch = committed.through
        result.beyond = committed.beyond.sorted()
        result.bytes = log.bytesOnDisk
        if log.lastWrite > 0 { result.updated = Timestamp.text(seconds: Int64(log.lastWrite)) }
        result.state = try snapshot.logs.newestCheckpoint(of: index).map { BlobText.state($0.bytes) }
        return result
    }

    private static func show(_ checkpoints: [Checkpoint]) {
        var table = TextTable([
            .init("stage"), .init("plugin"), .init("version"), .init("digest"), .number("batch"), .number("beyond"),
            .number("log"), .init("updated"), .init("state"),
        ])
        for checkpoint in checkpoints {
            table.add([
                checkpoint.stage, checkpoint.plugin, checkpoint.version ?? "-",
                checkpoint.digest.map { String($0.prefix(12)) } ?? "-", HumanNumbers.count(checkpoint.batch),
                "\(checkpoint.beyond.count)", HumanNumbers.bytes(checkpoint.bytes), checkpoint.updated ?? "-",
                PrintableText.line(checkpoint.state?.json() ?? "-", limit: 80),
            ])
        }
        let remarks = checkpoints.compactMap { checkpoint in checkpoint.remark.map { "\(checkpoint.stage): \(PrintableText.line($0))" } }
        Screen.show(table.lines(width: Screen.width) + remarks)
    }
}

extension String {
    /// With spaces behind, up to `width`.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
