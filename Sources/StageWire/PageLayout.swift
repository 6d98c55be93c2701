/// Where things are in the page that a worker shares with the host; see `docs/wire.md`.
public enum PageLayout {
    @inlinable package static var magic: UInt32 { 0x3150_4853 }
    @inlinable package static var magicOffset: Int { 0 }
    @inlinable package static var slotCountOffset: Int { 4 }
    @inlinable package static var cancelOffset: Int { 8 }
    @inlinable package static var acknowledgesOffset: Int { 12 }
    @inlinable package static var sharedMemoryOffset: Int { 16 }
    @inlinable package static var crashStateOffset: Int { 64 }
    @inlinable package static var crashSignalOffset: Int { 68 }
    @inlinable package static var crashCodeOffset: Int { 72 }
    @inlinable package static var crashFrameCountOffset: Int { 76 }
    @inlinable package static var crashAddressOffset: Int { 80 }
    @inlinable package static var crashTextLengthOffset: Int { 88 }
    @inlinable package static var crashErrorOffset: Int { 96 }
    @inlinable package static var crashFramesOffset: Int { 128 }
    @inlinable package static var maximumCrashFrames: Int { 64 }
    @inlinable package static var crashTextOffset: Int { 1_024 }
    @inlinable package static var maximumCrashTextBytes: Int { 32_768 }
    @inlinable package static var slotsOffset: Int { 131_072 }
    @inlinable package static var slotBytes: Int { 73_728 }

    @inlinable package static var slotDispatchOffset: Int { 0 }
    @inlinable package static var slotBatchOffset: Int { 8 }
    @inlinable package static var slotCountOfRecordsOffset: Int { 16 }
    @inlinable package static var slotCurrentOffset: Int { 20 }
    @inlinable package static var slotAcknowledgedOffset: Int { 24 }
    @inlinable package static var slotFirstOffset: Int { 28 }
    @inlinable package static var slotSinceOffset: Int { 32 }
    @inlinable package static var slotStatesOffset: Int { 64 }

    @inlinable package static var notBegun: UInt8 { 0 }
    @inlinable package static var begun: UInt8 { 1 }
    @inlinable package static var done: UInt8 { 2 }
    @inlinable package static var notAsked: UInt8 { 3 }

    /// The indexes that the states of a slot are of, from what the page says, which may be anything; nil when it cannot be.
    package static func part(from first: UInt32, ofBatchOf count: UInt32) -> Range<UInt32>? {
        // The last possible part is none that anybody is given: no index after it could be told.
        guard first % WireLimits.maximumBatchRecords == 0, first < count, first <= .max - 2 * WireLimits.maximumBatchRecords
        else { return nil }
        return first..<first + min(count - first, WireLimits.maximumBatchRecords)
    }

    package static func slotOffset(_ slot: Int) -> Int { slotsOffset + slot * slotBytes }
    package static func size(slots: Int) -> Int { slotOffset(slots) }
}
