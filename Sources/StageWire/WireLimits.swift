/// Every limit of the wire, in one place; `docs/wire.md` states them.
package enum WireLimits {
    package static let version: UInt8 = 1
    package static let frameHeaderBytes = 64
    package static let blockHeaderBytes = 32
    package static let tableEntryBytes = 24
    package static let itemHeaderBytes = 8

    package static let maximumBatchRecords: UInt32 = 65_536
    package static let maximumKeyBytes: UInt32 = 65_536
    package static let maximumValueBytes: UInt32 = 268_435_456
    /// One GiB of keys and values, and what the tables around them may take.
    package static let maximumBlocksBytes: UInt32 = 1_107_296_256
    package static let maximumExtraBytes: UInt32 = 134_217_728
    package static let maximumMessageBytes = 4_096
    package static let maximumCheckpointBytes = 67_108_864
    package static let maximumResumeBytes = 65_536

    /// Blocks below this travel in the frame: for so few bytes the detour through the shared memory does not pay.
    package static let sharedBlocksFrom = 16_384

    /// Stands for "no input record": `STAGE_NO_INPUT`.
    package static let noInput: UInt32 = 0xFFFF_FFFF
    /// The first id of what `finish` emits: `STAGE_FINISH_ID_BASE`.
    package static let finishIdentifierBase: UInt64 = 0x8000_0000_0000_0000
}
