import StageConfig

/// The report as one page that needs nothing else: no network, no script, light and dark, wide and narrow.
extension JobReport {
    package var html: String {
        let view = view
        let title = HTML.escaped("\(view.job): \(view.state)")
        var sections = [summary(view)]
        if let figure = throughput { sections.append(section("Throughput", figure)) }
        if let figure = timeline { sections.append(section("What happened", figure)) }
        sections.append(section("Stages", stages(view)))
        if let figure = latencies { sections.append(section("How long it took", figure)) }
        if !failures.isEmpty { sections.append(section("Dead letters", failureBars)) }
        if let figure = memory { sections.append(section("Memory", figure)) }
        sections.append(section("Hosts", hosts))
        if !history.incidents.isEmpty { sections.append(section("Incidents", incidents)) }
        sections.append(section("Configuration", settings))
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>\(title)</title>
            <style>\(ReportStyle.css)</style>
            </head>
            <body>
            <main>
            \(sections.joined(separator: "\n"))
            <footer>Made by stagehost, \(HTML.escaped(Timestamp.text(milliseconds: made)))</footer>
            </main>
            </body>
            </html>

            """
    }

    private func section(_ title: String, _ content: String) -> String {
        "<section><h2>\(HTML.escaped(title))</h2>\n\(content)</section>"
    }

    // MARK: - Words and numbers

    private func summary(_ view: StatusView) -> String {
        let tiles: [(String, String, String)] = [
            ("read", HumanNumbers.count(view.read), ""), ("written", HumanNumbers.count(view.written), ""),
            ("filtered", HumanNumbers.count(view.filtered), ""),
            ("failed", HumanNumbers.count(view.failed), view.failed > 0 ? "bad" : ""),
            ("deaths", HumanNumbers.count(view.stages.reduce(0) { $0 + $1.crashes }), ""),
            ("time at work", HumanNumbers.clock(seconds: workedSeconds), ""),
            ("records/s", HumanNumbers.rate(meanRate), ""),
        ]
        var text = "<header><h1>\(HTML.escaped(view.job))</h1><span class=\"badge \(Self.mood(view.state))\">\(HTML.escaped(view.state))</span></header>\n"
        if let message = view.message { text += "<p class=\"message\">\(HTML.escaped(message))</p>\n" }
        text += "<dl class=\"tiles\">"
        for (name, value, style) in tiles { text += "<div class=\"\(style)\"><dt>\(name)</dt><dd>\(value)</dd></div>" }
        text += "</dl>\n"
        if resumes > 0 {
            let sum = HumanNumbers.count(savedRecords.reduce(0, +))
            text += "<p class=\"saved\"><strong>\(resumes == 1 ? "A resume" : "\(resumes) resumes")</strong> saved \(sum) records in the stages from running again, about \(HumanNumbers.seconds(savedSeconds)) of their work.</p>\n"
        }
        if !view.costs.isEmpty {
            let saved = view.savedCosts.isEmpty ? "" : "; the last host did not pay again: \(HumanNumbers.amounts(view.savedCosts))"
            text += "<p class=\"saved\"><strong>Costs</strong>: \(HTML.escaped(HumanNumbers.amounts(view.costs) + saved)).</p>\n"
        }
        return text
    }

    private static func mood(_ state: String) -> String {
        switch state {
        case "complete", "running": "good"
        case "failed": "bad"
        default: "attention"
        }
    }

    private func stages(_ view: StatusView) -> String {
        var rows: [[HTML.Cell]] = []
        for (index, (stage, seen)) in zip(view.stages, history.stages).enumerated() {
            let build = builds[stage.name]
            let numbers = [stage.recordsIn, stage.recordsOut, stage.filtered, stage.failed, stage.retries, stage.crashes, stage.restarts]
            let deaths = seen.deaths.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            rows.append(
                [.name(stage.name, colour: index)] + numbers.map { .number(HumanNumbers.count($0)) }
                    + [
                        .text(deaths.isEmpty ? "–" : deaths),
                        .number(seen.peakResidentBytes == 0 ? "–" : HumanNumbers.bytes(seen.peakResidentBytes)),
                        .text([build?.version, build?.digest.map { String($0.prefix(12)) }].compactMap(\.self).joined(separator: " · ")),
                    ])
        }
        return HTML.table(
            ["stage", "in", "out", "filtered", "failed", "retries", "crashes", "restarts", "died of", "peak memory", "plugin"], rows)
    }

    private var hosts: String {
        var rows: [[HTML.Cell]] = []
        for (index, run) in history.runs.enumerated() {
            let saved = zip(history.stages, run.recovered).filter { $0.1 > 0 }
                .map { "\($0.0.name) \(HumanNumbers.count($0.1))" }.joined(separator: ", ")
            // The last one may still be at work.
            let isLast = index == history.runs.count - 1
            rows.append([
                .text(Timestamp.text(milliseconds: run.started)), .number(HumanNumbers.seconds(Double(run.seen - run.started) / 1e3)),
                .text(run.state ?? (isLast && view.isAlive ? view.state : "killed")), .words(saved.isEmpty ? "–" : saved),
            ])
        }
        let dropped = history.runsDropped > 0 ? "<p>\(history.runsDropped) earlier hosts are not shown.</p>" : ""
        return HTML.table(["began", "lasted", "ended", "records that did not run again"], rows) + dropped
    }

    private var incidents: String {
        let rows = history.incidents.map { incident in
            [
                HTML.Cell.text(Timestamp.text(milliseconds: incident.at)), .text(incident.event),
                .text(incident.stage.map { history.stages[$0].name } ?? "–"), .words(incident.text),
            ]
        }
        let dropped = history.incidentsDropped > 0 ? "<p>\(history.incidentsDropped) earlier ones are not shown; the event file has them.</p>" : ""
        return "<details><summary>\(rows.count) of them</summary>\(HTML.table(["at", "event", "stage", ""], rows))\(dropped)</details>"
    }

    private var settings: String {
        guard case .array(let entries) = configuration else { return "" }
        let rows = entries.map { entry -> [HTML.Cell] in
            let value = entry["value"] ?? .null
            var text = "–"
            if case .null = value {} else { text = value.json() }
            return [.code(LenientObject(entry).text("key") ?? ""), .code(text), .words(LenientObject(entry).text("origin") ?? "")]
        }
        return "<details><summary>\(rows.count) values and where they come from</summary>\(HTML.table(["key", "value", "from"], rows))</details>"
    }

    private var failureBars: String {
        let most = Double(categories.map(\.count).max() ?? 1)
        let rows = categories.map { category, count in
            let stages = failures.filter { $0.category == category }.map { "\($0.stage) \(HumanNumbers.count($0.count))" }.joined(separator: ", ")
            return "<div class=\"bar\"><span>\(HTML.escaped(category))</span>\(Plot.bar(Double(count) / most))<b>\(HumanNumbers.count(count))</b><small>\(HTML.escaped(stages))</small></div>"
        }
        return rows.joined(separator: "\n")
    }
}

/// Pieces of pages. Whatever comes from outside is escaped here.
enum HTML {
    enum Cell {
        case text(String)
        case number(String)
        case code(String)
        /// Text that may be long.
        case words(String)
        /// The name of a stage with its colour in charts.
        case name(String, colour: Int)
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func table(_ titles: [String], _ rows: [[Cell]]) -> String {
        let isNumber = titles.indices.map { column in
            guard let cell = rows.first?[column], case .number = cell else { return false }
            return true
        }
        var text = "<div class=\"scroll\"><table><thead><tr>"
        for (column, title) in titles.enumerated() { text += "<th\(isNumber[column] ? " class=\"n\"" : "")>\(escaped(title))</th>" }
        text += "</tr></thead><tbody>\n"
        for row in rows { text += "<tr>" + row.map(cell).joined() + "</tr>\n" }
        return text + "</tbody></table></div>\n"
    }

    private static func cell(_ cell: Cell) -> String {
        switch cell {
        case .text(let text): "<td>\(escaped(text))</td>"
        case .number(let text): "<td class=\"n\">\(escaped(text))</td>"
        case .words(let text): "<td class=\"w\">\(escaped(text))</td>"
        case .code(let text): "<td class=\"w\"><code>\(escaped(text))</code></td>"
        case .name(let text, let colour): "<td class=\"name\"><i class=\"dot s\(colour % Plot.colours)\"></i>\(escaped(text))</td>"
        }
    }

    static func legend(_ names: [String]) -> String {
        guard names.count > 1 else { return "" }
        return "<p class=\"legend\">" + names.enumerated().map { "<span><i class=\"dot s\($0.offset % Plot.colours)\"></i>\(escaped($0.element))</span>" }.joined() + "</p>\n"
    }
}
