import CStage
import CWorker
import StageModel
import StageWire
import Synchronization

/// What one thread of the worker needs to serve requests: its payload, its input, its output. Reused.
@safe final class Slot: @unchecked Sendable {
    let plugin: PluginTable
    let output: Output
    var payload = GrowingBytes()
    private var input = InputBatch()
    private let payloads: PayloadMemory?
    /// Where the blocks of the answer to a request without a batch may be put.
    private var room: UnsafeMutableRawBufferPointer?

    /// What the functions of a plugin may return.
    static let afterProcess: Set<CallStatus> = [.ok, .retry, .reject, .fatal]
    static let afterRead: Set<CallStatus> = [.ok, .end, .idle, .retry, .fatal]
    static let afterSync: Set<CallStatus> = [.ok, .retry, .fatal]

    private static let keptBytes = 16 << 20

    init(index: Int, plugin: PluginTable, page: Page, writer: FrameWriter, payloads: PayloadMemory?) {
        self.plugin = plugin
        self.payloads = payloads
        output = Output(plugin: plugin, page: page.slot(index), slot: index, writer: writer)
    }

    /// Serves a `process` request whose payload has been read.
    func process(_ request: FrameHeader, _ own: UnsafeMutableRawPointer?, _ flusher: Flusher) throws {
        guard let function = unsafe plugin.table.pointee.process else {
            throw Departure.confused("request from the host: a process request for a source")
        }
        unsafe try input.load(request, payload: payload.bytes, payloads)
        var call = Call(.process, request)
        unsafe call.room = input.room.flatMap { unsafe payloads?.room(at: $0) }
        call.count = input.count
        call.batchCount = input.batchCount
        call.first = input.first
        unsafe call.records = unsafe input.recordPointer
        unsafe call.indexes = unsafe input.indexPointer
        let face = unsafe output.begin(call, resumes: input.resumes)
        var batch = unsafe stage_batch(
            struct_size: UInt32(MemoryLayout<stage_batch>.size), count: input.count, sequence: request.batch,
            attempt: request.status, flags: UInt32(request.flags), records: input.recordPointer)
        let start = cworker_now()
        output.activeSince.store(start, ordering: .sequentiallyConsistent)
        flusher.wakeIfAsleep()
        cworker_clear_error()
        let status = unsafe function(own, &batch, face)
        finish(status, allowed: Self.afterProcess, since: start, "process")
        payload.count = 0
        payload.trim(above: Self.keptBytes)
    }

    /// Takes what a request without a batch may bring along: a room.
    func takeRoom(_ request: FrameHeader) throws {
        unsafe room = nil
        guard request.blocksLength == 0 else {
            throw Departure.confused("request from the host: \(request.type) with \(request.blocksLength) bytes of blocks, expected none")
        }
        var reader = unsafe ItemReader(payload.bytes)
        while let item = try reader.next() {
            guard item.type == .room else {
                throw WireError(.item, "\(request.type) frame", found: "a \(item.type) item", expected: "at most a room")
            }
            unsafe room = payloads?.room(at: try item.place(inside: payloads?.size ?? 0))
        }
    }

    /// Serves a request without a batch. `body` calls the plugin; nil: it has no such function, and nothing to do.
    func call(
        _ kind: Call.Kind, _ request: FrameHeader, limit: UInt32, allowed: Set<CallStatus>, _ name: String,
        _ body: ((UnsafePointer<stage_output>) -> stage_status)?
    ) {
        var call = Call(kind, request)
        call.limit = limit
        unsafe call.room = unsafe room
        let face = unsafe output.begin(call)
        let start = cworker_now()
        cworker_clear_error()
        unsafe finish(body?(face) ?? 0, allowed: allowed, since: start, name)
    }

    private func finish(_ status: stage_status, allowed: Set<CallStatus>, since start: UInt64, _ name: String) {
        let nanoseconds = cworker_now() - start
        if let known = CallStatus(rawValue: UInt32(bitPattern: status)), allowed.contains(known) {
            output.finish(known, nanoseconds: nanoseconds)
        } else {
            output.finishWithNonsense("\(name) returned \(status): found no status that it may return, see stage.h", nanoseconds)
        }
    }
}

extension Output {
    /// The plugin does not keep the protocol: the stage cannot go on with it.
    fileprivate func finishWithNonsense(_ words: String, _ nanoseconds: UInt64) {
        if lock.take() {
            unsafe explanation = words
            lock.release()
        }
        finish(.fatal, nanoseconds: nanoseconds)
    }
}
