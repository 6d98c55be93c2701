/// What a simulated disk still has after the power went: each case is something that real disks do.
package enum PowerLoss: CaseIterable, Sendable {
    /// Only the process died: everything that was written is there.
    case nothingLost
    /// Everything that was not synced is gone.
    case allLost
    /// Of the writes to each file, the first so many arrived, the last of them in part.
    case prefixKept
    /// All writes arrived, except that the last one to each file is torn.
    case lastWriteTorn
    /// Of what was written since the last sync, 512-byte sectors arrived at random.
    case sectorsKept
    /// As `sectorsKept`; and of the names made, renamed and removed since the folder was synced, any may be back.
    case sectorsAndNamesKept
}
