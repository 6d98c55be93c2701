import StageConfig
package import StageScheduler

/// What a resume has saved: the work that earlier runs had committed.
package struct Saved: Sendable, Equatable {
    /// Results, by stage in the order of the pipeline: input records that a stage need not see again.
    package var records: [UInt64] = []
    /// What those results have cost, by name.
    package var costs: [String: Double] = [:]

    package init() {}

    package init(_ recovery: Recovery) {
        records = recovery.stages.map { $0.counts.passed + $0.counts.filtered }
        costs = recovery.stages.reduce(into: [:]) { sums, stage in sums.merge(stage.metrics) { $0 + $1 } }
    }

    var json: JSONValue {
        .object([.init("records", .count(records.dropFirst().reduce(0, +))), .init("costs", .amounts(costs))])
    }

    /// For the end of a run; nil if there was no earlier one.
    package func line(stages: [String]) -> String? {
        let done = zip(stages, records).dropFirst().filter { $1 > 0 }
        guard !done.isEmpty else { return nil }
        var line = "not done again: " + done.map { "\($0) \(HumanNumbers.count($1))" }.joined(separator: ", ") + " records"
        if !costs.isEmpty { line += "; not paid again: \(HumanNumbers.amounts(costs))" }
        return line
    }
}
