package import StageConfig
import StageModel
package import StageScheduler

/// A job's status in the shape that scripts read: keys are stable, absent numbers are null.
package struct StatusReport: Sendable {
    package struct Stage: Sendable {
        package var status: StageStatus
        package var plugin: String

        package init(status: StageStatus, plugin: String) {
            self.status = status
            self.plugin = plugin
        }
    }

    package var job: String
    package var state: String
    package var status: JobStatus
    package var plugins: [String]
    package var total: UInt64?
    package var ratePerSecond: Double
    package var etaSeconds: Double?
    package var elapsedSeconds: Double
    package var message: String?
    /// What earlier runs of the job had done, and this one did not do again.
    package var saved = Saved()

    package init(job: String, state: String? = nil, status: JobStatus, plugins: [String], progress: Progress, message: String? = nil) {
        self.job = job
        self.state = state ?? status.state
        self.status = status
        self.plugins = plugins
        total = progress.total
        ratePerSecond = progress.ratePerSecond
        etaSeconds = progress.etaSeconds
        elapsedSeconds = progress.elapsedSeconds
        self.message = message
    }

    package var json: JSONValue {
        .object([
            .init("job", .string(job)),
            .init("state", .string(state)),
            .init("message", (message ?? status.waitsFor).map(JSONValue.string) ?? .null),
            .init(
                "records",
                .object([
                    .init("read", .count(status.read)),
                    .init("written", .count(status.written)),
                    .init("filtered", .count(status.filtered)),
                    .init("failed", .count(status.failed)),
                    .init("discarded", .count(status.discarded)),
                    .init("at_risk", .count(status.atRisk)),
                    .init("total", total.map(JSONValue.count) ?? .null),
                ])),
            .init("rate_per_second", .rounded(ratePerSecond)),
            .init("eta_seconds", etaSeconds.map(JSONValue.rounded) ?? .null),
            .init("elapsed_seconds", .rounded(elapsedSeconds)),
            .init("costs", .amounts(status.costs)),
            .init("saved", saved.json),
            .init("stages", .array(zip(status.stages, plugins).map(stage))),
        ])
    }

    /// The last deaths of a stage's workers that are told.
    package static let deathsShown = 10

    private func death(_ death: DeathRecord) -> JSONValue {
        let at =
            switch death.time {
            case .earlier(let text): text
            case .now(let moment): Timestamp.text(ofMonotonic: moment.nanoseconds)
            }
        let explained: JSONValue =
            switch death.explanation {
            case .open: .null
            case .found, .build: .boolean(true)
            case .unexplained: .boolean(false)
            }
        return .object([
            .init("at", .string(at)), .init("cause", .string(death.cause)), .init("message", .string(death.message)),
            .init("signal", death.signal.map(JSONValue.string) ?? .null),
            .init("exit_code", death.exitCode.map { .integer(Int64($0)) } ?? .null),
            .init("batch", death.batch.map(JSONValue.count) ?? .null),
            .init("index", death.index.map { .integer(Int64($0)) } ?? .null), .init("worker", .count(death.worker)),
            .init("explained", explained),
        ])
    }

    private func stage(_ stage: StageStatus, _ plugin: String) -> JSONValue {
        .object([
            .init("name", .string(stage.name)),
            .init("plugin", .string(plugin)),
            .init("kind", .string(stage.kind.name)),
            .init("state", .string(stage.state)),
            .init("workers", .integer(Int64(stage.workers))),
            .init("batches", .count(stage.committedThrough + UInt64(stage.committedBeyond))),
            .init("records_in", .count(stage.counts.inputs)),
            .init("records_out", .count(stage.kind == .sink ? stage.counts.passed : stage.counts.outputs)),
            .init("filtered", .count(stage.counts.filtered)),
            .init("failed", .count(stage.counts.failed)),
            .init("discarded", .count(stage.discarded)),
            .init(
                "failed_by", .object(stage.failedBy.sorted { $0.key < $1.key }.map { .init($0.key, .count($0.value)) })),
            .init("retries", .count(stage.retries)),
            .init("crashes", .count(stage.crashes)),
            .init("restarts", .count(stage.restarts)),
            .init("unexplained_deaths", .count(stage.unexplainedDeaths)),
            .init("deaths", .array(stage.tally.deaths.suffix(Self.deathsShown).map(death))),
            .init("rss_bytes", .count(stage.residentBytes)),
            .init("checkpoint", .object([.init("batch", .count(stage.committedThrough))])),
            .init("metrics", .amounts(stage.metrics)),
            .init("rate", stage.rate.map(rate) ?? .null),
            .init("message", stage.message.isEmpty ? .null : .string(stage.message)),
        ])
    }

    private func rate(_ rate: RateStatus) -> JSONValue {
        .object([
            .init("records_per_second", .rounded(rate.recordsPerSecond)),
            .init("full", rate.full.map(JSONValue.rounded) ?? .null), .init("slowed", .boolean(rate.isSlowed)),
            .init("refusals", .count(rate.refusals)),
        ])
    }
}

extension JSONValue {
    /// Sums by name.
    package static func amounts(_ amounts: [String: Double]) -> JSONValue {
        .object(amounts.sorted { $0.key < $1.key }.map { .init($0.key, .number($0.value)) })
    }

    package static func count(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }

    /// To a thousandth: nobody reads more.
    package static func rounded(_ value: Double) -> JSONValue {
        .number((value * 1_000).rounded() / 1_000)
    }
}
