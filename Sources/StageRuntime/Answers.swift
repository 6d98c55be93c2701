package import StageConfig
import StageModel
package import StageScheduler
import StageWire

/// What a worker was asked and has not answered in full.
struct Question {
    enum Kind { case read, process, sync, finish }

    var kind: Kind
    var batch: UInt64 = 0
    /// Records without an outcome; empty unless `process`.
    var remaining: IndexRanges
    /// Records that the answer may hold.
    var maximumRecords: UInt64
    /// Where the answer's blocks may be put instead of into the frame.
    var room: Room?
    /// It stood behind another one, and may come back without having been begun.
    var follows = false
}

/// What a worker has said of its plugin.
package struct PluginIdentity: Sendable, Equatable {
    package var identifier = ""
    package var version = ""
    package var facts: PluginFacts?
    /// What the pipeline file is checked against.
    package var description: PluginDescription?
}

/// Turns frames of one worker into events, checking each against what was asked: what breaks the rules becomes an error,
/// never an event.
struct AnswerReader {
    var questions: [DispatchID: Question] = [:]
    var identity = PluginIdentity()
    /// Somebody wants to know which records something was emitted for.
    var tellsEmitted = false
    /// Bytes for the next attempt at a record, from heartbeats.
    var resumes: [DispatchID: [UInt32: [UInt8]]] = [:]
    /// Bytes of the blocks of the last result.
    private(set) var blocksBytes = 0

    /// - Returns: nil for frames that need no event.
    mutating func event(from frame: consuming ReceivedFrame, of worker: WorkerID) throws(WireError) -> Event? {
        let header = frame.header
        unsafe try header.checkExtra(frame.extra)
        switch header.type {
        case .hello: return .loaded(worker, unsafe try hello(frame.extra))
        case .ready: return .ready(worker)
        case .refused:
            return .refused(worker, fatal: header.status != CallStatus.retry.rawValue, message: unsafe try message(frame.extra))
        case .heartbeat:
            // Without a question it belongs to an `open` that takes long.
            guard questions[header.dispatch] != nil else { return .heartbeat(worker, header.dispatch) }
            var reader = unsafe ItemReader(frame.extra)
            while let item = try reader.next() {
                guard item.type == .resume else { continue }
                let resume = try item.resume()
                resumes[header.dispatch, default: [:]][resume.input] = resume.bytes
            }
            return .heartbeat(worker, header.dispatch)
        case .partial, .result:
            return try answer(frame, worker)
        case .open, .read, .process, .sync, .finish, .close: return nil
        }
    }

    /// A longer schema is none that anybody reads.
    private static let schemaLimitBytes = 4 << 20

    private mutating func hello(_ extra: UnsafeRawBufferPointer) throws(WireError) -> PluginFacts {
        var reader = unsafe ItemReader(extra)
        var words = ""
        var schema: String?
        var table: PluginTableItem?
        while let item = try reader.next() {
            switch item.type {
            case .pluginIdentifier: identity.identifier = item.text
            case .pluginVersion: identity.version = item.text
            case .pluginDescription: words = item.text
            case .pluginSchema:
                guard unsafe item.content.count <= Self.schemaLimitBytes else {
                    throw WireError(
                        .length, "schema of the plugin", found: unsafe "\(item.content.count) bytes",
                        expected: "at most \(Self.schemaLimitBytes)")
                }
                schema = item.text
            case .pluginTable: table = try item.pluginTable()
            default: break
            }
        }
        guard let table else {
            throw WireError(.item, "hello frame", found: "no plugin table", expected: "one")
        }
        let facts = PluginFacts(
            identifier: identity.identifier, kind: table.kind, flags: table.flags, functions: table.functions,
            maximumWorkers: Int(min(table.maximumWorkers, 1_024)))
        identity.facts = facts
        let kinds: [StageKind: PluginDescription.Kind] = [.source: .source, .transform: .transform, .sink: .sink]
        identity.description = PluginDescription(
            kind: kinds[facts.kind] ?? .transform, id: identity.identifier, version: identity.version, description: words,
            flags: PluginDescription.Flags(rawValue: facts.flags.rawValue), maxWorkers: facts.maximumWorkers,
            configSchema: schema)
        return facts
    }

    private func message(_ extra: UnsafeRawBufferPointer) throws(WireError) -> String {
        var reader = unsafe ItemReader(extra)
        var text = ""
        while let item = try reader.next() {
            if item.type == .message { text = item.text }
        }
        return text
    }

    private mutating func answer(_ frame: consuming ReceivedFrame, _ worker: WorkerID) throws(WireError) -> Event {
        let header = frame.header
        guard var question = questions[header.dispatch] else {
            throw WireError(.range, "\(header.type) frame", found: "dispatch \(header.dispatch)", expected: "one that was asked")
        }
        let isPartial = header.type == .partial
        if header.flags & FrameHeader.notBegun != 0 {
            guard !isPartial, question.follows, header.blocksLength == 0, header.extraLength == 0 else {
                throw WireError(.type, "\(header.type) frame", found: "not begun", expected: "an outcome")
            }
            questions[header.dispatch] = nil
            return .notBegun(worker, header.dispatch)
        }
        guard !isPartial || question.kind == .process else {
            throw WireError(.type, "partial frame", found: "an answer to a \(question.kind)", expected: "to a process")
        }
        guard let status = CallStatus(rawValue: isPartial ? 0 : header.status) else {
            throw WireError(.status, "result frame", found: "status \(header.status)", expected: "0 to 5")
        }
        var items = unsafe try AnswerItems(frame.extra)
        let asked = question.kind == .process ? question.remaining : nil
        if isPartial {
            guard let covered = items.ranges, !covered.isEmpty, question.remaining.isSuperset(of: covered) else {
                throw WireError(.range, "partial frame", found: "\(items.ranges?.ranges ?? [])", expected: "records that were asked for")
            }
            items.outcome.covered = covered
        } else if let asked {
            items.outcome.covered = asked
        }
        let allowed = isPartial ? items.outcome.covered : asked
        var blocks = unsafe frame.blocks
        var place = 0..<0
        if header.isShared {
            guard !isPartial, let room = question.room, Int(header.blocksLength) <= room.size,
                header.secondArgument <= UInt64(room.size - Int(header.blocksLength)), header.secondArgument % 8 == 0
            else {
                throw WireError(
                    .length, "\(header.type) frame, shared blocks", found: "\(header.blocksLength) bytes at \(header.secondArgument)",
                    expected: "a multiple of 8, and at most \(isPartial ? 0 : question.room?.size ?? 0) bytes in all")
            }
            let start = Int(header.secondArgument)
            place = start..<start + Int(header.blocksLength)
            unsafe blocks = room.bytes(place)
        }
        if !isPartial { blocksBytes = Int(header.blocksLength) }
        let summary = unsafe try BlocksSummary(
            validating: blocks, allowed: allowed, maximumRecords: question.maximumRecords)
        // What a read or a finish emits descends from no input.
        items.outcome.passed = asked == nil ? 0 : summary.inputs
        guard items.outcome.unreadable.isEmpty || question.kind == .read else {
            throw WireError(.item, "\(header.type) frame", found: "a source failure", expected: "none outside a read")
        }
        if !items.outcome.failures.isEmpty || status == .retry || status == .reject || status == .fatal, let allowed {
            let emitted = unsafe try inputs(of: blocks)
            var failed = IndexRanges()
            for failure in items.outcome.failures {
                guard allowed.contains(failure.input), !emitted.contains(failure.input), !failed.contains(failure.input) else {
                    throw WireError(
                        .duplicate, "failure item", found: "input \(failure.input)",
                        expected: "a record that was asked for and has no other outcome")
                }
                failed.insert(failure.input)
            }
            // The plugin broke off: only what it spoke of has an outcome.
            if status == .retry || status == .reject || status == .fatal {
                failed.formUnion(emitted)
                items.outcome.covered = failed
            }
        }
        if tellsEmitted, summary.inputs > 0, summary.inputs < UInt64(items.outcome.covered.count) {
            items.outcome.emitted = unsafe try inputs(of: blocks)
        }
        if summary.records > 0 {
            if header.isShared, let room = question.room {
                items.outcome.output = BlockPayload(
                    in: room, place, records: summary.records, checksum: summary.checksum)
            } else {
                items.outcome.output = frame.intoPayload(records: summary.records, checksum: summary.checksum)
            }
        }
        question.remaining.subtract(items.outcome.covered)
        if isPartial {
            questions[header.dispatch] = question
            return .partial(worker, header.dispatch, items.outcome)
        }
        questions[header.dispatch] = nil
        resumes[header.dispatch] = nil
        return .result(
            worker, header.dispatch, status, items.outcome, message: items.message,
            retryMilliseconds: status == .retry ? header.count : 0, busyNanoseconds: header.argument)
    }

    private func inputs(of blocks: UnsafeRawBufferPointer) throws(WireError) -> IndexRanges {
        var result = IndexRanges()
        var start = 0
        var number = 0
        while start < blocks.count {
            let block = unsafe try Block(decodingHeaderOf: blocks, at: start, name: number)
            for index in 0..<Int(block.count) {
                let entry = unsafe TableEntry(
                    loading: blocks, at: start + block.tableOffset + index * WireLimits.tableEntryBytes)
                result.insert(entry.input)
            }
            start += block.length
            number += 1
        }
        return result
    }
}

/// The items of a partial or a result.
private struct AnswerItems {
    var outcome = Outcome()
    var ranges: IndexRanges?
    var message = ""

    init(_ extra: UnsafeRawBufferPointer) throws(WireError) {
        var reader = unsafe ItemReader(extra)
        while let item = try reader.next() {
            switch item.type {
            case .checkpoint: outcome.checkpoint = CheckpointPayload(item.array)
            case .failure: outcome.failures.append(try item.failure())
            case .sourceFailure: outcome.unreadable.append(try item.sourceFailure())
            case .ranges: ranges = try item.ranges()
            case .metric:
                let metric = try item.metric()
                outcome.metrics[metric.name, default: 0] += metric.amount
            case .message: message = item.text
            default:
                throw WireError(.item, "answer", found: "a \(item.type) item", expected: "an item of an answer")
            }
        }
    }
}
