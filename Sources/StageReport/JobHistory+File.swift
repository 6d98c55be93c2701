import Glibc
import LinuxIO
package import StageConfig

// The history as a file, and the events that came after it.

extension JobHistory {
    private static let format: Int64 = 1
    private static let fileLimitBytes = 4 << 20
    /// Longer lines are none of ours.
    private static let lineLimitBytes = 1 << 20

    package var json: JSONValue {
        func counts(_ list: [UInt64]) -> JSONValue { .array(list.map(JSONValue.count)) }
        return .object([
            .init("format", .integer(Self.format)), .init("event_bytes", .count(eventBytes)),
            .init("sample_every_ms", .integer(sampleEvery)),
            .init("stages", .array(stages.map(json))),
            .init(
                "runs",
                .array(
                    runs.map { run in
                        .object([
                            .init("started", .integer(run.started)), .init("seen", .integer(run.seen)),
                            .init("state", run.state.map(JSONValue.string) ?? .null),
                            .init("message", run.message.map(JSONValue.string) ?? .null),
                            .init("recovered", counts(run.recovered)),
                        ])
                    })),
            .init("runs_dropped", .count(runsDropped)),
            .init(
                "incidents",
                .array(
                    incidents.map { incident in
                        .object([
                            .init("at", .integer(incident.at)), .init("event", .string(incident.event)),
                            .init("stage", incident.stage.map { .integer(Int64($0)) } ?? .null),
                            .init("text", .string(incident.text)),
                        ])
                    })),
            .init("incidents_dropped", .count(incidentsDropped)),
            .init(
                "samples",
                .array(
                    samples.map { sample in
                        .array([.integer(sample.at), .count(sample.done), counts(sample.inputs), counts(sample.residentBytes)])
                    })),
        ])
    }

    private func json(_ stage: Stage) -> JSONValue {
        .object([
            .init("name", .string(stage.name)), .init("calls", stage.calls.json), .init("records", stage.records.json),
            .init("deaths", .object(stage.deaths.sorted { $0.key < $1.key }.map { .init($0.key, .count($0.value)) })),
            .init("peak_rss_bytes", .count(stage.peakResidentBytes)),
        ])
    }

    /// Writes it down. A full disk loses history, never work.
    package func write(to path: String) {
        try? writeFileAtomically(path, Array((json.json() + "\n").utf8), durable: false)
    }

    /// The history of a job so far; an empty one where there is none that can be read.
    ///
    /// - Parameters:
    ///   - stages: The names of its stages: a history of others is none of it.
    ///   - events: The event file.
    package static func read(_ path: String, events: String, stages: [String]) -> JobHistory {
        let history = stored(path, stages) ?? JobHistory(stages: stages)
        history.readEvents(events)
        return history
    }

    private static func stored(_ path: String, _ names: [String]) -> JobHistory? {
        guard let bytes = try? readSmallFile(path, limit: fileLimitBytes),
            case .success(let node) = ConfigParser.parse(SourceText(name: path, bytes: bytes))
        else { return nil }
        let root = LenientObject(node.plain)
        let stages = root.list("stages").map { element in stage(LenientObject(element)) }
        guard root.count("format") == UInt64(format), stages.map(\.name) == names else { return nil }
        let history = JobHistory(stages: stages, samples: root.list("samples").compactMap { sample($0, stages: names.count) })
        history.eventBytes = root.count("event_bytes")
        history.sampleEvery = max(history.sampleEvery, Int64(clamping: root.count("sample_every_ms")))
        history.runs = root.list("runs").suffix(mostRuns).compactMap { run(LenientObject($0), stages: names.count) }
        history.runsDropped = root.count("runs_dropped")
        history.incidents = root.list("incidents").suffix(mostIncidents).compactMap { incident(LenientObject($0), stages: names.count) }
        history.incidentsDropped = root.count("incidents_dropped")
        return history
    }

    private static func stage(_ object: LenientObject) -> Stage {
        var stage = Stage(name: object.text("name") ?? "")
        stage.calls = Histogram(object["calls"])
        stage.records = Histogram(object["records"])
        for (cause, number) in object.amounts("deaths") where number >= 0 && number < 1e15 { stage.deaths[cause] = UInt64(number) }
        stage.peakResidentBytes = object.count("peak_rss_bytes")
        return stage
    }

    private static func counts(_ value: JSONValue, _ number: Int) -> [UInt64]? {
        guard case .array(let list) = value, list.count == number else { return nil }
        return list.map { element in
            guard case .integer(let count) = element else { return 0 }
            return UInt64(clamping: count)
        }
    }

    private static func sample(_ value: JSONValue, stages: Int) -> Sample? {
        guard case .array(let list) = value, list.count == 4, case .integer(let at) = list[0], case .integer(let done) = list[1],
            let inputs = counts(list[2], stages), let resident = counts(list[3], stages)
        else { return nil }
        return Sample(at: at, done: UInt64(clamping: done), inputs: inputs, residentBytes: resident)
    }

    private static func run(_ object: LenientObject, stages: Int) -> Run? {
        guard let started = object.optionalCount("started"), let seen = object.optionalCount("seen"),
            let recovered = counts(.array(object.list("recovered")), stages)
        else { return nil }
        return Run(
            started: Int64(clamping: started), seen: Int64(clamping: seen), state: object.text("state"),
            message: object.text("message"), recovered: recovered)
    }

    private static func incident(_ object: LenientObject, stages: Int) -> Incident? {
        guard let at = object.optionalCount("at"), let event = object.text("event") else { return nil }
        let stage = object.optionalCount("stage").flatMap { $0 < UInt64(stages) ? Int($0) : nil }
        return Incident(at: Int64(clamping: at), event: event, stage: stage, text: object.text("text") ?? "")
    }

    /// Takes in what stands in the event file behind what is known of it.
    private func readEvents(_ path: String) {
        guard let facts = FileFacts(of: path) else { return }
        // Somebody has put another file there.
        guard eventBytes <= facts.bytes, let file = try? Descriptor.open(path, flags: O_RDONLY) else { return }
        _ = lseek(file.number, off_t(eventBytes), SEEK_SET)
        var line: [UInt8] = []
        /// Bytes of a line that has not come to its end.
        var carried: UInt64 = 0
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case .bytes(let count) = unsafe chunk.withUnsafeMutableBytes({ unsafe file.read(into: $0) }) {
            var rest = chunk[..<count]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                if line.count <= Self.lineLimitBytes { line += rest[..<end] }
                takeLine(line)
                eventBytes += UInt64(end - rest.startIndex + 1) + carried
                carried = 0
                line.removeAll(keepingCapacity: true)
                rest = rest[(end + 1)...]
            }
            if line.count <= Self.lineLimitBytes { line += rest }
            carried += UInt64(rest.count)
        }
    }

    private func takeLine(_ line: [UInt8]) {
        guard case .success(let node) = ConfigParser.parse(SourceText(name: "events", bytes: line)) else { return }
        let facts = LenientObject(node.plain)
        guard let event = facts.text("event"), let at = facts.text("at").flatMap(Timestamp.milliseconds(of:)) else { return }
        let name = facts.text("stage")
        let stage = name.flatMap { name in stages.firstIndex { $0.name == name } }
        if name == nil || stage != nil { take(event, stage: stage, at: at, facts) }
    }
}
