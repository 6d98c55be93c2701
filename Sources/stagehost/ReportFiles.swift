import LinuxIO
import StageConfig
import StageReport
import StageRuntime

/// The report of a job: put together from what its directory has, and written there at the end of each run.
enum ReportFiles {
    /// - Parameter status: In the shape of `status --json`.
    static func report(_ status: JSONValue, _ history: JobHistory, of job: StoredJob) -> JobReport {
        var builds: [String: JobReport.Build] = [:]
        for use in job.record?.plugins ?? [] { builds[use.stage] = .init(version: use.version, digest: use.digest) }
        return JobReport(
            status: status, history: history, failures: failures(of: job, status), builds: builds,
            configuration: job.pipeline?.listingJSONWithoutSecrets ?? .array([]))
    }

    /// Writes `report.json` and `report.html`. A full disk loses them, never work: `stagehost report` makes them again.
    static func write(_ status: JSONValue, _ history: JobHistory, of job: StoredJob) {
        let report = report(status, history, of: job)
        try? writeFileAtomically(job.folder + "/" + JobLayout.report, Array((report.json.json() + "\n").utf8), durable: false)
        try? writeFileAtomically(job.folder + "/" + JobLayout.reportPage, Array(report.html.utf8), durable: false)
    }

    /// The dead letters that count, by stage and category, the most frequent first.
    private static func failures(of job: StoredJob, _ status: JSONValue) -> [JobReport.Failures] {
        guard status["records"]?["failed"] != .integer(0), let snapshot = try? job.snapshot(),
            let letters = try? LetterLog(folder: job.folder + "/" + JobLayout.letters, readOnly: true),
            let list = try? LetterList(letters, claimedBy: snapshot.logs, snapshot.recovery)
        else { return [] }
        let names = job.pipeline?.stages.map(\.name.value) ?? []
        var counts: [LetterKind: UInt64] = [:]
        for number in list.numbers {
            guard let facts = try? list.facts(number), names.indices.contains(facts.stage) else { continue }
            counts[LetterKind(stage: facts.stage, category: facts.category), default: 0] += 1
        }
        return counts.sorted { ($1.value, $0.key.stage, $0.key.category) < ($0.value, $1.key.stage, $1.key.category) }
            .map { .init(stage: names[$0.key.stage], category: $0.key.category, count: $0.value) }
    }

    private struct LetterKind: Hashable {
        var stage: Int
        var category: String
    }
}

extension StoredJob {
    /// What was seen of the job so far.
    var history: JobHistory {
        JobHistory.read(
            folder + "/" + JobLayout.history, events: folder + "/" + JobLayout.events,
            stages: pipeline?.stages.map(\.name.value) ?? [])
    }
}
