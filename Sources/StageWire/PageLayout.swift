/// Where things are in the page that a worker shares with the host; see `docs/wire.md`.
package enum PageLayout {
    package static let magic: UInt32 = 0x3150_4853
    package static let magicOffset = 0
    package static let slotCountOffset = 4
    package static let cancelOffset = 8
    package static let acknowledgesOffset = 12
    package static let sharedMemoryOffset = 16
    package static let crashStateOffset = 64
    package static let crashSignalOffset = 68
    package static let crashCodeOffset = 72
    package static let crashFrameCountOffset = 76
    package static let crashAddressOffset = 80
    package static let crashTextLengthOffset = 88
    package static let crashFramesOffset = 128
    package static let maximumCrashFrames = 64
    package static let crashTextOffset = 1_024
    package static let maximumCrashTextBytes = 32_768
    package static let slotsOffset = 131_072
    package static let slotBytes = 73_728

    package static let slotDispatchOffset = 0
    package static let slotBatchOffset = 8
    package static let slotCountOfRecordsOffset = 16
    package static let slotCurrentOffset = 20
    package static let slotAcknowledgedOffset = 24
    package static let slotStatesOffset = 64

    package static let notBegun: UInt8 = 0
    package static let begun: UInt8 = 1
    package static let done: UInt8 = 2

    package static func slotOffset(_ slot: Int) -> Int { slotsOffset + slot * slotBytes }
    package static func size(slots: Int) -> Int { slotOffset(slots) }
}
