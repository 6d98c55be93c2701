import StageConfig

/// The report for people, on a terminal.
extension JobReport {
    package func lines(width: Int?) -> [String] {
        let view = view
        var head = "\(view.job): \(view.state)"
        if let message = view.message { head += " (\(PrintableText.line(message)))" }
        let discarded = view.discarded > 0 ? ", discarded \(HumanNumbers.count(view.discarded))" : ""
        var lines = [
            head,
            "read \(HumanNumbers.count(view.read)), written \(HumanNumbers.count(view.written)), filtered \(HumanNumbers.count(view.filtered)), failed \(HumanNumbers.count(view.failed))\(discarded); \(HumanNumbers.rate(meanRate)) records/s over \(HumanNumbers.clock(seconds: workedSeconds))",
        ]
        if resumes > 0 {
            let records = savedRecords.reduce(0, +)
            lines.append(
                "\(resumes == 1 ? "a resume" : "\(resumes) resumes") saved \(HumanNumbers.count(records)) records in the stages from running again, about \(HumanNumbers.seconds(savedSeconds)) of their work"
            )
        }
        if !view.costs.isEmpty {
            let saved = view.savedCosts.isEmpty ? "" : "; the last host did not pay again: \(HumanNumbers.amounts(view.savedCosts))"
            lines.append("costs: \(HumanNumbers.amounts(view.costs))\(saved)")
        }
        lines += [""] + stageTable.lines(width: width)
        if !failures.isEmpty {
            var table = TextTable([.init("dead letters"), .init("stage"), .number("count")])
            for entry in failures { table.add([entry.category, entry.stage, HumanNumbers.count(entry.count)]) }
            lines += [""] + table.lines(width: width)
        }
        let told = history.incidents.filter { !["worker_restarted", "unexplained_death"].contains($0.event) }
        if !told.isEmpty {
            lines += [""]
            let shown = told.suffix(Self.mostIncidents)
            if shown.count < told.count || history.incidentsDropped > 0 { lines.append("the last \(shown.count) incidents:") }
            lines += shown.map { incident in
                let stage = incident.stage.map { history.stages[$0].name + ": " } ?? ""
                let line = "\(Timestamp.text(milliseconds: incident.at))  \(stage)\(incident.text)"
                return width.map { String(line.prefix($0)) } ?? line
            }
        }
        return lines
    }

    private static let mostIncidents = 20

    private var stageTable: TextTable {
        var table = TextTable([
            .init("stage"), .number("in"), .number("out"), .number("filtered"), .number("failed"), .number("retries"),
            .number("crashes"), .number("restarts"), .number("batch p50"), .number("p99"), .number("record p50"), .number("p99"),
            .number("peak memory"),
        ])
        for (stage, seen) in zip(view.stages, history.stages) {
            let counts = [stage.recordsIn, stage.recordsOut, stage.filtered, stage.failed, stage.retries, stage.crashes, stage.restarts]
            let times = [seen.calls.quantile(0.5), seen.calls.quantile(0.99), seen.records.quantile(0.5), seen.records.quantile(0.99)]
            table.add(
                [stage.name] + counts.map(HumanNumbers.count) + times.map { $0.map(HumanNumbers.seconds) ?? "-" }
                    + [seen.peakResidentBytes == 0 ? "-" : HumanNumbers.bytes(seen.peakResidentBytes)])
        }
        return table
    }
}
