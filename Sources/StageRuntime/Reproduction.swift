import Glibc
package import LinuxIO
import StageModel
import StageScheduler
import StageWire

/// One record and one plugin, as files that a worker can be run on without a host: what the host would have written into
/// its pipe, and the page. `docs/failures.md` says how to use them.
package struct Reproduction {
    package var stage: String
    /// The `with` object as JSON text.
    package var configuration: String
    package var checkpoint: [UInt8]?
    package var threads: Int
    package var batch: UInt64
    package var record: RecordCopy

    package init(stage: String, configuration: String, checkpoint: [UInt8]?, threads: Int, batch: UInt64, record: RecordCopy) {
        self.stage = stage
        self.configuration = configuration
        self.checkpoint = checkpoint
        self.threads = threads
        self.batch = batch
        self.record = record
    }

    private static let dispatch: DispatchID = 1

    /// An `open` and a `process` with the record alone. At their end the worker closes the plugin and leaves.
    package var requests: [UInt8] {
        var items = ItemWriter()
        items.append(.stageName, text: stage)
        items.append(.configuration, text: configuration)
        var parameters = OpenParameters()
        parameters.workerCount = 1
        parameters.threads = UInt32(threads)
        items.append(parameters)
        if let checkpoint { items.append(.checkpoint, checkpoint) }
        var process = FrameHeader(.process)
        process.batch = batch
        process.dispatch = Self.dispatch
        process.count = 1
        process.status = 1
        return frame(FrameHeader(.open), blocks: [], extra: items.bytes) + frame(process, blocks: record.block(), extra: [])
    }

    private func frame(_ header: FrameHeader, blocks: [UInt8], extra: [UInt8]) -> [UInt8] {
        var header = header
        header.blocksLength = UInt32(blocks.count)
        header.extraLength = UInt32(extra.count)
        header.extraChecksum = checksum(of: extra)
        var bytes = [UInt8](repeating: 0, count: WireLimits.frameHeaderBytes)
        unsafe bytes.withUnsafeMutableBytes { unsafe header.encode(into: $0) }
        return bytes + blocks + extra
    }

    /// Makes the page of such a worker. It has no host that acknowledges anything.
    package func makePage(at path: String) throws(SystemError) {
        _ = try Page(path: path, slots: threads, acknowledges: false)
    }

    /// What a worker answered.
    package enum Answer: Equatable, Sendable {
        /// Nothing that tells of the record: it died before, or went away.
        case none
        /// The plugin, or its `open`, would not.
        case refused(String)
        case passed([RecordCopy])
        case filtered
        case failed(isTransient: Bool, message: String)
        /// The call ended with another status than ok.
        case status(String, message: String)
        case garbage(String)
    }

    /// Reads the answers that a worker has left in a file.
    package static func answer(in path: String) throws(SystemError) -> Answer {
        let file = try Descriptor.open(path, flags: O_RDONLY)
        let receiver = FrameReceiver()
        var reader = AnswerReader()
        reader.questions[dispatch] = Question(
            kind: .process, remaining: IndexRanges(count: 1), maximumRecords: UInt64(WireLimits.maximumBlocksBytes))
        var outcomes: [Outcome] = []
        while true {
            switch receiver.next(from: file) {
            case .frame(let frame):
                do throws(WireError) {
                    switch try reader.event(from: frame, of: WorkerID(1)) {
                    case .refused(_, _, let message): return .refused(message)
                    case .partial(_, _, let outcome): outcomes.append(outcome)
                    case .result(_, _, let status, let outcome, let message, _, _):
                        outcomes.append(outcome)
                        return verdict(outcomes, status, message)
                    default: break
                    }
                } catch {
                    return .garbage("\(error)")
                }
            case .invalid(let error): return .garbage("\(error)")
            case .failed(let error): throw error
            case .drained: return .none
            case .closed: return .none
            }
        }
    }

    private static func verdict(_ outcomes: [Outcome], _ status: CallStatus, _ message: String) -> Answer {
        if let failure = outcomes.flatMap(\.failures).first {
            return .failed(isTransient: failure.kind == .transient, message: failure.message)
        }
        switch status {
        case .ok, .end, .idle: break
        case .retry: return .status("retry", message: message)
        case .reject: return .status("reject", message: message)
        case .fatal: return .status("fatal", message: message)
        }
        let blocks = outcomes.compactMap { $0.output as? BlockPayload }
        let count = blocks.reduce(UInt64(0)) { $0 + $1.recordCount }
        let records = (0..<min(count, 100)).compactMap { RecordCopy(input: UInt32($0), of: blocks) }
        return count == 0 ? .filtered : .passed(records)
    }
}
