import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageLog
import StageModel
import StageReport
import StageRuntime
import StageScheduler

/// A letter with all that belongs to it.
struct ReproSubject {
    let job: StoredJob
    let letter: LetterView
    let settings: StageSettings
    let directory: String
    private let plugin: String
    private let state: (batch: UInt64, bytes: [UInt8])?

    init(_ job: StoredJob, _ arguments: ParsedCommand) throws(CommandFailure) {
        self.job = job
        let pipeline = try job.requirePipeline()
        directory = pipeline.directory
        let word = arguments.argument("LETTER")
        let found = try Self.letter(word, of: job)
        letter = LetterView(found.letter, of: job)
        let index = letter.facts.stage
        guard pipeline.stages.indices.contains(index) else {
            throw CommandFailure("letter \(word) is of a stage that the pipeline does not have", .damagedData)
        }
        settings = pipeline.stages[index]
        let kind = job.kind(index)
        guard kind != .source else {
            throw CommandFailure(
                "letter \(word) is of the source \"\(letter.stage)\", which cannot be run on one record",
                help: "`stagehost failures \(job.name) --json` shows what it said", .usage)
        }
        guard kind != .sink || arguments.has("sink") else {
            throw CommandFailure(
                "letter \(word) is of the sink \"\(letter.stage)\": to run it would do again what it does to the outside",
                help: "`--export DIR` only writes it down; `--sink` runs it nevertheless", .usage)
        }
        // A sink is opened from nothing: its position is the job's alone.
        state = kind == .transform ? found.state : nil
        plugin = try Self.plugin(letter, settings, job, arguments)
    }

    private static func letter(_ word: String, of job: StoredJob) throws(CommandFailure) -> (
        letter: Letter, state: (batch: UInt64, bytes: [UInt8])?
    ) {
        guard let number = UInt64(word) else {
            throw CommandFailure(
                "\"\(word)\" is no letter", expected: "a number", help: "`stagehost failures \(job.name)` lists them", .usage)
        }
        do throws(LogError) {
            if let snapshot = try? job.snapshot(), let log = try job.letterLog() {
                // Also one that is dead no more: its number may stand in somebody's notes.
                let list = try LetterList(log, claimedBy: snapshot.logs, snapshot.recovery)
                if let letter = try list.letter(number), snapshot.logs.logs.indices.contains(letter.facts.stage) {
                    return (letter, try snapshot.logs.state(before: letter.facts.batch, stage: letter.facts.stage))
                }
            }
        } catch {
            throw CommandFailure(error, job: job.name)
        }
        throw CommandFailure(
            "job \"\(job.name)\" has no letter \(number)", help: "`stagehost failures \(job.name)` lists them", .noInput)
    }

    /// The build that the record failed in.
    private static func plugin(
        _ letter: LetterView, _ settings: StageSettings, _ job: StoredJob, _ arguments: ParsedCommand
    ) throws(CommandFailure) -> String {
        if let file = arguments.string("plugin") {
            guard let path = absolutePath(file), Surroundings.fileExists(path) else { throw .noPlugin(file) }
            return path
        }
        if let digest = letter.digest, digest.utf8.count == 64, digest.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "f") ~= $0 }) {
            let folder = "\(job.folder)/\(JobLayout.plugins)/\(digest.prefix(16))"
            if let name = Surroundings.files(in: folder).first(where: { $0.hasSuffix(".so") }) { return folder + "/" + name }
        }
        throw CommandFailure(
            "the build of \"\(settings.plugin.value)\" that letter \(letter.number) failed in is gone",
            expected: "\(job.folder)/\(JobLayout.plugins)/\(letter.digest?.prefix(16) ?? "DIGEST")/",
            help: "name another with --plugin FILE", .pluginRefused)
    }

    func write(to path: String) throws(CommandFailure) -> ReproFolder {
        let reproduction = Reproduction(
            stage: letter.stage, configuration: settings.withJSON, checkpoint: state?.bytes, threads: settings.threads.value,
            batch: letter.facts.batch, record: letter.record)
        return try ReproFolder(
            at: path, reproduction, plugin: plugin, letter: letter, job: job.name, directory: directory)
    }

    /// What is about to be run.
    var lines: [String] {
        let facts = letter.facts
        var lines = [
            "letter \(letter.number): stage \(letter.stage), key \(PrintableText.line(letter.record.key, limit: 80)), \(letter.record.value.count) bytes",
            "then: \(facts.signal.map { "\(facts.category) \(signalName($0))" } ?? facts.category): \(PrintableText.line(facts.message, limit: 300))",
            "plugin: \(plugin)",
        ]
        if let state { lines.append("state: \(state.bytes.count) bytes, after batch \(state.batch)\(state.batch == facts.batch - 1 ? "" : "; the record was in batch \(facts.batch)")") }
        return lines
    }
}
