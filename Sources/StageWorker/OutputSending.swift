import CStage
import CWorker
import StageModel
import StageWire
import Synchronization

// How outcomes leave the worker: in partial frames while a call runs, in the result when it ends.
extension Output {
    /// Ends the call: no face may be used any more; the result, with all that has not left yet, goes to the host.
    func finish(_ status: CallStatus, nanoseconds: UInt64) {
        activeSince.store(0, ordering: .relaxed)
        _ = sending.take()
        shut()
        // Nobody but the flusher could touch what follows, and it needs `sending`.
        if unsafe call.kind == .process {
            noteEnd(status)
            if status == .retry || hasTransientFailures { sendWaitingResumes() }
            if status != .ok {
                // What is done is said by name; what is not has no outcome, except that a rejected batch keeps what
                // was emitted.
                sendDone()
                if status != .reject { dropEntries() }
            }
        }
        sendResult(status, nanoseconds)
        noteSent()
        page.leave()
        sending.release()
    }

    private var hasTransientFailures: Bool { unsafe failures.contains { $0.kind == .transient } }

    private func dropEntries() {
        unsafe parcel.table.count = 0
        unsafe parcel.bytes.count = 0
    }

    private func sendResult(_ status: CallStatus, _ nanoseconds: UInt64) {
        var header = FrameHeader(.result)
        header.batch = unsafe call.request.batch
        header.dispatch = unsafe call.request.dispatch
        header.argument = nanoseconds
        header.status = status.rawValue
        if status == .retry { header.count = unsafe retryAfterMilliseconds }

        for failure in unsafe failures { unsafe parcel.items.append(failure) }
        for failure in unsafe sourceFailures { unsafe parcel.items.append(failure) }
        if unsafe hasCheckpoint, status == .ok || status == .end || status == .idle {
            unsafe parcel.items.append(.checkpoint, checkpoint.bytes)
        }
        for metric in unsafe metrics { unsafe parcel.items.append(metric) }
        if let explanation = unsafe explanation, status != .ok { unsafe parcel.items.append(.message, text: explanation) }

        if unsafe hasDropped || !isInOrder {
            rearrange()
        }
        unsafe writer.send(
            header, table: parcel.table.bytes, bytes: parcel.bytes.bytes, items: parcel.items.bytes, room: call.room)
    }

    /// Sorts the entries by input and leaves out those of failed records.
    private func rearrange() {
        unsafe spare.removeAll()
        for position in positions(where: { unsafe self.states[Output.place($0)] & RecordState.failed == 0 }) {
            guard unsafe spare.add(parcel.entry(position), from: parcel.bytes.bytes) else { outOfMemory() }
        }
        unsafe swap(&parcel.table, &spare.table)
        unsafe swap(&parcel.bytes, &spare.bytes)
    }

    /// Takes the outcomes of the records that are done, and sends them ahead. The caller holds `sending` and, while the
    /// call runs, `lock`, which is given back as soon as the outcomes have been taken.
    func sendDone(releasing isLocked: Bool = false) {
        let ranges = takeDone()
        unsafe lastFlush = cworker_now()
        var header = FrameHeader(.partial)
        header.batch = unsafe call.request.batch
        header.dispatch = unsafe call.request.dispatch
        header.count = slotNumber
        if isLocked { lock.release() }
        guard !ranges.isEmpty else { return }
        unsafe partialsSent &+= 1
        unsafe writer.send(header, table: leaving.table.bytes, bytes: leaving.bytes.bytes, items: leaving.items.bytes)
    }

    private func takeDone() -> IndexRanges {
        unsafe leaving.removeAll()
        var ranges = IndexRanges()
        guard unsafe doneWaiting > 0 else { return ranges }
        func leaves(_ index: UInt32) -> Bool {
            unsafe states[Output.place(index)] & (RecordState.done | RecordState.gone) == RecordState.done
        }
        let end = unsafe call.end
        var index = unsafe call.first
        while index < end {
            let start = index
            while index < end, leaves(index) { index += 1 }
            ranges.insert(start..<index)
            index += 1
        }
        unsafe leaving.items.append(ranges)
        for position in positions(where: { unsafe leaves($0) && self.states[Output.place($0)] & RecordState.failed == 0 }) {
            guard unsafe leaving.add(parcel.entry(position), from: parcel.bytes.bytes) else { outOfMemory() }
        }
        keepOthers(leaves)
        for failure in unsafe failures where leaves(failure.input) { unsafe leaving.items.append(failure) }
        unsafe failures.removeAll { leaves($0.input) }
        for metric in unsafe metrics where metric.input != WireLimits.noInput && leaves(metric.input) {
            unsafe leaving.items.append(metric)
        }
        unsafe metrics.removeAll { $0.input != WireLimits.noInput && leaves($0.input) }
        for range in ranges.ranges {
            for index in range { unsafe states[Output.place(index)] |= RecordState.gone }
        }
        unsafe doneWaiting = 0
        unsafe hasDropped = false
        return ranges
    }

    /// Leaves in `parcel` what does not leave now, in the order in which it was emitted.
    private func keepOthers(_ leaves: (UInt32) -> Bool) {
        unsafe spare.removeAll()
        for position in unsafe 0..<parcel.entryCount {
            let entry = unsafe parcel.entry(position)
            if leaves(entry.input) { continue }
            guard unsafe spare.add(entry, from: parcel.bytes.bytes) else { outOfMemory() }
        }
        unsafe swap(&parcel.table, &spare.table)
        unsafe swap(&parcel.bytes, &spare.bytes)
    }

    /// The positions of the entries whose input is wanted, by input, and in the order of the calls within one.
    private func positions(where isWanted: (UInt32) -> Bool) -> [Int] {
        var found: [(input: UInt32, position: Int)] = []
        for position in unsafe 0..<parcel.entryCount {
            let input = unsafe parcel.entry(position).input
            if unsafe call.kind != .process || isWanted(input) { found.append((input, position)) }
        }
        if unsafe !isInOrder { found.sort { ($0.input, $0.position) < ($1.input, $1.position) } }
        return found.map { $0.position }
    }

    private func outOfMemory() -> Never {
        depart(Departure(code: 74, message: unsafe "batch \(call.request.batch): no memory to send its results"))
    }
}
