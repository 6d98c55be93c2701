import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageLog
import StageReport
import StageRuntime
import StageScheduler

/// `stagehost failures JOB`: the dead letters, one by one and in groups.
enum FailuresCommand {
    /// Rows of the table unless `--limit` says otherwise; a million of them help nobody.
    private static let rowsShown = 100

    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            let filter = try LetterFilter(arguments, job)
            var output: any LetterOutput
            if let file = arguments.string("export") {
                output = try LetterExport(file)
            } else if arguments.has("json") {
                output = LetterLines()
            } else {
                output = LetterTable(
                    job: job.name, rows: arguments.has("summary") ? 0 : arguments.count("limit") ?? rowsShown)
            }
            if let snapshot = try job.snapshot() {
                do throws(LogError) {
                    try show(job, snapshot, filter, limit: arguments.count("limit"), &output)
                } catch {
                    throw CommandFailure(error, job: job.name)
                }
            }
            try output.finish()
            return .complete
        }
    }

    private static func show(
        _ job: StoredJob, _ snapshot: JobSnapshot, _ filter: LetterFilter, limit: Int?, _ output: inout any LetterOutput
    ) throws(LogError) {
        let claimed = snapshot.recovery.stages.reduce(UInt64(0)) { $0 + $1.counts.failed }
        guard let letters = try job.letterLog() else {
            sayLost(claimed)
            return
        }
        let list = try LetterList(letters, claimedBy: snapshot.logs, snapshot.recovery)
        // Numbers beyond those that are claimed come from a batch whose entry is not there yet.
        sayLost(claimed - min(claimed, UInt64(list.numbers.count)))
        var left = output.countsAll ? Int.max : limit ?? .max
        for number in list.numbers {
            guard left > 0 else { return }
            guard let letter = try list.letter(number) else { continue }
            var view = LetterView(letter, of: job)
            guard filter.allows(view) else { continue }
            view.history = try list.history(of: letter)
            output.add(view)
            left -= 1
        }
    }
}

extension FailuresCommand {
    /// Failures that the logs of the stages claim and that no letter tells of.
    private static func sayLost(_ count: UInt64) {
        guard count > 0 else { return }
        Console.error("\(HumanNumbers.count(count)) \(count == 1 ? "failure has lost its letter" : "failures have lost their letters"): the log of letters was damaged")
    }
}

/// Which letters are wanted.
struct LetterFilter {
    private var stage: String?
    private var category: String?
    private var key: String?
    private var digest: String?

    init(_ arguments: ParsedCommand, _ job: StoredJob) throws(CommandFailure) {
        if let name = arguments.string("stage") {
            _ = try job.stage(named: name)
            stage = name
        }
        category = arguments.string("category")
        key = arguments.string("key")
        digest = arguments.string("crashed-by")?.lowercased()
    }

    func allows(_ letter: LetterView) -> Bool {
        if let stage, letter.stage != stage { return false }
        if let category, letter.facts.category != category { return false }
        if let key, letter.record.key != Array(key.utf8) { return false }
        if let digest, !(letter.digest?.hasPrefix(digest) ?? false) { return false }
        return true
    }
}

/// A letter as it is shown, with the names that its numbers stand for.
struct LetterView {
    var number: UInt64
    var stage: String
    var digest: String?
    var facts: LetterFacts
    var record: RecordCopy
    /// Letters of the same record that were tried again in vain, oldest first.
    var history: [LetterFacts] = []

    init(_ letter: Letter, of job: StoredJob) {
        number = letter.number
        facts = letter.facts
        record = letter.record
        let stages = job.pipeline?.stages ?? []
        let settings = stages.indices.contains(letter.facts.stage) ? stages[letter.facts.stage] : nil
        stage = settings?.name.value ?? "\(letter.facts.stage)"
        digest = letter.facts.digest ?? settings.flatMap { job.plugin(of: $0)?.digest }
    }

    var json: JSONValue {
        .object([
            .init("letter", .count(number)), .init("stage", .string(stage)), .init("batch", .count(facts.batch)),
            .init("index", .count(UInt64(facts.index))), .init("key", BlobText.value(record.key)),
            .init("category", .string(facts.category)),
            .init("signal", facts.signal.map { .string(signalName($0)) } ?? .null),
            .init("message", .string(facts.message)), .init("attempts", .count(UInt64(facts.attempts))),
            .init("at", .string(Timestamp.text(seconds: Int64(facts.seconds)))),
            .init("digest", digest.map(JSONValue.string) ?? .null),
            .init("backtrace", facts.evidence.isEmpty ? .null : .string(facts.evidence)),
            .init("value", BlobText.value(record.value)), .init("history", .array(history.map(json))),
        ])
    }

    private func json(_ facts: LetterFacts) -> JSONValue {
        .object([
            .init("batch", .count(facts.batch)), .init("category", .string(facts.category)),
            .init("signal", facts.signal.map { .string(signalName($0)) } ?? .null), .init("message", .string(facts.message)),
            .init("attempts", .count(UInt64(facts.attempts))),
            .init("at", .string(Timestamp.text(seconds: Int64(facts.seconds)))),
            .init("digest", facts.digest.map(JSONValue.string) ?? .null),
        ])
    }
}
