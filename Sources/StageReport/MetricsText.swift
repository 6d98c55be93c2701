package import StageConfig

/// The metrics of a job in the text format of Prometheus, or of OpenMetrics.
package struct MetricsText {
    private let isOpenMetrics: Bool
    private var text = ""
    private let job: String

    /// - Parameters:
    ///   - status: In the shape of `status --json`.
    ///   - isOpenMetrics: OpenMetrics 1.0; otherwise version 0.0.4 of Prometheus's own format, which its textfile collector reads.
    package static func of(_ status: JSONValue, _ history: JobHistory, isOpenMetrics: Bool = false) -> String {
        var page = MetricsText(isOpenMetrics: isOpenMetrics, job: LenientObject(status).text("job") ?? "")
        page.writeJob(LenientObject(status))
        page.writeStages(LenientObject(status).list("stages").map { LenientObject($0) }, history)
        if isOpenMetrics { page.text += "# EOF\n" }
        return page.text
    }

    private init(isOpenMetrics: Bool, job: String) {
        self.isOpenMetrics = isOpenMetrics
        self.job = job
    }

    private static let states = ["running", "paused", "holding", "interrupted", "stopped", "failed", "complete"]

    private mutating func writeJob(_ root: LenientObject) {
        let records = root["records"]
        let sums: [(String, String, String)] = [
            ("read", "read", "Records that the source delivered."), ("written", "written", "Records that the sink wrote."),
            ("filtered", "filtered", "Records that a stage let go."),
        ]
        for (key, name, help) in sums {
            family("records_\(name)", .counter, help, [([], records.number(key))])
        }
        // No counter: a dead letter that is tried again is none any more.
        family("records_failed", .gauge, "Records that are dead letters.", [([], records.number("failed"))])
        family("records_at_risk", .gauge, "Records in hand, which a death of everything would repeat.", [([], records.number("at_risk"))])
        if let total = records.optionalNumber("total") {
            family("records_expected", .gauge, "Records that the source has in all.", [([], total)])
        }
        family("records_per_second", .gauge, "Source records that get through, of late.", [([], root.number("rate_per_second"))])
        if let eta = root.optionalNumber("eta_seconds") { family("eta_seconds", .gauge, "Time that the rest will take.", [([], eta)]) }
        family("elapsed_seconds", .gauge, "Age of the host that has the job, or had it last.", [([], root.number("elapsed_seconds"))])
        let state = root.text("state") ?? ""
        family(
            "job_state", .gauge, "1 for the state that the job is in.",
            Self.states.map { ([("state", $0)], $0 == state ? 1 : 0) })
    }

    private mutating func writeStages(_ stages: [LenientObject], _ history: JobHistory) {
        func samples(_ value: (LenientObject) -> Double) -> [([(String, String)], Double)] {
            stages.map { ([("stage", $0.text("name") ?? "")], value($0)) }
        }
        let counters: [(String, String, String)] = [
            ("records_out", "stage_records_out", "Records that a stage handed on; of a sink: wrote."),
            ("filtered", "stage_records_filtered", "Records that a stage let go."),
            ("batches", "stage_batches", "Batches that a stage has committed."),
            ("retries", "stage_retries", "Records and batches that were tried again."),
            ("crashes", "stage_crashes", "Workers that died."),
            ("restarts", "stage_restarts", "Workers that took the place of one that had died."),
        ]
        for (key, name, help) in counters { family(name, .counter, help, samples { $0.number(key) }) }
        // A dead letter that is tried again has no outcome any more.
        family("stage_records_in", .gauge, "Records that a stage has an outcome for.", samples { $0.number("records_in") })
        family("stage_records_failed", .gauge, "Records that failed in a stage for good.", samples { $0.number("failed") })
        family(
            "stage_deaths", .counter, "Workers that died, by what they died of.",
            history.stages.flatMap { stage in
                stage.deaths.sorted { $0.key < $1.key }.map { ([("stage", stage.name), ("cause", $0.key)], Double($0.value)) }
            })
        family("stage_workers", .gauge, "Workers that serve.", samples { $0.number("workers") })
        family("stage_resident_memory_bytes", .gauge, "Memory of the workers of a stage.", samples { $0.number("rss_bytes") })
        family("stage_checkpoint_batch", .gauge, "All batches up to here are committed.", samples { $0["checkpoint"].number("batch") })
        family(
            "stage_reported", .gauge, "Amounts that a plugin has reported, by their name.",
            stages.flatMap { stage in
                stage.amounts("metrics").map { ([("stage", stage.text("name") ?? ""), ("name", $0.name)], $0.amount) }
            })
        histograms("stage_batch_duration_seconds", "Time of a call into a plugin.", history) { $0.calls }
        histograms("stage_record_duration_seconds", "Time of a record: its share of the time of the answer it came in.", history) { $0.records }
    }

    private enum Kind: String { case counter, gauge, histogram }

    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        // In Prometheus's own format a counter is called as its samples are; in OpenMetrics it is not.
        let name = "stagehost_" + (kind == .counter && !isOpenMetrics ? name + "_total" : name)
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    private mutating func family(_ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: [(String, String)], value: Double)]) {
        guard !samples.isEmpty else { return }
        head(name, kind, help)
        for sample in samples { line(kind == .counter ? name + "_total" : name, sample.labels, sample.value) }
    }

    private mutating func histograms(_ name: String, _ help: String, _ history: JobHistory, _ value: (JobHistory.Stage) -> Histogram) {
        guard history.stages.contains(where: { value($0).count > 0 }) else { return }
        head(name, .histogram, help)
        for stage in history.stages {
            let histogram = value(stage)
            var sum: UInt64 = 0
            for (bucket, count) in histogram.counts.enumerated() {
                sum += count
                let bound = bucket < Histogram.bounds.count ? Self.number(Double(Histogram.bounds[bucket]) / 1e9) : "+Inf"
                line(name + "_bucket", [("stage", stage.name), ("le", bound)], Double(sum))
            }
            line(name + "_sum", [("stage", stage.name)], histogram.sumSeconds)
            line(name + "_count", [("stage", stage.name)], Double(histogram.count))
        }
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: Double) {
        let all = [("job", job)] + labels
        text += "stagehost_\(name){" + all.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "} \(Self.number(value))\n"
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    /// What a label may hold: backslash, quote and newline are escaped, other control characters left out.
    private static func escaped(_ value: String) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: continue
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
