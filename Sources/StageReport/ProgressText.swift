import StageModel
package import StageScheduler

/// What a person sees of a running job: one line, or a table that is drawn again and again.
package enum ProgressText {
    /// `136/253 (53.8%) | failed 12 | 2.5 records/s | ETA 00:46`
    package static func line(_ status: JobStatus, _ progress: Progress) -> String {
        var parts: [String] = []
        if let total = progress.total, let share = progress.share {
            parts.append("\(progress.done)/\(total) (\(HumanNumbers.percent(share)))")
        } else {
            parts.append("\(progress.done)/?")
        }
        parts.append("failed \(status.failed)")
        parts.append("\(HumanNumbers.rate(progress.ratePerSecond)) records/s")
        if let eta = progress.etaSeconds { parts.append("ETA \(HumanNumbers.clock(seconds: eta))") }
        if status.state != "running" { parts.append(status.state) }
        return parts.joined(separator: " | ")
    }

    /// A line for each stage, in columns that fit `columns`, and a line for the job.
    package static func table(_ status: JobStatus, _ progress: Progress, columns: Int) -> [String] {
        var rows = [["stage", "state", "in", "out", "filtered", "failed", "restarts", "memory"]]
        for stage in status.stages {
            rows.append([
                stage.name, stage.state, HumanNumbers.count(stage.kind == .source ? stage.counts.inputs : stage.counts.inputs),
                HumanNumbers.count(stage.kind == .sink ? stage.counts.passed : stage.counts.outputs),
                HumanNumbers.count(stage.counts.filtered), HumanNumbers.count(stage.counts.failed),
                HumanNumbers.count(stage.restarts),
                stage.residentBytes == 0 ? "-" : HumanNumbers.bytes(stage.residentBytes),
            ])
        }
        // The least telling columns go first where the terminal is narrow.
        for column in [7, 4, 1] where width(rows) > columns {
            for row in rows.indices { rows[row].remove(at: column) }
        }
        let table = aligned(rows).map { String($0.prefix(max(columns, 1))) }
        let last = line(status, progress) + " | elapsed " + HumanNumbers.clock(seconds: progress.elapsedSeconds)
        return table + [String(last.prefix(max(columns, 1)))]
    }

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

    private static func width(_ rows: [[String]]) -> Int {
        aligned(rows).map(\.count).max() ?? 0
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
