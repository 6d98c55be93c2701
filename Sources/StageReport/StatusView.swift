package import StageConfig

/// A status as it is drawn: the shape of `status --json`, whoever wrote it.
package struct StatusView: Sendable {
    package struct Stage: Sendable {
        package var name: String
        package var state: String
        package var isSink: Bool
        package var workers: UInt64
        package var batch: UInt64
        package var recordsIn: UInt64
        package var recordsOut: UInt64
        package var filtered: UInt64
        package var failed: UInt64
        package var retries: UInt64
        package var crashes: UInt64
        package var restarts: UInt64
        package var residentBytes: UInt64
        package var message: String?
    }

    package var job: String
    package var state: String
    package var message: String?
    package var read: UInt64
    package var written: UInt64
    package var filtered: UInt64
    package var failed: UInt64
    package var discarded: UInt64
    /// What the plugins report, summed up over the stages; and what of it the last host need not pay again.
    package var costs: [String: Double]
    package var savedCosts: [String: Double]
    package var atRisk: UInt64
    package var total: UInt64?
    package var ratePerSecond: Double
    package var etaSeconds: Double?
    package var elapsedSeconds: Double
    package var stages: [Stage]

    package init(_ status: JSONValue) {
        let root = LenientObject(status)
        let records = root["records"]
        job = root.text("job") ?? ""
        state = root.text("state") ?? ""
        message = root.text("message")
        read = records.count("read")
        written = records.count("written")
        filtered = records.count("filtered")
        failed = records.count("failed")
        discarded = records.count("discarded")
        costs = Dictionary(root.amounts("costs").map { ($0.name, $0.amount) }) { first, _ in first }
        savedCosts = Dictionary(root["saved"].amounts("costs").map { ($0.name, $0.amount) }) { first, _ in first }
        atRisk = records.count("at_risk")
        total = records.optionalCount("total")
        ratePerSecond = root.number("rate_per_second")
        etaSeconds = root.optionalNumber("eta_seconds")
        elapsedSeconds = root.number("elapsed_seconds")
        stages = root.list("stages").map { element in
            let stage = LenientObject(element)
            return Stage(
                name: stage.text("name") ?? "", state: stage.text("state") ?? "", isSink: stage.text("kind") == "sink",
                workers: stage.count("workers"), batch: stage["checkpoint"].count("batch"),
                recordsIn: stage.count("records_in"), recordsOut: stage.count("records_out"),
                filtered: stage.count("filtered"), failed: stage.count("failed"), retries: stage.count("retries"),
                crashes: stage.count("crashes"), restarts: stage.count("restarts"),
                residentBytes: stage.count("rss_bytes"), message: stage.text("message"))
        }
    }

    /// Source records that are through: those of the batches that the sink has committed, estimated by their number.
    package var done: UInt64 {
        guard let source = stages.first?.batch, let sink = stages.last?.batch, source > 0 else { return 0 }
        return UInt64(Double(read) * Double(min(source, sink)) / Double(source))
    }

    package var share: Double? {
        guard let total, total > 0 else { return nil }
        return min(1, Double(done) / Double(total))
    }

    /// Whether a host is at work on it.
    package var isAlive: Bool { ["running", "paused", "holding"].contains(state) }

    /// `136/253 (53.8%) | failed 12 | 2.5 records/s | ETA 00:46`
    package var line: String {
        var parts: [String] = []
        if let total, let share {
            parts.append("\(done)/\(total) (\(HumanNumbers.percent(share)))")
        } else {
            parts.append("\(done)/?")
        }
        parts.append("failed \(failed)")
        parts.append("\(HumanNumbers.rate(ratePerSecond)) records/s")
        if let etaSeconds { parts.append("ETA \(HumanNumbers.clock(seconds: etaSeconds))") }
        if state != "running" { parts.append(state) }
        return parts.joined(separator: " | ")
    }
}
