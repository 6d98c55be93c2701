import StageModel
package import StageScheduler

/// What has been seen of a job over all its hosts, as far as no log has it: how long calls took, deaths, what happened when, and
/// how far the job was at which time. Its size is bounded, however long the job runs.
///
/// It is kept in a file beside the events (`history.json`), written every few seconds. What a killed host could not write there
/// any more is read from the events that came after. Nothing depends on it but reports and metrics.
///
/// One thread.
package final class JobHistory {
    package struct Stage: Sendable {
        package var name: String
        /// Of calls into the plugin, and of single records.
        package var calls = Histogram()
        package var records = Histogram()
        /// Deaths of workers by their category.
        package var deaths: [String: UInt64] = [:]
        package var peakResidentBytes: UInt64 = 0

        init(name: String) { self.name = name }
    }

    /// One host of the job, from its beginning to its end. Times are milliseconds since 1970.
    package struct Run: Sendable {
        package var started: Int64
        /// The last sign of it.
        package var seen: Int64
        /// nil: it did not come to say; it was killed, or it still runs.
        package var state: String?
        package var message: String?
        /// Records of each stage that had their outcome before, and did not run again.
        package var recovered: [UInt64]
    }

    package struct Incident: Sendable {
        package var at: Int64
        package var event: String
        package var stage: Int?
        package var text: String
    }

    /// How far the job was at a time.
    package struct Sample: Sendable {
        package var at: Int64
        package var done: UInt64
        package var inputs: [UInt64]
        package var residentBytes: [UInt64]
    }

    static let mostSamples = 600
    static let mostIncidents = 500
    static let mostRuns = 200
    private static let firstSampleEvery: Int64 = 200

    package private(set) var stages: [Stage]
    package var runs: [Run] = []
    package var incidents: [Incident] = []
    /// Incidents and runs that were forgotten to make room.
    package var incidentsDropped: UInt64 = 0
    package var runsDropped: UInt64 = 0
    package private(set) var samples: [Sample] = []
    var sampleEvery = firstSampleEvery
    /// So much of the event file is in here.
    package var eventBytes: UInt64 = 0

    package init(stages: [String]) { self.stages = stages.map(Stage.init) }

    /// Put together from what was stored.
    init(stages: [Stage], samples: [Sample]) {
        self.stages = stages
        self.samples = samples
    }

    // MARK: - A host at work

    package func called(stage: Int, _ nanoseconds: UInt64) { stages[stage].calls.add(nanoseconds) }

    package func took(stage: Int, _ nanosecondsEach: UInt64, records: UInt64) {
        stages[stage].records.add(nanosecondsEach, times: records)
    }

    /// Whether `note` would keep a sample now.
    package func isSampleDue(at now: Int64) -> Bool { samples.last.map { now - $0.at >= sampleEvery } ?? true }

    /// Takes the status of a moment.
    package func note(_ status: JobStatus, at now: Int64, isLast: Bool) {
        for (index, stage) in status.stages.enumerated() where stages.indices.contains(index) {
            stages[index].peakResidentBytes = max(stages[index].peakResidentBytes, stage.residentBytes)
        }
        if !runs.isEmpty { runs[runs.count - 1].seen = now }
        guard isLast || isSampleDue(at: now) else { return }
        samples.append(
            Sample(
                at: now, done: status.recordsDone, inputs: status.stages.map(\.counts.inputs),
                residentBytes: status.stages.map(\.residentBytes)))
        if samples.count > Self.mostSamples { thin() }
    }

    /// Keeps every second sample, and the last.
    private func thin() {
        sampleEvery *= 2
        let last = samples.count - 1
        samples = samples.indices.filter { $0.isMultiple(of: 2) || $0 == last }.map { samples[$0] }
    }

    // MARK: - Events

    /// Takes an event: as it is written, or one that a killed host wrote after it had last written its history.
    package func take(_ event: String, stage: Int?, at: Int64, _ facts: LenientObject) {
        switch event {
        case "job_started", "job_resumed":
            runs.append(Run(started: at, seen: at, recovered: stages.map { _ in 0 }))
            if runs.count > Self.mostRuns {
                runs.removeFirst()
                runsDropped += 1
            }
        case "checkpoint_recovered":
            if let stage, !runs.isEmpty { runs[runs.count - 1].recovered[stage] = facts.count("records") }
        case "job_finished":
            guard !runs.isEmpty else { break }
            runs[runs.count - 1].state = facts.text("state")
            runs[runs.count - 1].message = facts.text("message")
        case "worker_crashed":
            if let stage { stages[stage].deaths[facts.text("cause") ?? "crash", default: 0] += 1 }
        default: break
        }
        if !runs.isEmpty { runs[runs.count - 1].seen = max(runs[runs.count - 1].seen, at) }
        guard let text = Self.words(event, facts) else { return }
        incidents.append(Incident(at: at, event: event, stage: stage, text: PrintableText.line(text, limit: 300)))
        if incidents.count > Self.mostIncidents {
            incidents.removeFirst()
            incidentsDropped += 1
        }
    }

    /// What there is to say of an event in the history of a job; nil: nothing, there are too many of its kind.
    package static func words(_ event: String, _ facts: LenientObject) -> String? {
        let message = facts.text("message") ?? facts.text("reason") ?? ""
        func place() -> String { "record \(facts.count("index")) of batch \(facts.count("batch"))" }
        switch event {
        case "job_started": return "the job began"
        case "job_resumed": return "the job went on"
        case "host_died": return "the host before this one was killed"
        case "job_finished":
            let state = facts.text("state") ?? "over"
            return message.isEmpty ? state : "\(state): \(message)"
        case "worker_crashed": return facts.optionalCount("batch").map { "\(message), in batch \($0)" } ?? message
        case "poison_found": return "\(place()) set aside: \(message)"
        case "worker_restarted": return "worker \(facts.count("worker")) took over"
        case "plugin_swapped": return "a new build of its plugin serves"
        case "stage_restarted": return "new workers serve"
        case "swap_rolled_back": return "the old build stays: \(message)"
        case "stage_gave_up", "worker_refused", "paused": return message
        case "resumed": return "going on"
        case "draining": return message
        case "unexplained_death": return "batch \(facts.count("batch")) went through after a death that did not repeat"
        default: return nil
        }
    }
}
