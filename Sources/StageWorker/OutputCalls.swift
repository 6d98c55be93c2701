import CStage
import CWorker
import Glibc
import StageModel
import StageWire

// What the functions of `stage_output` do. Each runs under the output's lock, while the call is on.
extension Output {
    /// Where a record emitted for `input` belongs; a code other than ok when it may not be emitted.
    @inline(__always)
    private func place(_ input: UInt32, keySize: Int, valueSize: Int) -> (code: Int32, index: UInt32, identifier: UInt64) {
        guard keySize <= Int(WireLimits.maximumKeyBytes), valueSize <= Int(WireLimits.maximumValueBytes),
            unsafe emittedBytes + keySize + valueSize <= Int(STAGE_MAX_RESULT_BYTES), unsafe emitted < call.limit
        else { return (Code.tooLarge, 0, 0) }
        if unsafe call.kind == .process {
            guard let index = batchIndex(input), let records = unsafe call.records else { return (Code.index, 0, 0) }
            guard unsafe states[Output.place(index)] & (RecordState.done | RecordState.failed) == 0 else { return (Code.state, 0, 0) }
            return unsafe (Code.ok, index, records[Int(input)].id)
        }
        guard unsafe call.emits else { return (Code.state, 0, 0) }
        guard input == WireLimits.noInput else { return (Code.index, 0, 0) }
        return unsafe (Code.ok, 0, call.request.secondArgument &+ UInt64(emitted))
    }

    /// Counts what is about to be, or has been, appended to the parcel.
    @inline(__always)
    private func count(_ index: UInt32, _ size: Int) {
        unsafe emitted += 1
        unsafe emittedBytes += size
        guard unsafe call.kind == .process else { return }
        unsafe states[Output.place(index)] |= RecordState.hasEntries
        if unsafe index < lastInput { unsafe isInOrder = false } else { unsafe lastInput = index }
    }

    func emit(_ input: UInt32, _ key: stage_bytes, _ value: stage_bytes) -> Int32 {
        let (key, value) = unsafe (key.buffer, value.buffer)
        let (code, index, identifier) = place(input, keySize: key.count, valueSize: value.count)
        guard code == Code.ok else { return code }
        if unsafe !call.isReplay {
            guard unsafe parcel.reserve(key.count + value.count) else { return Code.memory }
            unsafe parcel.append(identifier: identifier, input: index, keySize: key.count, valueSize: value.count)
            unsafe parcel.bytes.append(key.baseAddress, key.count)
            unsafe parcel.bytes.append(value.baseAddress, value.count)
        }
        count(index, key.count + value.count)
        return Code.ok
    }

    /// On success the caller keeps the lock until `commit`.
    func reserve(_ input: UInt32, _ key: stage_bytes, _ size: Int, _ data: UnsafeMutablePointer<UnsafeMutableRawPointer?>) -> Int32 {
        let key = unsafe key.buffer
        guard size >= 0 else { return Code.tooLarge }
        let (code, index, identifier) = place(input, keySize: key.count, valueSize: size)
        guard code == Code.ok else { return code }
        guard unsafe parcel.reserve(key.count + size) else { return Code.memory }
        let isAside = unsafe parcel.bytes.isBorrowed
        if isAside, unsafe !aside.reserve(key.count + size) { return Code.memory }
        guard let target = unsafe isAside ? aside.base : parcel.bytes.base.map({ unsafe $0 + parcel.bytes.count }) else { return Code.memory }
        // The key goes in at once; the count does not move before `commit`, so that a discarded one leaves no trace.
        if let source = key.baseAddress { unsafe memcpy(target, source, key.count) }
        unsafe data.pointee = unsafe target + key.count
        unsafe reservation = Reservation(input: index, identifier: identifier, keySize: key.count, size: size, isAside: isAside)
        return Code.ok
    }

    /// `used`: nil takes the reservation back.
    func commit(_ made: Reservation, used: Int?) -> Int32 {
        unsafe reservation = nil
        guard let used else { return Code.ok }
        guard used <= made.size else { return Code.tooLarge }
        if unsafe !call.isReplay {
            unsafe parcel.append(identifier: made.identifier, input: made.input, keySize: made.keySize, valueSize: used)
            if made.isAside {
                unsafe parcel.bytes.append(aside.base, made.keySize + used)
            } else {
                unsafe parcel.bytes.count += made.keySize + used
            }
        }
        count(made.input, made.keySize + used)
        return Code.ok
    }

    func fail(_ input: UInt32, _ kind: UInt32, _ message: stage_bytes, _ retryAfter: UInt32) -> Int32 {
        guard unsafe call.kind == .process else { return Code.state }
        guard let index = batchIndex(input) else { return Code.index }
        guard let kind = FailureKind(rawValue: kind) else { return Code.type }
        guard unsafe states[Output.place(index)] & RecordState.done == 0 else { return Code.state }
        if unsafe states[Output.place(index)] & RecordState.hasEntries != 0 { unsafe hasDropped = true }
        unsafe failures.append(
            RecordFailure(
                input: index, kind: kind, retryAfterMilliseconds: kind == .transient ? retryAfter : 0,
                message: message.text(limit: messageLimit)))
        unsafe failureBytes += message.size
        if kind == .transient { unsafe someComeAgain = true }
        finish(index, RecordState.failed | (kind == .transient ? RecordState.transient : 0))
        return Code.ok
    }

    /// A batch of which every record fails with a long message would not fit into one frame.
    private var messageLimit: Int { unsafe failureBytes < 32 << 20 ? WireLimits.maximumMessageBytes : 512 }

    func failSource(_ key: stage_bytes, _ value: stage_bytes, _ message: stage_bytes) -> Int32 {
        guard unsafe call.kind == .read else { return Code.state }
        let (key, value) = unsafe (key.buffer, value.buffer)
        guard key.count <= Int(WireLimits.maximumKeyBytes), unsafe emitted < call.limit,
            unsafe sourceFailureBytes + key.count + value.count <= 32 << 20
        else { return Code.tooLarge }
        unsafe sourceFailures.append(
            UnreadableRecord(
                identifier: call.request.secondArgument &+ UInt64(emitted), key: [UInt8](key), value: [UInt8](value),
                message: message.text(limit: WireLimits.maximumMessageBytes)))
        unsafe sourceFailureBytes += key.count + value.count + WireLimits.maximumMessageBytes / 8
        unsafe emitted += 1
        return Code.ok
    }

    func beginRecord(_ input: UInt32) -> Int32 {
        guard unsafe call.kind == .process else { return Code.state }
        guard let index = batchIndex(input) else { return Code.index }
        guard unsafe states[Output.place(index)] & RecordState.done == 0 else { return Code.state }
        if plugin.flags.contains(.recordByRecord) {
            while unsafe doneBelow < input {
                if let before = unsafe batchIndex(doneBelow), unsafe states[Output.place(before)] & RecordState.done == 0 { finish(before, 0) }
                unsafe doneBelow += 1
            }
        }
        page.begin(index)
        return Code.ok
    }

    func done(_ input: UInt32) -> Int32 {
        guard unsafe call.kind == .process else { return Code.state }
        guard let index = batchIndex(input) else { return Code.index }
        guard unsafe states[Output.place(index)] & RecordState.done == 0 else { return Code.state }
        finish(index, 0)
        return Code.ok
    }

    /// The flusher lets go at once when it finds the lock taken, as it is now. Not for ever, though: a call that is being
    /// ended by another thread has it, and waits for the lock.
    private func takeSendingSoon() -> Bool {
        for _ in 0..<Self.sendingAttempts {
            if sending.takeIfFree() { return true }
            sched_yield()
        }
        return false
    }

    private static let sendingAttempts = 1_000
    /// A record that takes longer is not kept waiting for others.
    private static let slowRecordNanoseconds: UInt64 = 10_000_000

    private func finish(_ index: UInt32, _ state: UInt8) {
        unsafe states[Output.place(index)] |= RecordState.done | state
        page.mark(index, PageLayout.done)
        guard unsafe !call.isReplay else { return }
        unsafe doneWaiting += 1
        // Alone since the last frame left, and that is long ago: a slow record, which leaves at once.
        guard unsafe doneWaiting == 1, unsafe cworker_now() &- lastFlush >= Self.slowRecordNanoseconds, takeSendingSoon()
        else { return }
        sendDone()
        let sent = unsafe partialsSent
        sending.release()
        // The next record is not begun before this one is safe: what a crash repeats is then the record in hand alone.
        if plugin.flags.contains(.recordByRecord) { page.awaitAcknowledgement(of: sent) }
    }

    func setCheckpoint(_ bytes: stage_bytes) -> Int32 {
        guard plugin.kind != .transform || plugin.flags.contains(.stateful) else { return Code.state }
        let bytes = unsafe bytes.buffer
        guard bytes.count <= WireLimits.maximumCheckpointBytes else { return Code.tooLarge }
        unsafe checkpoint.count = 0
        guard unsafe checkpoint.reserve(bytes.count) else { return Code.memory }
        unsafe checkpoint.append(bytes.baseAddress, bytes.count)
        unsafe hasCheckpoint = true
        return Code.ok
    }

    func resume(_ input: UInt32) -> stage_bytes {
        guard let index = batchIndex(input), let bytes = unsafe resumes[index] else { return unsafe stage_bytes(data: nil, size: 0) }
        // Copied once a call; freed with the next one.
        return unsafe pulse.lend(index, bytes)
    }

    func metric(_ input: UInt32, _ name: UnsafePointer<CChar>, _ amount: Double) -> Int32 {
        var index = WireLimits.noInput
        if input != WireLimits.noInput {
            guard let found = batchIndex(input) else { return Code.index }
            guard unsafe states[Output.place(found)] & RecordState.gone == 0 else { return Code.state }
            index = found
        }
        let length = unsafe strnlen(name, 256)
        guard amount.isFinite, length > 0, length < 256, unsafe metrics.count < 1 << 18 else { return Code.tooLarge }
        let name = unsafe String(decoding: UnsafeRawBufferPointer(start: name, count: length), as: UTF8.self)
        if let last = unsafe metrics.indices.last, unsafe metrics[last].input == index, unsafe metrics[last].name == name {
            unsafe metrics[last].amount += amount
        } else {
            unsafe metrics.append(MetricItem(name: name, amount: amount, input: index))
        }
        return Code.ok
    }

    func explain(_ message: stage_bytes, _ retryAfter: UInt32) {
        unsafe explanation = unsafe message.text(limit: WireLimits.maximumMessageBytes)
        unsafe retryAfterMilliseconds = retryAfter
    }
}
