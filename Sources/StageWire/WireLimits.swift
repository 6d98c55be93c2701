/// Every limit of the wire, in one place; `docs/wire.md` states them.
public enum WireLimits {
    @inlinable package static var version: UInt8 { 2 }
    @inlinable package static var frameHeaderBytes: Int { 64 }
    @inlinable package static var blockHeaderBytes: Int { 32 }
    @inlinable package static var tableEntryBytes: Int { 24 }
    @inlinable package static var itemHeaderBytes: Int { 8 }

    @inlinable package static var maximumBatchRecords: UInt32 { 65_536 }
    @inlinable package static var maximumKeyBytes: UInt32 { 65_536 }
    @inlinable package static var maximumValueBytes: UInt32 { 268_435_456 }
    /// One GiB of keys and values, and what the tables around them may take.
    @inlinable package static var maximumBlocksBytes: UInt32 { 1_107_296_256 }
    @inlinable package static var maximumExtraBytes: UInt32 { 134_217_728 }
    @inlinable package static var maximumMessageBytes: Int { 4_096 }
    @inlinable package static var maximumCheckpointBytes: Int { 67_108_864 }
    @inlinable package static var maximumResumeBytes: Int { 65_536 }

    /// Blocks below this travel in the frame: for so few bytes the detour through the shared memory does not pay.
    @inlinable package static var sharedBlocksFrom: Int { 16_384 }

    /// Stands for "no input record": `STAGE_NO_INPUT`.
    @inlinable package static var noInput: UInt32 { 0xFFFF_FFFF }
    /// The first id of what `finish` emits: `STAGE_FINISH_ID_BASE`.
    @inlinable package static var finishIdentifierBase: UInt64 { 0x8000_0000_0000_0000 }
}
