import Glibc
import LinuxIO
import StageModel
import StageScheduler
import StageWire

/// A worker's process with its pipes, its page, and what is on its way to and from it.
final class WorkerProcess {
    /// The descriptors of a worker, as the poller's tokens name them.
    enum Channel: UInt64 {
        case process = 0
        case requests = 1
        case answers = 2
        case text = 3
    }

    let id: WorkerID
    let stage: Int
    let index: Int
    /// The number of the build of the plugin that it runs.
    let build: Int
    let child: ChildProcess
    let page: Page
    let requests: Descriptor
    let answers: Descriptor
    let text: Descriptor
    let sender = FrameSender()
    let receiver = FrameReceiver()
    var reader = AnswerReader()
    var tail = TextTail()
    /// The poller watches `requests` only while the pipe is full.
    var isWaitingToWrite = false
    var answersAreClosed = false
    var textIsClosed = false
    /// When the answers were closed while the process seemed to live.
    var closedAt: UInt64?
    var isClosing = false
    private let payloads: PayloadMemory?
    /// SIGKILL follows at this time: it was asked to show where it is, and to end, before.
    var killDue: UInt64?
    /// SIGKILL, if it dies of that, came from here.
    var isKilled = false
    /// Partial frames by slot, as they came.
    var partialsReceived: [Int: UInt32] = [:]

    /// Starts the process. Its pipes hold a megabyte where the system allows it: a whole batch in one go.
    init(
        id: WorkerID, stage: Int, index: Int, build: Int, program: String, plugin: String, pagePath: String, slots: Int,
        folder: String, environment: [String], payloads: PayloadMemory?
    ) throws(SystemError) {
        self.id = id
        self.stage = stage
        self.index = index
        self.build = build
        self.payloads = payloads
        page = try Page(path: pagePath, slots: slots, sharesMemory: payloads != nil)
        let down = try PipeEnds.make(size: 1 << 20)
        let up = try PipeEnds.make(size: 1 << 20)
        let words = try PipeEnds.make()
        var descriptors = [down.read.number, up.write.number, words.write.number, page.descriptor]
        if let memory = payloads?.memory { descriptors += [memory.reading.number, memory.writing.number] }
        child = try ChildProcess.spawn(
            program, arguments: [plugin], environment: environment, descriptors: descriptors, directory: folder)
        requests = down.takeWrite()
        answers = up.takeRead()
        text = words.takeRead()
        requests.makeNonblocking()
        answers.makeNonblocking()
        text.makeNonblocking()
    }

    func token(_ channel: Channel) -> UInt64 { id.number << 2 | channel.rawValue }

    /// Asks something; the answer is checked against it.
    ///
    /// - Parameters:
    ///   - follows: A `process` request is begun only if the one before it ends well.
    ///   - room: Where the blocks of the answer may be put.
    func ask(_ dispatch: DispatchID, _ request: Request, follows: Bool = false, room: Room? = nil) {
        var items = ItemWriter()
        if let room { items.append(.room, room.place) }
        switch request {
        case .read(let batch, let count, let bytes, let firstIdentifier, _):
            var header = FrameHeader(.read)
            header.batch = batch
            header.dispatch = dispatch
            header.argument = bytes
            header.secondArgument = firstIdentifier
            header.count = count
            reader.questions[dispatch] = Question(
                kind: .read, remaining: IndexRanges(), maximumRecords: UInt64(count), room: room)
            sender.add(header, extra: items.bytes)
        case .process(let batch, let input, let inputCount, let ranges, let attempt, let replay, let checkpointWanted):
            var header = FrameHeader(.process)
            header.batch = batch
            header.dispatch = dispatch
            header.count = inputCount
            header.status = attempt
            if replay { header.flags |= FrameHeader.replay }
            if checkpointWanted { header.flags |= FrameHeader.checkpointWanted }
            if follows { header.flags |= FrameHeader.follows }
            if ranges.count != Int(inputCount) { items.append(ranges) }
            for (input, bytes) in inheritedResumes where ranges.contains(input) {
                items.append(ResumeItem(input: input, bytes: bytes))
            }
            reader.questions[dispatch] = Question(
                kind: .process, batch: batch, remaining: ranges, maximumRecords: UInt64(WireLimits.maximumBlocksBytes),
                room: room, follows: follows)
            var blocks: [BlockPayload] = []
            for case let payload as BlockPayload in input {
                // The scheduler refers to the payload until the answer is there, or the worker has ended.
                if let place = payload.place { items.append(.place, place) } else { blocks.append(payload) }
            }
            sender.add(header, blocks: blocks, extra: items.bytes)
        case .sync:
            var header = FrameHeader(.sync)
            header.dispatch = dispatch
            reader.questions[dispatch] = Question(kind: .sync, remaining: IndexRanges(), maximumRecords: 0)
            sender.add(header)
        case .finish(let batch, let firstIdentifier):
            var header = FrameHeader(.finish)
            header.batch = batch
            header.dispatch = dispatch
            header.secondArgument = firstIdentifier
            reader.questions[dispatch] = Question(
                kind: .finish, remaining: IndexRanges(), maximumRecords: UInt64(WireLimits.maximumBlocksBytes), room: room)
            sender.add(header, extra: items.bytes)
        }
    }

    /// Bytes that earlier attempts at the records of the next request have left; set before `ask`.
    var inheritedResumes: [UInt32: [UInt8]] = [:]

    func open(stageName: String, configuration: String, checkpoint: CheckpointPayload?, parameters: OpenParameters) {
        var items = ItemWriter()
        items.append(.stageName, text: stageName)
        items.append(.configuration, text: configuration)
        items.append(parameters)
        if let checkpoint { items.append(.checkpoint, checkpoint.bytes) }
        sender.add(FrameHeader(.open), extra: items.bytes)
    }

    func close() {
        isClosing = true
        sender.add(FrameHeader(.close))
    }

    /// Reads what the worker has printed, a bounded amount at a time.
    ///
    /// - Returns: False when there is no more for now.
    func readText(into file: StageTextFile) -> Bool {
        guard !textIsClosed else { return false }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        switch unsafe chunk.withUnsafeMutableBytes({ unsafe text.read(into: $0) }) {
        case .bytes(let count):
            file.append(chunk[0..<count])
            tail.append(chunk[0..<count])
            return true
        case .wouldBlock: return false
        case .closed, .failed:
            textIsClosed = true
            return false
        }
    }

    /// Resident memory in bytes, without what it shares with the host and all other workers: that is the host's, and must not
    /// count against a worker's limit. It has that mapped twice, and the system counts it twice. nil when it has ended.
    var residentBytes: UInt64? {
        ProcessMemory(of: child.pid).map {
            $0.residentBytes - min($0.residentBytes, $0.sharedBytes, UInt64(payloads?.memory.size ?? 0) * 2)
        }
    }

    /// SIGKILL to the whole group.
    func kill() {
        isKilled = true
        child.killGroup()
    }

    /// SIGABRT, so that the worker says where it is and leaves a core if it may; `kill` is due if it does not end.
    ///
    /// A stopped process hears nothing, and is woken up for it, with the signal waiting for it, so that it does not go on in between.
    func abort(killAfter nanoseconds: UInt64) {
        isKilled = true
        killDue = monotonicNanoseconds() + nanoseconds
        child.signal(SIGABRT)
        child.signal(SIGCONT)
    }

    /// Everything known of the worker's end. After `reap`.
    ///
    /// - Parameter isOutOfMemory: Whether the kernel has killed somebody for want of memory.
    func death(_ status: ExitStatus, isOutOfMemory: () -> Bool) -> Death {
        var cause: DeathCause
        var remarks: [String] = []
        let report = page.crashReport()
        switch status {
        case .exited(let code): cause = .exit(code)
        case .signaled(let signal, let dumpedCore):
            cause = .signal(page.crashSignal() ?? signal)
            if signal == SIGKILL, !isKilled, isOutOfMemory() {
                cause = .memory
                remarks.append("killed by the kernel, which was out of memory")
            }
            if dumpedCore { remarks.append("core dumped: /proc/sys/kernel/core_pattern says where to") }
        }
        if case .signal = cause, killDue == nil, page.crashFollowedFailedAllocation {
            cause = .memory
            remarks.append("an allocation had failed before: no memory, or more than the limit of the stage allows")
        }
        if killDue != nil, report != nil { remarks.insert("the host sent SIGABRT to see where it hangs:", at: 0) }
        let words = tail.text(without: report == nil ? nil : "stagehost-worker: SIG")
        if killDue == nil { remarks = [report].compactMap { $0 } + remarks } else { remarks += [report].compactMap { $0 } }
        if !words.isEmpty { remarks.append("stderr:\n" + words) }
        return Death(cause: cause, breadcrumbs: page.breadcrumbs(), evidence: remarks.joined(separator: "\n"))
    }
}
