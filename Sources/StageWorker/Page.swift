import CWorker
import Glibc
import StageWire

/// The file that worker and host share, seen from the worker: the only thing that outlives it.
///
/// Invariant: the mapping is never undone, and has `PageLayout.size(slots: slotCount)` bytes at least.
@safe final class Page: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let slotCount: Int

    /// Maps the page behind `descriptor`.
    init(descriptor: Int32) throws(Departure) {
        var mapping: UnsafeMutableRawPointer?
        var size = 0
        let error = unsafe cworker_map_page(descriptor, &mapping, &size)
        guard error == 0, let mapping = unsafe mapping else {
            throw .confused("page (descriptor \(descriptor)): \(errorText(error)); the host passes a file there")
        }
        guard size >= PageLayout.size(slots: 1),
            unsafe mapping.load(fromByteOffset: PageLayout.magicOffset, as: UInt32.self) == PageLayout.magic
        else {
            throw .confused("page: found \(size) bytes without its magic, expected a page of version 1")
        }
        let stated = unsafe Int(mapping.load(fromByteOffset: PageLayout.slotCountOffset, as: UInt32.self))
        guard stated >= 1, size >= PageLayout.size(slots: stated) else {
            throw .confused("page: found \(size) bytes for \(stated) slots, expected \(PageLayout.size(slots: stated))")
        }
        unsafe base = unsafe mapping
        slotCount = stated
    }

    /// The host says which partial frames are in the log.
    var hasAcknowledgements: Bool { unsafe base.load(fromByteOffset: PageLayout.acknowledgesOffset, as: UInt32.self) == 1 }

    /// Descriptors 4 and 5 are the memory through which large payloads travel.
    var hasSharedMemory: Bool { unsafe base.load(fromByteOffset: PageLayout.sharedMemoryOffset, as: UInt32.self) == 1 }

    /// The host no longer wants the results of what is under way.
    var isCancelled: Bool { unsafe base.load(fromByteOffset: PageLayout.cancelOffset, as: UInt32.self) != 0 }

    func slot(_ index: Int) -> PageSlot {
        unsafe PageSlot(base: base + PageLayout.slotOffset(index), isAcknowledged: hasAcknowledgements)
    }

    var crashLayout: cworker_crash_layout {
        var layout = unsafe Page.crashLayoutWithoutPage
        unsafe layout.page = unsafe base
        return unsafe layout
    }

    static var crashLayoutWithoutPage: cworker_crash_layout {
        unsafe cworker_crash_layout(
            page: nil, state: PageLayout.crashStateOffset, signal: PageLayout.crashSignalOffset,
            code: PageLayout.crashCodeOffset, frame_count: PageLayout.crashFrameCountOffset,
            address: PageLayout.crashAddressOffset, text_length: PageLayout.crashTextLengthOffset,
            error: PageLayout.crashErrorOffset, frames: PageLayout.crashFramesOffset, text: PageLayout.crashTextOffset,
            maximum_frames: UInt32(PageLayout.maximumCrashFrames), maximum_text: UInt32(PageLayout.maximumCrashTextBytes))
    }
}

/// One thread's part of the page: what it has in hand, and how far it is.
@safe struct PageSlot {
    let base: UnsafeMutableRawPointer
    let isAcknowledged: Bool

    /// The dispatch is written last, so that whoever reads it finds the rest in place.
    ///
    /// - Parameter part: The indexes that have a state here, 65,536 at most, from a multiple of that.
    /// - Parameter asked: The records of them that are in hand; nil: all.
    func enter(dispatch: UInt64, batch: UInt64, count: UInt32, part: Range<UInt32>, asked: UnsafeBufferPointer<UInt32>?) {
        let states = unsafe base + PageLayout.slotStatesOffset
        unsafe memset(states, Int32(asked == nil ? PageLayout.notBegun : PageLayout.notAsked), part.count)
        if let asked = unsafe asked {
            for unsafe index in unsafe asked {
                unsafe states.storeBytes(of: PageLayout.notBegun, toByteOffset: Output.place(index), as: UInt8.self)
            }
        }
        unsafe base.storeBytes(of: part.lowerBound, toByteOffset: PageLayout.slotFirstOffset, as: UInt32.self)
        unsafe base.storeBytes(of: cworker_now(), toByteOffset: PageLayout.slotSinceOffset, as: UInt64.self)
        unsafe base.storeBytes(of: batch, toByteOffset: PageLayout.slotBatchOffset, as: UInt64.self)
        unsafe base.storeBytes(of: count, toByteOffset: PageLayout.slotCountOfRecordsOffset, as: UInt32.self)
        unsafe base.storeBytes(of: WireLimits.noInput, toByteOffset: PageLayout.slotCurrentOffset, as: UInt32.self)
        unsafe base.storeBytes(of: dispatch, toByteOffset: PageLayout.slotDispatchOffset, as: UInt64.self)
    }

    /// Waits until so many partial frames of this slot are in the log.
    func awaitAcknowledgement(of count: UInt32) {
        guard isAcknowledged else { return }
        let word = unsafe (base + PageLayout.slotAcknowledgedOffset).assumingMemoryBound(to: UInt32.self)
        _ = unsafe cworker_await_count(word, count, 2_000_000_000)
    }

    func leave() {
        unsafe base.storeBytes(of: 0, toByteOffset: PageLayout.slotDispatchOffset, as: UInt64.self)
    }

    @inline(__always)
    func begin(_ index: UInt32) {
        unsafe base.storeBytes(of: index, toByteOffset: PageLayout.slotCurrentOffset, as: UInt32.self)
        mark(index, PageLayout.begun)
    }

    @inline(__always)
    func mark(_ index: UInt32, _ state: UInt8) {
        unsafe base.storeBytes(of: state, toByteOffset: PageLayout.slotStatesOffset + Output.place(index), as: UInt8.self)
    }
}
