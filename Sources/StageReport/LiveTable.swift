/// The live table of a job: a line for each stage in columns that fit the terminal, and a line for the whole.
///
/// It remembers earlier statuses, to know how fast each stage is.
package struct LiveTable: Sendable {
    private struct Sample {
        var seconds: Double
        var inputs: [UInt64]
    }

    private struct Column {
        var title: String
        var isText = false
        /// The columns with the highest numbers leave first where the terminal is narrow.
        var rank: Int
        var cell: (StatusView.Stage, Int) -> (String, Style)
    }

    private static let windowSeconds = 5.0
    private var samples: [Sample] = []

    package init() {}

    /// Takes the status of a moment; `seconds` of any clock that does not jump.
    package mutating func update(_ status: StatusView, seconds: Double) {
        let inputs = status.stages.map(\.recordsIn)
        // Another host, or another status: what was before says nothing.
        if let last = samples.last, last.inputs.count != inputs.count || zip(last.inputs, inputs).contains(where: >) { samples = [] }
        samples.append(Sample(seconds: seconds, inputs: inputs))
        if let keepFrom = samples.lastIndex(where: { $0.seconds <= seconds - Self.windowSeconds }) { samples.removeFirst(keepFrom) }
    }

    private func rate(of stage: Int) -> Double? {
        guard let first = samples.first, let last = samples.last, last.seconds - first.seconds > 0.3 else { return nil }
        return Double(last.inputs[stage] - first.inputs[stage]) / (last.seconds - first.seconds)
    }

    /// The lines, none wider than `columns`.
    package func lines(_ status: StatusView, columns: Int) -> [StyledLine] {
        var shown = self.columns
        var cells = table(shown, status)
        while Self.width(cells) > columns, let least = shown.indices.max(by: { shown[$0].rank < shown[$1].rank }), shown[least].rank > 0 {
            shown.remove(at: least)
            cells = table(shown, status)
        }
        let widths = shown.indices.map { column in cells.map { $0[column].0.count }.max() ?? 0 }
        var lines = cells.map { row in
            var line = StyledLine()
            for (column, (text, style)) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - text.count)
                if column > 0 { line.add("  ") }
                if shown[column].isText {
                    line.add(text, style)
                    if column < row.count - 1 { line.add(padding) }
                } else {
                    line.add(padding)
                    line.add(text, style)
                }
            }
            return line
        }
        var last = StyledLine()
        let clock = " | elapsed " + HumanNumbers.clock(seconds: status.elapsedSeconds)
        last.add(status.line, status.failed > 0 ? .attention : .plain)
        last.add(clock)
        lines.append(last)
        return lines
    }

    private func table(_ columns: [Column], _ status: StatusView) -> [[(String, Style)]] {
        [columns.map { ($0.title, .heading) }]
            + status.stages.enumerated().map { index, stage in columns.map { $0.cell(stage, index) } }
    }

    private static func width(_ rows: [[(String, Style)]]) -> Int {
        guard let first = rows.first else { return 0 }
        return first.indices.reduce(0) { sum, column in sum + 2 + (rows.map { $0[column].0.count }.max() ?? 0) } - 2
    }

    private var columns: [Column] {
        func number(_ title: String, _ rank: Int, _ style: Style = .plain, _ value: @escaping (StatusView.Stage) -> UInt64) -> Column {
            Column(title: title, rank: rank) { stage, _ in
                let count = value(stage)
                return (HumanNumbers.count(count), count > 0 ? style : .plain)
            }
        }
        return [
            Column(title: "stage", isText: true, rank: 0) { stage, _ in (PrintableText.line(stage.name), .plain) },
            Column(title: "state", isText: true, rank: 4) { stage, _ in (PrintableText.line(stage.state), Self.style(ofState: stage.state)) },
            number("workers", 9) { $0.workers },
            number("batch", 10) { $0.batch },
            number("in", 0) { $0.recordsIn },
            number("out", 2) { $0.recordsOut },
            Column(title: "in/s", rank: 5) { stage, index in (rate(of: index).map(HumanNumbers.rate) ?? "-", .plain) },
            number("filtered", 7) { $0.filtered },
            number("failed", 0, .bad) { $0.failed },
            number("retries", 8, .attention) { $0.retries },
            number("crashes", 6, .attention) { $0.crashes },
            number("restarts", 1, .attention) { $0.restarts },
            Column(title: "memory", rank: 3) { stage, _ in (stage.residentBytes == 0 ? "-" : HumanNumbers.bytes(stage.residentBytes), .plain) },
        ]
    }

    private static func style(ofState state: String) -> Style {
        switch state {
        case "running": .good
        case "starting", "restarting", "paused", "holding", "held", "throttled": .attention
        case "gave up", "failed": .bad
        default: .quiet
        }
    }
}
