/// What the header of an entry says, apart from where it lies.
package struct LogEntry: Equatable, Sendable {
    /// Limits of the two sections, in bytes.
    package static let maximumRecordsBytes = 1 << 30
    package static let maximumExtraBytes = 128 << 20

    package struct Kind: RawRepresentable, Equatable, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The outcome of a batch, together with the partial entries before it.
        package static let whole = Kind(rawValue: 1)
        /// The outcome of some records of a batch.
        package static let partial = Kind(rawValue: 2)
        /// Watermark and totals of what was retired.
        package static let mark = Kind(rawValue: 3)
        /// The `extra` of a retired entry, kept for its checkpoint.
        package static let carried = Kind(rawValue: 4)
        /// Index and footer of a finished segment.
        package static let seal = Kind(rawValue: 5)

        var isKnown: Bool { (1...5).contains(rawValue) }
    }

    package struct Flags: OptionSet, Equatable, Sendable {
        package var rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        /// `extra` holds a checkpoint. Looked at in whole entries only.
        package static let hasCheckpoint = Flags(rawValue: 1 << 0)
        /// Bits 4 to 11 are the caller's own: the log keeps them and does not look at them.
        package static let callersOwn = Flags(rawValue: 0x0ff0)
        /// A reader that does not know the type may skip the entry.
        package static let mayBeIgnored = Flags(rawValue: 1 << 15)
    }

    package var type: Kind
    package var flags: Flags
    /// 1 and up.
    package var batch: UInt64
    package var inputs: UInt32
    package var passed: UInt32
    package var filtered: UInt32
    package var failed: UInt32
    package var outputs: UInt32
    /// Seconds since 1970.
    package var time: UInt32

    package init(
        _ type: Kind, batch: UInt64, flags: Flags = [], inputs: UInt32 = 0, passed: UInt32 = 0, filtered: UInt32 = 0,
        failed: UInt32 = 0, outputs: UInt32 = 0, time: UInt32 = 0
    ) {
        self.type = type
        self.flags = flags
        self.batch = batch
        self.inputs = inputs
        self.passed = passed
        self.filtered = filtered
        self.failed = failed
        self.outputs = outputs
        self.time = time
    }
}

/// An entry that is to be appended. What the buffers point to stays until it is.
@safe package struct NewEntry {
    package var entry: LogEntry
    package var records: [UnsafeRawBufferPointer]
    package var extra: UnsafeRawBufferPointer
    /// CRC32C of the records, where it is known.
    package var recordsChecksum: UInt32?

    package init(
        entry: LogEntry, records: [UnsafeRawBufferPointer], extra: UnsafeRawBufferPointer, recordsChecksum: UInt32? = nil
    ) {
        self.entry = entry
        unsafe self.records = unsafe records
        unsafe self.extra = unsafe extra
        self.recordsChecksum = recordsChecksum
    }

    var recordsBytes: Int { unsafe records.reduce(0) { $0 + $1.count } }
    var bytes: Int { unsafe recordsBytes + extra.count }
}

/// An entry and where its sections lie.
package struct EntryLocation: Equatable, Sendable {
    package var entry: LogEntry
    package var segment: UInt64
    /// Offset of the entry's header in its segment.
    package var offset: UInt32
    package var recordsLength: Int
    package var extraLength: Int
}
