import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageLog
import StageReport
import StageRuntime
import StageScheduler

/// A job as it lies in its directory, for commands that only look. Nothing in there is believed without a check, and
/// nothing is changed: a host may be at work on it.
struct StoredJob {
    let name: String
    let folder: String
    /// nil: there is none that can be read.
    let record: JobRecord?
    /// nil: the job has not come so far as to write it down, or it cannot be read.
    let pipeline: Pipeline?
    /// Why the pipeline cannot be read; commands that can do without it go on.
    let pipelineFailure: CommandFailure?
    /// Whether a host has the job at this moment.
    let isRunning: Bool

    /// The job that a command names.
    static func named(_ arguments: ParsedCommand) throws(CommandFailure) -> StoredJob {
        let name = arguments.argument("JOB")
        return StoredJob(name: name, folder: try JobFolder.existing(name, arguments))
    }

    init(name: String, folder: String) {
        self.name = name
        self.folder = folder
        isRunning = JobDirectory.isTaken(folder)
        record = JobRecord(folder: folder)
        do throws(CommandFailure) {
            pipeline = try Self.pipeline(of: name, in: folder)
            pipelineFailure = nil
        } catch {
            pipeline = nil
            pipelineFailure = error
        }
    }

    /// The same, as the host itself knows it.
    init(name: String, folder: String, _ record: JobRecord, _ pipeline: Pipeline) {
        self.name = name
        self.folder = folder
        self.record = record
        self.pipeline = pipeline
        pipelineFailure = nil
        isRunning = true
    }

    private static func pipeline(of name: String, in folder: String) throws(CommandFailure) -> Pipeline? {
        let path = JobRecord.pipelinePath(folder)
        guard fileExists(path) else { return nil }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readSmallFile(path) } catch {
            throw CommandFailure("the pipeline of job \"\(name)\" cannot be read: \(error)", .inputOutput)
        }
        let resolution = Pipeline.read(document: String(decoding: bytes, as: UTF8.self), name: path)
        if let pipeline = resolution.pipeline { return pipeline }
        throw CommandFailure(
            "the pipeline of job \"\(name)\" cannot be read\n"
                + resolution.errors.prefix(3).map { $0.rendered() }.joined(separator: "\n"),
            help: "`stagehost run PIPELINE --fresh` starts the job over", .damagedData)
    }

    /// The pipeline, or a refusal.
    func requirePipeline() throws(CommandFailure) -> Pipeline {
        if let pipelineFailure { throw pipelineFailure }
        if let pipeline { return pipeline }
        throw CommandFailure(
            "job \"\(name)\" has no pipeline yet", expected: "\(JobRecord.pipelinePath(folder))",
            help: "give `stagehost run PIPELINE` again", .noInput)
    }

    /// The stage of that name, or a refusal.
    func stage(named wanted: String) throws(CommandFailure) -> Int {
        let names = try requirePipeline().stages.map(\.name.value)
        if let index = names.firstIndex(of: wanted) { return index }
        throw CommandFailure(
            "job \"\(name)\" has no stage \"\(wanted)\"", found: names.joined(separator: ", "),
            help: Suggestion.question(for: wanted, among: names) ?? "name one of these", .usage)
    }

    /// The plugin that a stage was last run with.
    func plugin(of stage: StageSettings) -> JobRecord.PluginUse? {
        record?.plugins.first { $0.stage == stage.name.value }
    }

    /// The job's copy of the build that serves a stage.
    func keptCopy(of use: JobRecord.PluginUse) -> String? {
        keptCopy(digest: use.digest, of: use.file)
    }

    /// The copy of a build of that digest, taken from that file.
    func keptCopy(digest: String, of original: String) -> String? {
        guard digest.utf8.count == 64, digest.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "f") ~= $0 }),
            let file = original.split(separator: "/").last, file != ".."
        else { return nil }
        let path = JobDirectory.copyPath(digest: digest, of: original, in: folder)
        return Surroundings.fileExists(path) ? path : nil
    }

    /// The host's last word; nil when there is none that can be read.
    var lastWord: JSONValue? { Self.lastWord(of: name, in: folder) }

    static func lastWord(of name: String, in folder: String) -> JSONValue? {
        let path = folder + "/" + JobLayout.status
        guard let bytes = try? readSmallFile(path, limit: 4 << 20),
            case .success(let root) = ConfigParser.parse(SourceText(name: path, bytes: bytes)),
            root["job"]?.string == name
        else { return nil }
        return root.plain
    }

    /// What the logs say now; nil when none has been begun.
    func snapshot() throws(CommandFailure) -> JobSnapshot? {
        if let pipelineFailure { throw pipelineFailure }
        guard let pipeline else { return nil }
        let policies = RunSetup.policy(pipeline, limit: nil, skip: 0).stages
        let logFolder = folder + "/" + JobLayout.logs
        switch LogFolders(logFolder, policies) {
        case .none: return nil
        case .all: break
        case .missing(let missing): throw CommandFailure(missingLog: missing, job: name)
        }
        var attemptsLeft = isRunning ? 5 : 1
        while true {
            attemptsLeft -= 1
            do throws(LogError) {
                let logs = try JobLogs(folder: logFolder, policies: policies, readOnly: true)
                return JobSnapshot(logs: logs, recovery: try logs.recovery())
            } catch {
                // What was retired between the look at the index and the look at the entry is gone; look again.
                if attemptsLeft == 0 { throw CommandFailure(error, job: name) }
            }
        }
    }
}

/// The logs of a job at one moment.
struct JobSnapshot {
    let logs: JobLogs
    let recovery: JobRecovery
}
