package import StageConfig

/// The report of a job: what became of it, and what it was like to get there. All of it comes from the status, the history, the
/// dead letters and the pipeline; nothing is counted anew.
package struct JobReport {
    /// Dead letters of one category in one stage.
    package struct Failures: Sendable {
        package var stage: String
        package var category: String
        package var count: UInt64

        package init(stage: String, category: String, count: UInt64) {
            self.stage = stage
            self.category = category
            self.count = count
        }
    }

    /// The code that a stage ran.
    package struct Build: Sendable {
        package var version: String?
        package var digest: String?

        package init(version: String?, digest: String?) {
            self.version = version
            self.digest = digest
        }
    }

    /// In the shape of `status --json`.
    package var status: JSONValue
    package var history: JobHistory
    package var failures: [Failures]
    package var builds: [String: Build]
    /// An array of `{key, value, origin}` that holds no secret.
    package var configuration: JSONValue
    package var made: Int64

    package init(
        status: JSONValue, history: JobHistory, failures: [Failures], builds: [String: Build], configuration: JSONValue
    ) {
        self.status = status
        self.history = history
        self.failures = failures
        self.builds = builds
        self.configuration = configuration
        made = Timestamp.milliseconds()
    }

    // MARK: - What follows from it

    var view: StatusView { StatusView(status) }

    /// Time during which a host had the job.
    package var workedSeconds: Double { history.runs.reduce(0) { $0 + Double($1.seen - $1.started) / 1e3 } }

    /// Records that did not run again, of each stage, over all resumes.
    package var savedRecords: [UInt64] {
        history.runs.reduce(into: history.stages.map { _ in 0 }) { sums, run in
            for (stage, count) in run.recovered.enumerated() { sums[stage] += count }
        }
    }

    /// About how long the plugins would have been busy with them.
    package var savedSeconds: Double {
        zip(savedRecords, history.stages).reduce(0) { sum, pair in
            let (saved, stage) = pair
            return stage.records.count == 0 ? sum : sum + stage.records.sumSeconds / Double(stage.records.count) * Double(saved)
        }
    }

    package var resumes: Int { history.runs.count(where: { $0.recovered.contains { $0 > 0 } }) }

    /// Source records that got through, per second of the time that a host had the job.
    package var meanRate: Double { workedSeconds > 0 ? Double(view.done) / workedSeconds : 0 }

    func failed(in category: String) -> UInt64 { failures.reduce(0) { $0 + ($1.category == category ? $1.count : 0) } }

    var categories: [(category: String, count: UInt64)] {
        Set(failures.map(\.category)).map { ($0, failed(in: $0)) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
    }

    // MARK: - As JSON

    package var json: JSONValue {
        .object([
            .init("format", .integer(1)), .init("made", .string(Timestamp.text(milliseconds: made))), .init("status", status),
            .init("worked_seconds", .rounded(workedSeconds)), .init("mean_rate_per_second", .rounded(meanRate)),
            .init("runs", .array(history.runs.map(json))), .init("runs_dropped", .count(history.runsDropped)),
            .init("saved", saved), .init("stages", .array(history.stages.map(json))), .init("failures", failuresJSON),
            .init("incidents", .array(history.incidents.map(json))), .init("incidents_dropped", .count(history.incidentsDropped)),
            .init("samples", .array(history.samples.map(json))), .init("configuration", configuration),
        ])
    }

    private var saved: JSONValue {
        .object([
            .init("resumes", .integer(Int64(resumes))), .init("records", byStage(savedRecords)),
            .init("about_seconds", .rounded(savedSeconds)),
        ])
    }

    private func byStage(_ counts: [UInt64]) -> JSONValue {
        .object(zip(history.stages, counts).map { .init($0.0.name, .count($0.1)) })
    }

    private func json(_ run: JobHistory.Run) -> JSONValue {
        .object([
            .init("started", .string(Timestamp.text(milliseconds: run.started))),
            .init("ended", .string(Timestamp.text(milliseconds: run.seen))),
            .init("state", run.state.map(JSONValue.string) ?? .null), .init("message", run.message.map(JSONValue.string) ?? .null),
            .init("not_run_again", byStage(run.recovered)),
        ])
    }

    private func json(_ stage: JobHistory.Stage) -> JSONValue {
        let build = builds[stage.name]
        return .object([
            .init("name", .string(stage.name)), .init("version", build?.version.map(JSONValue.string) ?? .null),
            .init("digest", build?.digest.map(JSONValue.string) ?? .null),
            .init("batch_duration", json(stage.calls)), .init("record_duration", json(stage.records)),
            .init("deaths", .object(stage.deaths.sorted { $0.key < $1.key }.map { .init($0.key, .count($0.value)) })),
            .init("peak_rss_bytes", .count(stage.peakResidentBytes)),
        ])
    }

    private func json(_ histogram: Histogram) -> JSONValue {
        func seconds(_ share: Double) -> JSONValue { histogram.quantile(share).map(JSONValue.number) ?? .null }
        return LenientObject(histogram.json).completed([
            .init("p50_seconds", seconds(0.5)), .init("p95_seconds", seconds(0.95)), .init("p99_seconds", seconds(0.99)),
        ])
    }

    private var failuresJSON: JSONValue {
        .object([
            .init("total", .count(failures.reduce(0) { $0 + $1.count })),
            .init("by_category", .object(categories.map { .init($0.category, .count($0.count)) })),
            .init(
                "by_stage",
                .array(
                    failures.map {
                        .object([
                            .init("stage", .string($0.stage)), .init("category", .string($0.category)), .init("count", .count($0.count)),
                        ])
                    })),
        ])
    }

    private func json(_ incident: JobHistory.Incident) -> JSONValue {
        .object([
            .init("at", .string(Timestamp.text(milliseconds: incident.at))), .init("event", .string(incident.event)),
            .init("stage", incident.stage.map { .string(history.stages[$0].name) } ?? .null), .init("text", .string(incident.text)),
        ])
    }

    private func json(_ sample: JobHistory.Sample) -> JSONValue {
        .object([
            .init("at", .string(Timestamp.text(milliseconds: sample.at))), .init("done", .count(sample.done)),
            .init("records_in", byStage(sample.inputs)), .init("rss_bytes", byStage(sample.residentBytes)),
        ])
    }
}
