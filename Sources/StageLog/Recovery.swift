/// What opening a log found and did.
package struct Recovery: Equatable, Sendable {
    package var reports: [RecoveryReport] = []
    /// Sections whose checksums were computed, in bytes: what the opening had to read beyond headers.
    package var verifiedBytes: UInt64 = 0

    /// Bytes that were written once and are not in the log any more.
    package var droppedBytes: UInt64 { reports.reduce(0) { $0 + $1.droppedBytes } }
}

/// One thing that opening a log found and put in order (or would have, when opened to look only).
package struct RecoveryReport: Equatable, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// There was no log: a new one was begun.
        case created
        /// The end of the last segment was not whole and was cut off.
        case tornTail
        /// A crash came between a new segment and the seal of the one before: sealed now.
        case sealed
        /// A file of a retired segment, or of one that was never finished, was removed.
        case leftover
    }

    package var kind: Kind
    package var file: String
    package var offset: UInt64 = 0
    package var droppedBytes: UInt64 = 0
    /// Valid entries among the bytes dropped: none of them was ever synced.
    package var droppedEntries = 0
    /// What made the entry at `offset` invalid.
    package var found = ""

    package var description: String {
        switch kind {
        case .created: "\(file): new log"
        case .tornTail:
            "\(file): cut back to byte \(offset): \(found); dropped \(droppedBytes) bytes"
                + (droppedEntries > 0 ? " with \(droppedEntries) later entries that were never synced" : "")
        case .sealed: "\(file): sealed, which a crash had prevented"
        case .leftover: "\(file): left over from a crash, removed"
        }
    }
}
