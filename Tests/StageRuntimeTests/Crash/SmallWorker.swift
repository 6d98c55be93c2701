import StageModel
import StageScheduler

@testable import StageRuntime

/// A worker of the small job, as a function from requests to events.
final class SmallWorker {
    let id: WorkerID
    let stage: Int
    private let run: SmallRun
    /// Records read, or numbered, or written: what its checkpoint says.
    private var position = 0

    init(_ id: WorkerID, stage: Int, _ run: SmallRun) {
        self.id = id
        self.stage = stage
        self.run = run
    }

    func open(_ checkpoint: CheckpointPayload?) {
        position = checkpoint.map { Int($0.bytes[0]) } ?? 0
        guard stage == 4 else { return }
        if position > run.sink.rows.count {
            run.complain("P2: the sink is opened at \(position), but has \(run.sink.rows.count) rows")
        }
        run.sink.rows.removeLast(max(0, run.sink.rows.count - position))
    }

    func answer(_ dispatch: DispatchID, _ request: Request) -> [Event] {
        switch request {
        case .read(_, let count, _, let first, _): return [read(dispatch, Int(count), first)]
        case .process(let batch, let input, let count, let ranges, _, let replay, let wanted):
            guard let records = SmallBlock.decoded(input, count: count) else {
                run.complain("stage \(stage) is given blocks for batch \(batch) that are not \(count) sound records")
                return [.exited(id, Death(cause: .signal(11)))]
            }
            if !replay { run.check(stage, batch, ranges) }
            return process(dispatch, records, ranges, replay, wanted)
        case .sync:
            run.sink.sync()
            return [result(dispatch, .ok, Outcome())]
        case .finish(_, let first):
            var outcome = Outcome()
            let total = RecordCopy(identifier: first, key: Array("total".utf8), value: Array("\(position)".utf8))
            outcome.output = SmallBlock.encoded([(0, total)])
            return [result(dispatch, .ok, outcome)]
        }
    }

    private func result(_ dispatch: DispatchID, _ status: CallStatus, _ outcome: Outcome) -> Event {
        .result(id, dispatch, status, outcome, message: "", retryMilliseconds: 0, busyNanoseconds: 1000)
    }

    private func read(_ dispatch: DispatchID, _ count: Int, _ first: UInt64) -> Event {
        if Int(first) != position, position < SmallJob.records {
            run.complain("the source is asked for records from \(first) on where it stands at \(position)")
        }
        let end = min(position + count, SmallJob.records)
        var outcome = Outcome()
        var records: [(input: UInt32, record: RecordCopy)] = []
        for number in position..<end {
            let key = Array("key \(number)".utf8)
            if number == SmallJob.unreadable {
                outcome.unreadable = [UnreadableRecord(identifier: UInt64(number), key: key, value: [], message: "torn")]
            } else {
                let value = Array("v\(number)".utf8)
                records.append((0, RecordCopy(identifier: UInt64(number), key: key, value: value)))
            }
        }
        let isEnd = position == end
        position = end
        outcome.output = SmallBlock.encoded(records)
        outcome.checkpoint = CheckpointPayload([UInt8(position)])
        return result(dispatch, isEnd ? .end : .ok, outcome)
    }

    private func process(
        _ dispatch: DispatchID, _ records: [RecordCopy], _ ranges: IndexRanges, _ replay: Bool, _ wanted: Bool
    ) -> [Event] {
        // A record at a time is reported by the second stage, but for the last ones.
        var events: [Event] = []
        var outcome = Outcome()
        var output: [(input: UInt32, record: RecordCopy)] = []
        for index in ranges.indexes {
            outcome.covered.insert(index)
            let results = results(of: records[Int(index)], index, &outcome)
            if !results.isEmpty { outcome.passed += 1 }
            if !replay { output += results.map { (index, $0) } }
            if stage == 1, index == ranges.first, ranges.count > 1 {
                outcome.output = SmallBlock.encoded(output)
                events.append(.partial(id, dispatch, outcome))
                outcome = Outcome()
                output = []
            }
        }
        outcome.output = SmallBlock.encoded(output)
        if stage == 3, run.job.isStateful, wanted { outcome.checkpoint = CheckpointPayload([UInt8(position)]) }
        if stage == 4 { outcome.checkpoint = CheckpointPayload([UInt8(run.sink.rows.count)]) }
        return events + [result(dispatch, .ok, outcome)]
    }

    private func results(of record: RecordCopy, _ index: UInt32, _ outcome: inout Outcome) -> [RecordCopy] {
        var record = record
        let number = Int(clamping: record.identifier)
        switch stage {
        case 1:
            if number == SmallJob.rejected, !run.job.isRepaired { fail(index, &outcome) }
            guard number != SmallJob.rejected || run.job.isRepaired, number != SmallJob.filtered else { return [] }
            record.value += Array(" clean".utf8)
            return [record]
        case 2:
            return (0..<(number % 2 + 1)).map { part in
                var copy = record
                copy.value += Array(" part \(part)".utf8)
                return copy
            }
        case 3:
            if number == SmallJob.rejectedLate {
                fail(index, &outcome)
                return []
            }
            if run.job.isStateful {
                position += 1
                record.value += Array(" number \(position)".utf8)
            }
            return [record]
        default:
            run.sink.rows.append(
                "\(record.identifier) \(String(decoding: record.key, as: UTF8.self)): \(String(decoding: record.value, as: UTF8.self))")
            return []
        }
    }

    private func fail(_ index: UInt32, _ outcome: inout Outcome) {
        outcome.failures.append(RecordFailure(input: index, kind: .permanent, message: "not this one"))
    }
}
