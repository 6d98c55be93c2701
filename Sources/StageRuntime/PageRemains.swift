import LinuxIO
import StageModel
import StageWire

/// A page that a worker of a dead host has left behind. What it says was written by a worker, and is not believed before its
/// bounds are checked.
struct PageRemains {
    /// A request that was in hand.
    struct Request: Equatable {
        var batch: UInt64
        /// When the worker took it, in monotonic time of the system that ran it.
        var since: UInt64
        /// Records that were handed to the plugin and not done; and of those the ones that it had begun.
        var left: IndexRanges
        var begun: IndexRanges

        /// The records that can have had to do with the death: where the plugin says what it begins, those.
        var suspects: IndexRanges { begun.isEmpty ? left : begun }
    }

    /// Requests with records; reads and the like have none.
    private(set) var requests: [Request] = []

    /// - Parameter bytes: The file, of whatever length.
    init(_ bytes: [UInt8]) {
        guard bytes.count >= PageLayout.size(slots: 1), Self.load32(bytes, PageLayout.magicOffset) == PageLayout.magic
        else { return }
        // As many as the file has room for: what the page says of it may be anything.
        for slot in 0..<(bytes.count - PageLayout.slotsOffset) / PageLayout.slotBytes {
            let start = PageLayout.slotOffset(slot)
            guard Self.load64(bytes, start + PageLayout.slotDispatchOffset) != 0 else { continue }
            guard
                let part = PageLayout.part(
                    from: Self.load32(bytes, start + PageLayout.slotFirstOffset),
                    ofBatchOf: Self.load32(bytes, start + PageLayout.slotCountOfRecordsOffset))
            else { continue }
            var request = Request(
                batch: Self.load64(bytes, start + PageLayout.slotBatchOffset),
                since: Self.load64(bytes, start + PageLayout.slotSinceOffset), left: IndexRanges(), begun: IndexRanges())
            let states = start + PageLayout.slotStatesOffset
            for (index, state) in zip(part, bytes[states..<states + part.count]) {
                if state == PageLayout.begun { request.begun.insert(index) }
                if state == PageLayout.begun || state == PageLayout.notBegun { request.left.insert(index) }
            }
            if !request.left.isEmpty { requests.append(request) }
        }
    }

    private static func load32(_ bytes: [UInt8], _ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: load(bytes, offset, 4)) }
    private static func load64(_ bytes: [UInt8], _ offset: Int) -> UInt64 { load(bytes, offset, 8) }

    private static func load(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
