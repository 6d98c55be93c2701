import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageLog
import StageReport
import StageRuntime

/// `stagehost verify JOB`: walks every log, says what is whole, torn or damaged, and mends it when asked to.
enum VerifyCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            guard arguments.has("repair") else {
                return try report(job, Examined.logs(of: job), repairs: [:], arguments)
            }
            let directory = try takeForRepair(job)
            let before = try Examined.logs(of: job)
            let repairs = try repair(before.filter { $0.isDamaged || $0.isTorn }, job)
            let after = try Examined.logs(of: job)
            _ = consume directory
            return try report(job, after, repairs: repairs, arguments)
        }
    }

    /// A repair must not meet a host.
    private static func takeForRepair(_ job: StoredJob) throws(CommandFailure) -> JobDirectory {
        do throws(SystemError) {
            if let directory = try JobDirectory.take(job.folder) { return directory }
        } catch {
            throw CommandFailure("job \"\(job.name)\" cannot be locked: \(error)", .inputOutput)
        }
        throw CommandFailure(
            "job \"\(job.name)\" cannot be repaired while it runs", found: "a lock on \(job.folder)/\(JobLayout.lock)",
            help: "stop it with Ctrl-C there, then repair it", .cannotCreate)
    }

    private static func repair(_ damaged: [Examined], _ job: StoredJob) throws(CommandFailure) -> [String: RepairReport] {
        var reports: [String: RepairReport] = [:]
        for log in damaged where !log.isMissing {
            do throws(LogError) {
                if log.isDamaged { reports[log.name] = try StageLog.repair(disk: FileDisk(), folder: log.folder) }
                // A torn end is put in order like at the beginning of a run.
                let opened = try StageLog.open(disk: FileDisk(), folder: log.folder)
                for report in opened.recovery.reports { Console.error("recovered: \(report)") }
            } catch {
                throw CommandFailure(error, job: job.name)
            }
        }
        return reports
    }

    private static func report(
        _ job: StoredJob, _ logs: [Examined], repairs: [String: RepairReport], _ arguments: ParsedCommand
    ) throws(CommandFailure) -> ExitCode {
        // A host that ends in order leaves nothing unsynced behind: then a torn end was torn by something else.
        let endedInOrder = !job.isRunning && job.record?.endState != nil
        let isDamaged = logs.contains { $0.isDamaged || endedInOrder && $0.isTorn }
        if arguments.has("json") {
            Screen.show(
                .object([
                    .init("job", .string(job.name)), .init("whole", .boolean(!isDamaged)),
                    .init("findings", .array(logs.flatMap(\.json))),
                    .init("repairs", .array(logs.compactMap { log in repairs[log.name].map { json($0, log) } })),
                ]))
        } else {
            for log in logs {
                if let repair = repairs[log.name] { Screen.show(lines(repair, log)) }
                Screen.show(log.lines)
            }
            if logs.isEmpty { Screen.show(["\(job.name): no logs yet"]) }
        }
        if isDamaged, !arguments.has("json") {
            Console.error(
                "error: logs of job \"\(job.name)\" are damaged\n = help: "
                    + (arguments.has("repair")
                        ? "`stagehost run PIPELINE --fresh` starts the job over"
                        : "`stagehost verify \(job.name) --repair` keeps every whole entry, and the damaged files under another name"))
        }
        return isDamaged ? .damagedData : .complete
    }

    private static func lines(_ report: RepairReport, _ log: Examined) -> [String] {
        var lines = report.rewritten.map { "repaired: \($0)" } + report.kept.map { "kept as it was: \($0)" }
        lines.append("\(log.name): \(report.entriesKept) entries kept, \(report.entriesDropped) dropped")
        guard !report.again.isEmpty else { return lines }
        let ranges = report.again.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
        lines.append(
            log.isLedger
                ? "ledger: entries lost: \(ranges.joined(separator: ", "))"
                : log.isLetters
                ? "letters lost: \(ranges.joined(separator: ", "))"
                : "\(log.name): done again by the next run: batches \(ranges.joined(separator: ", "))")
        return lines
    }

    private static func json(_ report: RepairReport, _ log: Examined) -> JSONValue {
        .object([
            .init("log", .string(log.name)), .init("rewritten", .array(report.rewritten.map(JSONValue.string))),
            .init("kept", .array(report.kept.map(JSONValue.string))),
            .init("entries_kept", .integer(Int64(report.entriesKept))),
            .init("entries_dropped", .integer(Int64(report.entriesDropped))),
            .init("again", .array(report.again.map { .array([.count($0.lowerBound), .count($0.upperBound)]) })),
        ])
    }
}

/// A log and what was found in it.
struct Examined {
    /// The stage, or "letters".
    var name: String
    var folder: String
    var isLetters = false
    var isLedger = false
    var isMissing = false
    var findings: [Finding] = []

    var isDamaged: Bool { isMissing || findings.contains { $0.state == .damaged } }

    var isTorn: Bool { findings.contains { $0.state == .torn } }

    /// Every log of a job, in the order of the stages, then the letters.
    static func logs(of job: StoredJob) throws(CommandFailure) -> [Examined] {
        let logs = job.folder + "/" + JobLayout.logs
        var result: [Examined] = []
        if let pipeline = job.pipeline {
            result = pipeline.stages.enumerated().map { index, stage in
                Examined(name: stage.name.value, folder: logs + "/" + JobLayout.logFolder(index, stage.name.value))
            }
        } else {
            // Without a pipeline the folders speak for themselves.
            result = ((try? namesIn(logs)) ?? []).map { Examined(name: $0, folder: logs + "/" + $0) }
        }
        result.append(Examined(name: "letters", folder: job.folder + "/" + JobLayout.letters, isLetters: true))
        let ledger = logs + "/" + JobLayout.ledger
        if job.pipeline != nil, fileExists(ledger) { result.append(Examined(name: "ledger", folder: ledger, isLedger: true)) }
        var examined: [Examined] = []
        for log in result { examined.append(try log.examined(job)) }
        // A job that was killed before it began has no logs at all; one log that is missing among others is damage.
        return examined.allSatisfy(\.isMissing) ? [] : examined
    }

    private func examined(_ job: StoredJob) throws(CommandFailure) -> Examined {
        var copy = self
        guard fileExists(folder) else {
            copy.isMissing = true
            return copy
        }
        var attemptsLeft = job.isRunning ? 5 : 1
        while true {
            attemptsLeft -= 1
            do throws(LogError) {
                copy.findings = try StageLog.verify(disk: FileDisk(), folder: folder)
                // While a host writes, a segment may be sealed or retired in the middle of the walk: look again.
                if attemptsLeft == 0 || !copy.isDamaged { return copy }
            } catch {
                guard attemptsLeft == 0 else { continue }
                if error.code == .missing {
                    copy.isMissing = true
                    return copy
                }
                throw CommandFailure(error, job: job.name)
            }
        }
    }

    var lines: [String] {
        if isMissing { return ["\(folder): damaged: found no log, expected that of \(name)"] }
        return findings.map(\.description)
    }

    var json: [JSONValue] {
        if isMissing {
            return [finding("damaged", file: folder, nil, bytes: 0, entries: 0, expected: "a log", found: "none")]
        }
        return findings.map {
            finding(
                $0.state.rawValue, file: $0.file, $0.offset, bytes: $0.bytes, entries: $0.entries,
                expected: $0.expected, found: $0.found)
        }
    }

    private func finding(
        _ state: String, file: String, _ offset: UInt64?, bytes: UInt64, entries: Int, expected: String, found: String
    ) -> JSONValue {
        .object([
            .init("log", .string(name)), .init("state", .string(state)), .init("file", .string(file)),
            .init("offset", offset.map(JSONValue.count) ?? .null), .init("bytes", .count(bytes)),
            .init("entries", .integer(Int64(entries))), .init("expected", expected.isEmpty ? .null : .string(expected)),
            .init("found", found.isEmpty ? .null : .string(found)),
        ])
    }
}
