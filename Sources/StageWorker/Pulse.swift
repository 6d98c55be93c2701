import CStage
import CWorker
import Glibc
import StageWire

/// Signs of life of one call: how often they leave, and the resume bytes that wait for the next time.
@safe struct Pulse {
    static let interval: UInt64 = 100_000_000
    static let resumeInterval: UInt64 = 20_000_000

    var last: UInt64 = 0
    var lastResume: UInt64 = 0
    var done: UInt64 = 0
    var total: UInt64 = 0
    /// By index in the batch.
    var waiting: [UInt32: [UInt8]] = [:]
    private var lent: [UInt32: stage_bytes] = unsafe [:]

    mutating func begin() {
        done = 0
        total = 0
        if !waiting.isEmpty { waiting = [:] }
        if unsafe !lent.isEmpty {
            for unsafe bytes in unsafe lent.values { unsafe free(UnsafeMutableRawPointer(mutating: bytes.data)) }
            unsafe lent = unsafe [:]
        }
    }

    /// Resume bytes for the plugin, valid until the call ends.
    mutating func lend(_ index: UInt32, _ bytes: [UInt8]) -> stage_bytes {
        if let known = unsafe lent[index] { return unsafe known }
        guard let copy = unsafe malloc(max(bytes.count, 1)) else { return unsafe stage_bytes(data: nil, size: 0) }
        unsafe bytes.withUnsafeBytes { if let source = $0.baseAddress { unsafe memcpy(copy, source, $0.count) } }
        let result = unsafe stage_bytes(data: copy, size: bytes.count)
        unsafe lent[index] = unsafe result
        return unsafe result
    }
}

// All but the first run under the output's lock, which keeps a heartbeat from following the result of its call.
extension Output {
    /// A sign of life without a record: from `stage_host`.
    func beatIfOpen() {
        guard lock.take() else { return }
        if unsafe isOpen { beat(input: WireLimits.noInput) }
        lock.release()
    }

    private func beat(input: UInt32) {
        let now = cworker_now()
        guard unsafe now - pulse.last >= Pulse.interval else { return }
        unsafe pulse.last = now
        sendHeartbeat(input: input, resume: nil)
    }

    func progress(_ input: UInt32, _ done: UInt64, _ total: UInt64) -> Int32 {
        guard let index = heartbeatIndex(input) else { return Code.index }
        unsafe pulse.done = done
        unsafe pulse.total = total
        beat(input: index)
        return Code.ok
    }

    func heartbeat(_ input: UInt32, resume: stage_bytes) -> Int32 {
        guard let index = heartbeatIndex(input) else { return Code.index }
        guard unsafe resume.data != nil, unsafe resume.size > 0 else {
            beat(input: index)
            return Code.ok
        }
        guard index != WireLimits.noInput else { return Code.index }
        guard unsafe resume.size <= WireLimits.maximumResumeBytes else { return Code.tooLarge }
        guard unsafe states[Output.place(index)] & RecordState.done == 0 else { return Code.state }
        unsafe pulse.waiting[index] = unsafe [UInt8](resume.buffer)
        if unsafe cworker_now() - pulse.lastResume >= Pulse.resumeInterval { sendWaitingResumes() }
        return Code.ok
    }

    /// Sends the resume bytes that wait. Of records that have left nobody will ask again.
    func sendWaitingResumes() {
        guard unsafe !pulse.waiting.isEmpty else { return }
        let now = cworker_now()
        unsafe pulse.last = now
        unsafe pulse.lastResume = now
        for (index, bytes) in unsafe pulse.waiting.sorted(by: { $0.key < $1.key }) {
            let state = unsafe states[Output.place(index)]
            guard state & RecordState.done == 0 || state & RecordState.transient != 0 else { continue }
            sendHeartbeat(input: index, resume: bytes)
        }
        unsafe pulse.waiting = [:]
    }

    private func heartbeatIndex(_ input: UInt32) -> UInt32? {
        input == WireLimits.noInput ? input : batchIndex(input)
    }

    private func sendHeartbeat(input: UInt32, resume: [UInt8]?) {
        var header = FrameHeader(.heartbeat)
        header.batch = unsafe call.request.batch
        header.dispatch = unsafe call.request.dispatch
        header.argument = unsafe pulse.done
        header.secondArgument = unsafe pulse.total
        header.count = input
        var items = ItemWriter()
        if let resume { items.append(ResumeItem(input: input, bytes: resume)) }
        writer.send(header, items: items.bytes)
    }
}
