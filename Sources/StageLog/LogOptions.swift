/// How a log is opened.
package struct LogOptions: Sendable {
    /// A segment is sealed when the next entry would take it past this many bytes. One entry may be larger.
    package var segmentBytes: UInt64 = 64 << 20
    /// Entries of a segment at most: what is not retired is kept in memory, and only whole segments retire.
    package var segmentEntries = 8_192
    /// Looks only: nothing is created, cut, sealed or removed, also while another process writes.
    package var readOnly = false
    /// The log id for a new log, random when nil; an existing log with another one is refused.
    package var identity: UInt64?

    package init(segmentBytes: UInt64 = 64 << 20, readOnly: Bool = false, identity: UInt64? = nil) {
        self.segmentBytes = min(segmentBytes, 1 << 30)
        self.readOnly = readOnly
        self.identity = identity
    }
}
