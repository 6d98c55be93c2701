package import StageConfig
package import StageModel
package import StageScheduler

/// A job's status as its directory tells it, in the shape of `StatusReport`: counts come from the logs, and what no log
/// knows (workers, memory, crashes, rates) from the last word of the host.
package struct StoredStatus: Sendable {
    package struct Stage: Sendable {
        package var name: String
        package var plugin: String
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
            name: String, plugin: String, kind: StageKind, counts: Counts, discarded: UInt64 = 0,
            metrics: [String: Double] = [:], batches: UInt64, committedThrough: UInt64,
            isDone: Bool
        ) {
            self.name = name
            self.plugin = plugin
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
        self.message = message
        self.isRunning = isRunning
        self.sourceHasEnded = sourceHasEnded
        self.stages = stages
        self.lastWord = LastWord(lastWord)
    }

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
            .init("rss_bytes", .count(isRunning ? word.count("rss_bytes") : 0)),
            .init("checkpoint", .object([.init("batch", .count(stage.committedThrough))])),
            .init("metrics", .amounts(stage.metrics)),
            .init("message", word.text("message").map(JSONValue.string) ?? .null),
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
            if let remark = word.text("message") {
                remarks.append("\(stage.name): \(PrintableText.line(remark, limit: 300))")
            }
        }
        if !costs.isEmpty { remarks.insert("costs: \(HumanNumbers.amounts(costs))", at: 0) }
        return [head, sums] + table.lines(width: width) + remarks
    }
}

/// What the host wrote, as far as it makes sense: everything in it is optional, and of the right type or not there.
private struct LastWord: Sendable {
    struct Object: Sendable {
        var members: [String: JSONValue] = [:]
        var order: [String] = []

        init(_ value: JSONValue?) {
            guard case .object(let list) = value else { return }
            for member in list where members.updateValue(member.value, forKey: member.key) == nil {
                order.append(member.key)
            }
        }

        func optionalCount(_ key: String) -> UInt64? {
            guard case .integer(let value) = members[key] else { return nil }
            return UInt64(exactly: value)
        }

        func count(_ key: String) -> UInt64 { optionalCount(key) ?? 0 }

        func optionalNumber(_ key: String) -> Double? {
            switch members[key] {
            case .integer(let value) where value >= 0: Double(value)
            case .number(let value) where value.isFinite && value >= 0: value
            default: nil
            }
        }

        func number(_ key: String) -> Double { optionalNumber(key) ?? 0 }

        func text(_ key: String) -> String? {
            guard case .string(let value) = members[key] else { return nil }
            return value
        }

        /// These members, and those of the object that are not among them.
        func completed(_ known: [JSONValue.Member]) -> JSONValue {
            let keys = Set(known.map(\.key))
            let others = order.filter { !keys.contains($0) }.compactMap { key in
                members[key].map { JSONValue.Member(key, $0) }
            }
            return .object(known + others)
        }
    }

    let root: Object
    let records: Object
    private let stages: [String: Object]

    init(_ value: JSONValue?) {
        root = Object(value)
        records = Object(root.members["records"])
        var stages: [String: Object] = [:]
        if case .array(let list) = root.members["stages"] {
            for element in list {
                let stage = Object(element)
                if let name = stage.text("name") { stages[name] = stage }
            }
        }
        self.stages = stages
    }

    func stage(_ name: String) -> Object { stages[name] ?? Object(nil) }
}
