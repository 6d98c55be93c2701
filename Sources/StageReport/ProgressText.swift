import StageModel
package import StageScheduler

/// What a person sees of a run when it has ended.
package enum ProgressText {
    /// Text columns to the left, numbers to the right.
    package static func aligned(_ rows: [[String]]) -> [String] {
        guard let first = rows.first else { return [] }
        let widths = first.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                let isText = column == 0 || rows.dropFirst().allSatisfy { $0[column].first?.isLetter ?? true }
                return isText ? cell + padding : padding + cell
            }.joined(separator: "  ").trimmedEnd
        }
    }

    /// The summary at the end of a run: what went into each stage and what became of it. The sums add up.
    package static func summary(_ status: JobStatus, seconds: Double) -> [String] {
        var rows = [["stage", "in", "passed on", "filtered", "failed", "out", "retries", "crashes", "restarts"]]
        for stage in status.stages {
            let counts = stage.counts
            rows.append(
                [
                    counts.inputs, counts.passed, counts.filtered, counts.failed,
                    stage.kind == .sink ? counts.passed : counts.outputs, stage.retries, stage.crashes, stage.restarts,
                ].reduce(into: [stage.name]) { $0.append(HumanNumbers.count($1)) })
        }
        let discarded = status.discarded > 0 ? ", discarded \(HumanNumbers.count(status.discarded))" : ""
        let totals =
            "read \(HumanNumbers.count(status.read)), written \(HumanNumbers.count(status.written)), filtered \(HumanNumbers.count(status.filtered)), failed \(HumanNumbers.count(status.failed))\(discarded) in \(HumanNumbers.fixed(seconds, digits: 1)) s"
        let costs = status.costs.isEmpty ? [] : ["costs: \(HumanNumbers.amounts(status.costs))"]
        return aligned(rows) + [totals] + costs
    }
}

extension String {
    fileprivate var trimmedEnd: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
