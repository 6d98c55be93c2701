package import StageConfig
package import StageModel
package import StageScheduler

/// A job's status as its directory tells it, in the shape of `StatusReport`: counts come from the logs, and what no log
/// knows (workers, memory, crashes, rates) from the last word of the host.
package struct StoredStatus: Sendable {
    package struct Stage: Sendable {
        package var name: String
        package var plugin: String
        /// The build that serves the stage, where it came from, and what is to be said of that; nil where nothing is known.
        package var digest: String?
        package var origin: String?
        package var remark: String?
        package var kind: StageKind
        package var counts: Counts
        /// Dead letters that were given up for good.
        package var discarded: UInt64
        /// Sums of what the plugin reports, by name.
        package var metrics: [String: Double]
        package var batches: UInt64
        package var committedThrough: UInt64
        package var isDone: Bool

        package init(
            name: String, plugin: String, digest: String? = nil, origin: String? = nil, remark: String? = nil,
            kind: StageKind, counts: Counts, discarded: UInt64 = 0, metrics: [String: Double] = [:],
            batches: UInt64, committedThrough: UInt64,
            isDone: Bool
        ) {
            self.name = name
            self.plugin = plugin
            self.digest = digest
            self.origin = origin
            self.remark = remark
            self.kind = kind
            self.counts = counts
            self.discarded = discarded
            self.metrics = metrics
            self.batches = batches
            self.committedThrough = committedThrough
            self.isDone = isDone
        }
    }

    package var job: String
    package var state: String
    package var message: String?
    /// Whether a host has the job at this moment: only then are its workers, its memory and its rate of any meaning.
    package var isRunning: Bool
    package var sourceHasEnded: Bool
    package var stages: [Stage]
    private let lastWord: LastWord

    /// - Parameter lastWord: What the host wrote last; nil if it wrote nothing, or nothing that can be read.
    package init(
        job: String, state: String, message: String?, isRunning: Bool, sourceHasEnded: Bool, stages: [Stage],
        lastWord: JSONValue?
    ) {
        self.job = job
        self.state = state
        let word = LastWord(lastWord)
        // Why a job that runs is paused, says its host.
        self.message = message ?? (isRunning ? word.root.text("message") : nil)
        self.isRunning = isRunning
        self.sourceHasEnded = sourceHasEnded
        self.stages = stages
        self.lastWord = word
    }

    /// The status of a host that has just been asked. What it has in hand and what it has done belong to one moment, and
    /// so all of it is the host's.
    package init(job: String, live: JSONValue, stages: [(name: String, plugin: String, kind: StageKind)]) {
        let word = LastWord(live)
        self.job = job
        let said = word.root.text("state") ?? ""
        state = Self.statesOfAHost.contains(said) ? said : "running"
        message = word.root.text("message")
        isRunning = true
        self.stages = stages.map { name, plugin, kind in
            let stage = word.stage(name)
            let out = stage.count("records_out")
            let isSink = kind == .sink
            return Stage(
                name: name, plugin: plugin, kind: kind,
                counts: Counts(
                    inputs: stage.count("records_in"), passed: isSink ? out : 0, filtered: stage.count("filtered"),
                    failed: stage.count("failed"), outputs: isSink ? 0 : out),
                batches: stage.count("batches"), committedThrough: stage["checkpoint"].count("batch"),
                isDone: stage.text("state") == "done")
        }
        let total = word.records.optionalCount("total")
        sourceHasEnded = total != nil && total == self.stages.first?.counts.inputs
        lastWord = word
    }

    private static let statesOfAHost: Set = ["running", "paused", "holding", "interrupted", "stopped", "failed", "complete"]

    package var read: UInt64 { stages.first?.counts.inputs ?? 0 }
    package var written: UInt64 { stages.last?.counts.passed ?? 0 }
    package var filtered: UInt64 { stages.reduce(0) { $0 + $1.counts.filtered } }
    package var failed: UInt64 { stages.reduce(0) { $0 + $1.counts.failed } }
    package var discarded: UInt64 { stages.reduce(0) { $0 + $1.discarded } }
    /// Sums over all stages of what their plugins report.
    package var costs: [String: Double] {
        stages.reduce(into: [:]) { sums, stage in sums.merge(stage.metrics) { $0 + $1 } }
    }
    /// Of a host that was killed: what it had in hand then.
    package var atRisk: UInt64 { lastWord.records.count("at_risk") }
    package var total: UInt64? { sourceHasEnded ? read : lastWord.records.optionalCount("total") }
    package var ratePerSecond: Double { isRunning ? lastWord.root.number("rate_per_second") : 0 }
    package var etaSeconds: Double? { isRunning ? lastWord.root.optionalNumber("eta_seconds") : nil }
    package var elapsedSeconds: Double { lastWord.root.number("elapsed_seconds") }

    /// The keys of `StatusReport`, and whatever else the host has said.
    package var json: JSONValue {
        lastWord.root.completed([
            .init("job", .string(job)),
            .init("state", .string(state)),
            .init("message", message.map(JSONValue.string) ?? .null),
            .init(
                "records",
                lastWord.records.completed([
                    .init("read", .count(read)), .init("written", .count(written)),
                    .init("filtered", .count(filtered)), .init("failed", .count(failed)),
                    .init("discarded", .count(discarded)), .init("at_risk", .count(atRisk)), .init("total", total.map(JSONValue.count) ?? .null),
                ])),
            .init("rate_per_second", .rounded(ratePerSecond)),
            .init("eta_seconds", etaSeconds.map(JSONValue.rounded) ?? .null),
            .init("elapsed_seconds", .rounded(elapsedSeconds)),
            .init("costs", .amounts(costs)),
            .init("stages", .array(stages.map(json))),
        ])
    }

    private func json(_ stage: Stage) -> JSONValue {
        let word = lastWord.stage(stage.name)
        return word.completed([
            .init("name", .string(stage.name)),
            .init("plugin", .string(stage.plugin)),
            .init("kind", .string(stage.kind.name)),
            .init("state", .string(state(of: stage))),
            .init("workers", .count(isRunning ? word.count("workers") : 0)),
            .init("batches", .count(stage.batches)),
            .init("records_in", .count(stage.counts.inputs)),
            .init("records_out", .count(out(of: stage))),
            .init("filtered", .count(stage.counts.filtered)),
            .init("failed", .count(stage.counts.failed)),
            .init("discarded", .count(stage.discarded)),
            .init("retries", .count(word.count("retries"))),
            .init("crashes", .count(word.count("crashes"))),
            .init("restarts", .count(word.count("restarts"))),
            .init("unexplained_deaths", .count(word.count("unexplained_deaths"))),
            .init("deaths", .array(word.list("deaths"))),
            .init("rss_bytes", .count(isRunning ? word.count("rss_bytes") : 0)),
            .init("checkpoint", .object([.init("batch", .count(stage.committedThrough))])),
            .init("failed_by", word.object("failed_by")),
            .init("metrics", .amounts(stage.metrics)),
            .init("rate", isRunning ? word.object("rate", orElse: .null) : .null),
            .init("message", word.text("message").map(JSONValue.string) ?? .null),
            .init("digest", stage.digest.map(JSONValue.string) ?? .null),
            .init("origin", stage.origin.map(JSONValue.string) ?? .null),
        ])
    }

    private func out(of stage: Stage) -> UInt64 { stage.kind == .sink ? stage.counts.passed : stage.counts.outputs }

    /// Of a stage that nobody runs, the logs say only whether it has anything left to do.
    private func state(of stage: Stage) -> String {
        if stage.isDone { return "done" }
        guard isRunning else { return "idle" }
        return lastWord.stage(stage.name).text("state") ?? "starting"
    }

    /// For people: a line for the job, a table of its stages, and what a stage has to say.
    package func lines(width: Int?) -> [String] {
        var head = "\(job): \(state)"
        if let message { head += " (\(PrintableText.line(message)))" }
        if elapsedSeconds > 0 { head += ", \(HumanNumbers.clock(seconds: elapsedSeconds)) elapsed" }
        var sums = "read \(HumanNumbers.count(read))"
        if let total, !sourceHasEnded { sums += " of \(HumanNumbers.count(total))" }
        sums +=
            ", written \(HumanNumbers.count(written)), filtered \(HumanNumbers.count(filtered)), failed \(HumanNumbers.count(failed))"
        if discarded > 0 { sums += ", discarded \(HumanNumbers.count(discarded))" }
        if atRisk > 0 { sums += ", at risk \(HumanNumbers.count(atRisk))" }
        if isRunning { sums += ", \(HumanNumbers.rate(ratePerSecond)) records/s" }
        if let etaSeconds { sums += ", ETA \(HumanNumbers.clock(seconds: etaSeconds))" }
        var table = TextTable([
            .init("stage"), .init("plugin"), .init("state"), .number("workers"), .number("batch"), .number("in"),
            .number("out"), .number("filtered"), .number("failed"), .number("retries"), .number("crashes"),
            .number("restarts"), .number("memory"),
        ])
        var remarks: [String] = []
        for stage in stages {
            let word = lastWord.stage(stage.name)
            let resident = isRunning ? word.count("rss_bytes") : 0
            let numbers = [
                isRunning ? word.count("workers") : 0, stage.committedThrough, stage.counts.inputs, out(of: stage),
                stage.counts.filtered, stage.counts.failed, word.count("retries"), word.count("crashes"),
                word.count("restarts"),
            ].map(HumanNumbers.count)
            table.add(
                [stage.name, stage.plugin, state(of: stage)] + numbers
                    + [resident == 0 ? "-" : HumanNumbers.bytes(resident)])
            if isRunning, let remark = rateRemark(LenientObject(word.members["rate"])) { remarks.append("\(stage.name): \(remark)") }
            if let remark = stage.remark { remarks.append("\(stage.name): \(PrintableText.line(remark))") }
            if let remark = word.text("message") {
                remarks.append("\(stage.name): \(PrintableText.line(remark, limit: 300))")
            }
        }
        if !costs.isEmpty { remarks.insert("costs: \(HumanNumbers.amounts(costs))", at: 0) }
        return [head, sums] + table.lines(width: width) + remarks + deathLines
    }

    private static let deathsInLines = 5

    /// The last deaths of all stages, oldest first.
    private var deathLines: [String] {
        let deaths = stages.flatMap { stage in
            StoredTally.deaths(.array(lastWord.stage(stage.name).list("deaths"))).compactMap { death -> (at: String, line: String)? in
                guard case .earlier(let at) = death.time else { return nil }
                var line = "\(at)  \(stage.name): \(death.message)"
                if let batch = death.batch { line += ", batch \(batch)" }
                if let index = death.index { line += ", record \(index)" }
                if death.worker > 0 { line += ", worker \(death.worker)" }
                switch death.explanation {
                case .open where death.cause == DeathCause.hostName: break
                case .open: line += ": being looked into"
                case .found, .build: line += ": explained"
                case .unexplained: line += ": unexplained"
                }
                return (at, line)
            }
        }
        guard !deaths.isEmpty else { return [] }
        return ["last deaths:"] + deaths.sorted { $0.at < $1.at }.suffix(Self.deathsInLines).map { "  " + $0.line }
    }

    /// What is to be said of a stage whose rate is limited.
    private func rateRemark(_ rate: LenientObject) -> String? {
        guard let now = rate.optionalNumber("records_per_second") else { return nil }
        let full = rate.optionalNumber("full")
        guard rate.members["slowed"] == .boolean(true) else {
            return full.map { "at most \(HumanNumbers.rate($0)) records/s" }
        }
        let refusals = rate.count("refusals")
        return "slowed to \(HumanNumbers.rate(now))" + (full.map { " of \(HumanNumbers.rate($0))" } ?? "")
            + " records/s: \(HumanNumbers.count(refusals)) \(refusals == 1 ? "answer" : "answers") asked for a pause"
    }
}

/// What the host wrote, as far as it makes sense.
private struct LastWord: Sendable {
    let root: LenientObject
    let records: LenientObject
    private let stages: [String: LenientObject]

    init(_ value: JSONValue?) {
        root = LenientObject(value)
        records = LenientObject(root.members["records"])
        var stages: [String: LenientObject] = [:]
        if case .array(let list) = root.members["stages"] {
            for element in list {
                let stage = LenientObject(element)
                if let name = stage.text("name") { stages[name] = stage }
            }
        }
        self.stages = stages
    }

    func stage(_ name: String) -> LenientObject { stages[name] ?? LenientObject(nil) }
}
