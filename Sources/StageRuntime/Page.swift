import LinuxIO
import StageModel
import StageScheduler
import StageWire

/// The file that a worker shares with the host: what it was doing, and how it died. Nothing in it is believed before its
/// bounds are checked.
///
/// The storage thread only ever acknowledges; everything else is the host thread's.
final class Page: @unchecked Sendable {
    private let file: MappedFile
    private let slots: Int
    var descriptor: Int32 { file.descriptor }

    init(path: String, slots: Int, sharesMemory: Bool) throws(SystemError) {
        self.slots = slots
        file = try MappedFile(creating: path, size: PageLayout.size(slots: slots))
        file.store32(PageLayout.magic, at: PageLayout.magicOffset)
        file.store32(UInt32(slots), at: PageLayout.slotCountOffset)
        file.store32(1, at: PageLayout.acknowledgesOffset)
        if sharesMemory { file.store32(1, at: PageLayout.sharedMemoryOffset) }
    }

    /// Partial frames of a slot, counted since the worker began, are in the log.
    func acknowledge(slot: Int, count: UInt32) {
        guard (0..<slots).contains(slot) else { return }
        file.publish32(count, at: PageLayout.slotOffset(slot) + PageLayout.slotAcknowledgedOffset)
    }

    /// Tells the worker that results are no longer wanted.
    func cancel() {
        file.store32(1, at: PageLayout.cancelOffset)
    }

    /// The requests that the worker was in the middle of, with the records that it had begun and not finished.
    func breadcrumbs() -> [Breadcrumb] {
        (0..<slots).compactMap { slot in
            let offset = PageLayout.slotOffset(slot)
            let dispatch = file.load64(offset + PageLayout.slotDispatchOffset)
            guard dispatch != 0 else { return nil }
            let stated = file.load32(offset + PageLayout.slotCountOfRecordsOffset)
            let count = min(stated, WireLimits.maximumBatchRecords)
            let states = file.bytes(offset + PageLayout.slotStatesOffset, Int(count))
            var begun = IndexRanges()
            for (index, state) in states.enumerated() where state == PageLayout.begun { begun.insert(UInt32(index)) }
            return Breadcrumb(dispatch: dispatch, begun: begun)
        }
    }

    /// What the worker's signal handler has left; nil when none ran.
    func crashReport() -> String? {
        let state = file.load32(PageLayout.crashStateOffset)
        guard state == 1 || state == 2 else { return nil }
        let signal = Int32(truncatingIfNeeded: file.load32(PageLayout.crashSignalOffset))
        let address = file.load64(PageLayout.crashAddressOffset)
        var report = "\(signalName(signal)) at address 0x\(String(address, radix: 16))"
        if state == 2 {
            let length = min(Int(clamping: file.load64(PageLayout.crashTextLengthOffset)), PageLayout.maximumCrashTextBytes)
            report += "\n" + String(decoding: file.bytes(PageLayout.crashTextOffset, length), as: UTF8.self)
        } else {
            let count = min(Int(file.load32(PageLayout.crashFrameCountOffset)), PageLayout.maximumCrashFrames)
            for frame in 0..<count {
                report += "\n0x" + String(file.load64(PageLayout.crashFramesOffset + 8 * frame), radix: 16)
            }
        }
        return report
    }

    /// The signal that the handler saw; it may have been followed by another.
    func crashSignal() -> Int32? {
        let state = file.load32(PageLayout.crashStateOffset)
        guard state == 1 || state == 2 else { return nil }
        let signal = Int32(truncatingIfNeeded: file.load32(PageLayout.crashSignalOffset))
        return (1...64).contains(signal) ? signal : nil
    }
}
