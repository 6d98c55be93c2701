/// A sync that another thread makes while this one goes on appending: `beginSync`, `perform` there, `finishSync` here.
///
/// Holds the file open. What is appended after `beginSync` is not covered.
package struct PendingSync: @unchecked Sendable {
    fileprivate let segment: UInt64
    fileprivate let end: UInt64
    // fdatasync may run beside writes to the same descriptor; nothing else of the file is used here.
    fileprivate let file: any DiskFile

    /// Waits until the disk has everything that was appended before `beginSync`. Any thread.
    package func perform() -> LogError? {
        do throws(DiskError) {
            try file.sync()
            return nil
        } catch {
            return LogError(error)
        }
    }
}

extension StageLog {
    /// What there is to sync; nil when everything appended is on stable storage.
    package func beginSync() throws(LogError) -> PendingSync? {
        let active = try usable()
        guard active.synced < active.end else { return nil }
        return PendingSync(segment: active.number, end: active.end, file: active.file)
    }

    /// Takes note of a sync. A failed one means that nobody knows what is on the disk: every later call throws `failed`.
    package func finishSync(_ sync: PendingSync, failure: LogError?) throws(LogError) {
        if let failure {
            fail(failure)
            throw failure
        }
        // A segment that was sealed in between was synced by that.
        guard let active, active.number == sync.segment else { return }
        active.synced = max(active.synced, sync.end)
    }
}
