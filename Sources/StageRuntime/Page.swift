import Glibc
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

    /// - Parameters:
    ///   - acknowledges: Whether the host will say what of the results is in the log.
    ///   - sharesMemory: Whether the worker is given the payload memory.
    init(path: String, slots: Int, acknowledges: Bool = true, sharesMemory: Bool = false) throws(SystemError) {
        self.slots = slots
        file = try MappedFile(creating: path, size: PageLayout.size(slots: slots))
        file.store32(PageLayout.magic, at: PageLayout.magicOffset)
        file.store32(UInt32(slots), at: PageLayout.slotCountOffset)
        file.store32(acknowledges ? 1 : 0, at: PageLayout.acknowledgesOffset)
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
            let part = PageLayout.part(
                from: file.load32(offset + PageLayout.slotFirstOffset),
                ofBatchOf: file.load32(offset + PageLayout.slotCountOfRecordsOffset))
            var begun = IndexRanges()
            if let part {
                let states = file.bytes(offset + PageLayout.slotStatesOffset, part.count)
                for (index, state) in zip(part, states) where state == PageLayout.begun { begun.insert(index) }
            }
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
            var text = file.bytes(PageLayout.crashTextOffset, length)
            if text.last == UInt8(ascii: "\n") { text.removeLast() }
            report += "\n" + String(decoding: text, as: UTF8.self)
        } else {
            let count = min(Int(file.load32(PageLayout.crashFrameCountOffset)), PageLayout.maximumCrashFrames)
            for frame in 0..<count {
                report += "\n0x" + String(file.load64(PageLayout.crashFramesOffset + 8 * frame), radix: 16)
            }
        }
        return report
    }

    /// The thread that crashed had just been told that there is no memory (ENOMEM), in the same call into the plugin.
    var crashFollowedFailedAllocation: Bool {
        crashSignal() != nil && file.load32(PageLayout.crashErrorOffset) == UInt32(ENOMEM)
    }

    /// The signal that the handler saw; it may have been followed by another.
    func crashSignal() -> Int32? {
        let state = file.load32(PageLayout.crashStateOffset)
        guard state == 1 || state == 2 else { return nil }
        let signal = Int32(truncatingIfNeeded: file.load32(PageLayout.crashSignalOffset))
        return (1...64).contains(signal) ? signal : nil
    }
}
