import Foundation
import StageConfig
import StageModel
import StageReport
import StageScheduler
import Testing

@Test func `a histogram keeps what it was told, and says about how long things took`() {
    var histogram = Histogram()
    #expect(histogram.quantile(0.5) == nil)
    for _ in 0..<90 { histogram.add(1_500_000) }
    histogram.add(40_000_000, times: 10)
    histogram.add(.max)
    #expect(histogram.count == 101 && histogram.counts.reduce(0, +) == 101)
    let median = histogram.quantile(0.5) ?? 0
    #expect(median > 0.001 && median <= 0.002)
    #expect(histogram.quantile(0.95).map { $0 > 0.02 && $0 <= 0.05 } == true)
    // Through a file and back.
    let copy = Histogram(LenientObject(histogram.json))
    #expect(copy.counts == histogram.counts && copy.count == histogram.count)
}

private func status(done: UInt64) -> JobStatus {
    let policy = JobPolicy(stages: [StagePolicy(name: "read", kind: .source), StagePolicy(name: "write", kind: .sink)])
    var status = Scheduler(policy: policy).status
    for index in status.stages.indices {
        status.stages[index].counts = Counts(inputs: done, passed: done, filtered: 0, failed: 0, outputs: done)
        status.stages[index].residentBytes = 1_000 + done
        status.stages[index].committedThrough = done
    }
    status.read = done
    return status
}

@Test func `a history has a bound, however long a job runs`() {
    let history = JobHistory(stages: ["read", "write"])
    history.take("job_started", stage: nil, at: 0, LenientObject(nil))
    for second in 1...100_000 { history.note(status(done: UInt64(second)), at: Int64(second) * 1_000, isLast: false) }
    for death in 1...2_000 {
        history.take("worker_crashed", stage: 1, at: Int64(death), LenientObject(.object([.init("cause", .string("crash"))])))
    }
    #expect((250...600).contains(history.samples.count))
    #expect(history.samples.first?.at == 1_000 && (history.samples.last?.at ?? 0) > 99_000_000)
    #expect(history.incidents.count == 500 && history.incidentsDropped == 1_501)
    #expect(history.stages[1].deaths == ["crash": 2_000])
    #expect(history.json.json().utf8.count < 200_000)
}

@Test func `a history goes on where the last host's ended, with the events that came after it`() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("stage-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (path, events) = (folder.path + "/history.json", folder.path + "/events.jsonl")
    let first = JobHistory.read(path, events: events, stages: ["read", "write"])
    let file = EventFile(path: events, stages: ["read", "write"], pace: .records(1), records: .failures, history: first)
    file.write("job_started")
    file.write("worker_crashed", stage: 1, [.init("cause", .string("timeout")), .init("message", .string("slow"))])
    first.called(stage: 1, 2_000_000)
    first.note(status(done: 5), at: 10, isLast: false)
    file.flush()
    first.eventBytes = file.bytes
    first.write(to: path)
    // Then another death, half a line, and the end.
    file.write("worker_crashed", stage: 1, [.init("cause", .string("crash")), .init("message", .string("\(String(repeating: "x", count: 90_000))"))])
    file.flush()
    let handle = try #require(FileHandle(forWritingAtPath: events))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("{\"at\":\"2026".utf8))
    try handle.close()

    let second = JobHistory.read(path, events: events, stages: ["read", "write"])
    #expect(second.stages[1].deaths == ["timeout": 1, "crash": 1])
    #expect(second.stages[1].calls.count == 1 && second.samples.count == 1 && second.runs.count == 1)
    // It begins a line of its own, and nothing is counted twice.
    let next = EventFile(path: events, stages: ["read", "write"], pace: .records(1), records: .failures, history: second)
    next.write("job_resumed")
    next.flush()
    let text = String(decoding: FileManager.default.contents(atPath: events) ?? Data(), as: UTF8.self)
    #expect(text.split(separator: "\n").last?.contains("job_resumed") == true)
    second.eventBytes = next.bytes
    second.write(to: path)
    let third = JobHistory.read(path, events: events, stages: ["read", "write"])
    #expect(third.stages[1].deaths == ["timeout": 1, "crash": 1] && third.runs.count == 2)
    // That of another pipeline is none of ours.
    #expect(JobHistory.read(path, events: "", stages: ["read", "other"]).runs.isEmpty)
}

@Test func `times of events are read back`() {
    #expect(Timestamp.milliseconds(of: "2026-01-31T12:34:56.789Z") == 1_769_862_896_789)
    #expect(Timestamp.text(milliseconds: 1_769_862_896_789) == "2026-01-31T12:34:56.789Z")
    #expect(Timestamp.milliseconds(of: "yesterday") == nil && Timestamp.milliseconds(of: "2026-01-31T12:34:56.78xZ") == nil)
}

@Test func `labels of metrics hold any name`() {
    let history = JobHistory(stages: ["read", "write"])
    history.took(stage: 0, 1_000, records: 3)
    let text = MetricsText.of(.object([.init("job", .string("a\"b\\c\nd\u{1B}")), .init("state", .string("paused"))]), history)
    #expect(text.contains("stagehost_job_state{job=\"a\\\"b\\\\c\\nd\",state=\"paused\"} 1\n"))
    #expect(text.contains("stagehost_stage_record_duration_seconds_bucket{job=\"a\\\"b\\\\c\\nd\",stage=\"read\",le=\"+Inf\"} 3\n"))
    #expect(!text.contains("# EOF"))
    let open = MetricsText.of(.object([.init("job", .string("j"))]), history, isOpenMetrics: true)
    #expect(open.contains("# TYPE stagehost_records_read counter\nstagehost_records_read_total{job=\"j\"} 0\n") && open.hasSuffix("# EOF\n"))
}
