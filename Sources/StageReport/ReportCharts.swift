// The charts of a report.

extension JobReport {
    /// The time that the charts show: idle times between hosts are left out.
    struct Timeline {
        private var spans: [(start: Int64, end: Int64, offset: Int64)] = []
        private(set) var length: Int64 = 0

        init(_ runs: [JobHistory.Run]) {
            for run in runs {
                let start = max(run.started, spans.last?.end ?? .min)
                let end = max(run.seen, start)
                spans.append((start, end, length))
                length += end - start
            }
        }

        var seconds: Double { Double(length) / 1e3 }

        /// Where a moment stands, from 0 to 1.
        func share(_ at: Int64) -> Double {
            guard length > 0, let span = spans.last(where: { $0.start <= at }) ?? spans.first else { return 0 }
            return Double(span.offset + min(max(0, at - span.start), span.end - span.start)) / Double(length)
        }

        func run(of at: Int64) -> Int { spans.lastIndex { $0.start <= at } ?? 0 }

        var bands: [(from: Double, to: Double)] {
            spans.map { (Double($0.offset) / Double(max(1, length)), Double($0.offset + $0.end - $0.start) / Double(max(1, length))) }
        }

        var words: [String] {
            seconds < 1 ? ["0", HumanNumbers.seconds(seconds)]
                : (0...4).map { seconds < 20 ? HumanNumbers.fixed(seconds * Double($0) / 4, digits: 1) + " s" : HumanNumbers.clock(seconds: seconds * Double($0) / 4) }
        }
    }

    private var clock: Timeline { Timeline(history.runs) }

    private static let mostPoints = 120

    /// Records per second between moments of one host, in at most `mostPoints` steps.
    private var rates: [[(x: Double, rate: Double)]] {
        let clock = clock
        guard clock.length > 0 else { return [] }
        var lines: [[(x: Double, rate: Double)]] = []
        let runs = Dictionary(grouping: history.samples) { clock.run(of: $0.at) }
        let step = max(Double(clock.length) / Double(Self.mostPoints), 250)
        for run in runs.keys.sorted() {
            let samples = runs[run] ?? []
            guard var from = samples.first else { continue }
            // A host begins with what the ones before it have done.
            if history.runs.indices.contains(run), history.runs[run].started < from.at {
                let before = lines.isEmpty ? 0 : (runs[run - 1]?.last?.done ?? 0)
                from = JobHistory.Sample(at: history.runs[run].started, done: min(before, from.done), inputs: [], residentBytes: [])
            }
            var points: [(x: Double, rate: Double)] = []
            for sample in samples {
                let isEnd = sample.at == samples.last?.at
                guard Double(sample.at - from.at) >= step || isEnd && sample.at > from.at else { continue }
                let rate = Double(sample.done > from.done ? sample.done - from.done : 0) / Double(sample.at - from.at) * 1e3
                if points.isEmpty { points.append((clock.share(from.at), rate)) }
                points.append((clock.share(sample.at), rate))
                from = sample
            }
            if !points.isEmpty { lines.append(points) }
        }
        return lines
    }

    var throughput: String? {
        let rates = rates
        let most = rates.flatMap { $0 }.map(\.rate).max() ?? 0
        guard most > 0 else { return nil }
        let scale = Plot.scale(most)
        let top = scale.last ?? most
        var plot = Plot()
        plot.grid(scale.map { $0 / top })
        for line in rates { plot.line(line.map { ($0.x, $0.rate / top) }, colour: 0, filled: true) }
        return "<p class=\"note\">Source records through the whole pipeline, per second; mean \(HumanNumbers.rate(meanRate)), peak \(HumanNumbers.rate(most)).</p>"
            + plot.figure("records per second over time", ticks: scale.map { ($0 / top, HumanNumbers.rateTick($0)) }, below: clock.words)
    }

    // MARK: - What happened when

    private static func kind(_ event: String) -> String? {
        switch event {
        case "worker_crashed": "death"
        case "poison_found", "stage_gave_up": "poison"
        case "worker_restarted": "restart"
        case "plugin_swapped", "stage_restarted", "swap_rolled_back", "paused", "resumed", "draining", "worker_refused": "word"
        default: nil
        }
    }

    var timeline: String? {
        let clock = clock
        guard clock.length > 0 else { return nil }
        let marked = history.incidents.filter { Self.kind($0.event) != nil }
        let isOfJob = marked.contains { $0.stage == nil }
        let shown = history.stages.indices.filter { stage in marked.contains { $0.stage == stage } }
        guard !shown.isEmpty || isOfJob || history.runs.count > 1 else { return nil }
        var text = "<div class=\"lanes\">"
        func lane(_ name: String, _ incidents: [JobHistory.Incident], bands: Bool) {
            var plot = Plot()
            if bands {
                for (band, run) in zip(clock.bands, history.runs) {
                    plot.band(from: band.from, to: band.to, title: "host from \(Timestamp.text(milliseconds: run.started)), \(run.state ?? "no word of its end")")
                }
            } else {
                plot.grid([0.5])
            }
            for incident in incidents {
                guard let kind = Self.kind(incident.event) else { continue }
                let height = kind == "restart" ? 0.28 : kind == "death" ? 0.6 : 0.8
                plot.mark(kind, x: clock.share(incident.at), y: bands ? 0.5 : height, title: "\(Timestamp.text(milliseconds: incident.at)) \(incident.text)")
            }
            text += "<span>\(HTML.escaped(name))</span>\(plot.svg("what happened in \(name)", style: "lane"))"
        }
        lane("hosts", marked.filter { $0.stage == nil }, bands: true)
        for stage in shown { lane(history.stages[stage].name, marked.filter { $0.stage == stage }, bands: false) }
        text += "<span></span><div class=\"below\">" + clock.words.map { "<span>\(HTML.escaped($0))</span>" }.joined() + "</div></div>\n"
        text += "<p class=\"legend\"><span><i class=\"dot death\"></i>a worker died</span><span><i class=\"dot restart\"></i>another took over</span><span><i class=\"dot poison\"></i>a record was set aside, or a stage gave up</span><span><i class=\"dot word\"></i>other</span></p>\n"
        if history.runs.count > 1 { text += "<p class=\"note\">Times between hosts are left out.</p>\n" }
        return text
    }

    // MARK: - How long it took

    var latencies: String? {
        let calls = history.stages.map(\.calls)
        let records = history.stages.map(\.records)
        guard let range = Self.buckets(calls + records) else { return nil }
        var text = "<div class=\"scroll\"><div class=\"latency\"><b>stage</b><b>a call into the plugin</b><b>p50</b><b>p99</b><b>a record</b><b>p50</b><b>p99</b>\n"
        for (index, stage) in history.stages.enumerated() {
            text += "<span class=\"name\"><i class=\"dot s\(index % Plot.colours)\"></i>\(HTML.escaped(stage.name))</span>"
            for histogram in [stage.calls, stage.records] {
                text += Self.spark(histogram, range, colour: index)
                for share in [0.5, 0.99] { text += "<span class=\"n\">\(histogram.quantile(share).map(HumanNumbers.seconds) ?? "–")</span>" }
            }
            text += "\n"
        }
        let ends = "<div class=\"ends\"><span>\(Self.bound(range.lowerBound))</span><span>\(Self.bound(range.upperBound))</span></div>"
        return text + "<span></span>\(ends)<span></span><span></span>\(ends)<span></span><span></span></div></div>\n"
            + "<p class=\"note\">Each row is a histogram over the same times, on a logarithmic scale. The time of a record is its share of the answer that it came in.</p>\n"
    }

    private static func bound(_ bucket: Int) -> String {
        bucket < Histogram.bounds.count ? HTML.escaped(HumanNumbers.seconds(Double(Histogram.bounds[bucket]) / 1e9)) : "longer"
    }

    /// The buckets in which there is anything.
    private static func buckets(_ histograms: [Histogram]) -> ClosedRange<Int>? {
        let used = (0...Histogram.bounds.count).filter { bucket in histograms.contains { $0.counts[bucket] > 0 } }
        guard let first = used.first, let last = used.last else { return nil }
        return max(0, first - 1)...last
    }

    private static func spark(_ histogram: Histogram, _ range: ClosedRange<Int>, colour: Int) -> String {
        var plot = Plot()
        plot.grid([0])
        let most = Double(histogram.counts.max() ?? 0)
        for (place, bucket) in range.enumerated() where histogram.counts[bucket] > 0 {
            let count = histogram.counts[bucket]
            let left = Double(place) / Double(range.count)
            plot.rectangle(
                from: left + 0.1 / Double(range.count), to: left + 0.9 / Double(range.count), height: max(0.05, Double(count) / most), colour: colour,
                title: "up to \(bound(bucket)): \(HumanNumbers.count(count))")
        }
        return plot.svg("histogram", style: "spark")
    }

    // MARK: - Memory

    var memory: String? {
        let clock = clock
        let most = Double(history.samples.flatMap(\.residentBytes).max() ?? 0)
        guard most > 0, clock.length > 0 else { return nil }
        let scale = Plot.scaleOfBytes(most)
        let top = scale.last ?? most
        // Before its first worker and after its last a host has nothing to show.
        let measured = history.samples.filter { $0.residentBytes.contains { $0 > 0 } }
        let runs = Dictionary(grouping: measured) { clock.run(of: $0.at) }
        let step = max(1, measured.count / (2 * Self.mostPoints))
        var plot = Plot()
        plot.grid(scale.map { $0 / top })
        for run in runs.keys.sorted() {
            let samples = (runs[run] ?? []).enumerated().filter { $0.offset.isMultiple(of: step) }.map(\.element)
            for stage in history.stages.indices {
                plot.line(samples.map { (clock.share($0.at), Double($0.residentBytes[stage]) / top) }, colour: stage)
            }
        }
        return HTML.legend(history.stages.map(\.name))
            + plot.figure("memory over time", ticks: scale.map { ($0 / top, HumanNumbers.bytesTick($0)) }, below: clock.words)
    }
}

extension HumanNumbers {
    /// "2.5k": for the side of a chart.
    static func rateTick(_ value: Double) -> String {
        for (unit, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where value >= unit { return trimmed(value / unit) + name }
        return trimmed(value)
    }

    static func bytesTick(_ value: Double) -> String {
        for (unit, name) in [(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB")] where value >= unit { return trimmed(value / unit) + " " + name }
        return "0"
    }

    private static func trimmed(_ value: Double) -> String {
        let text = fixed(value, digits: value < 10 ? 2 : 1)
        guard text.contains(".") else { return text }
        var short = Substring(text)
        while short.last == "0" { short.removeLast() }
        if short.last == "." { short.removeLast() }
        return String(short)
    }
}
