package import StageKit

/// SQLite refused something.
package struct DatabaseError: Error, CustomStringConvertible {
    /// The primary result code.
    package let code: Int32
    package let description: String

    /// Busy, locked, out of memory, I/O, full: worth another try later.
    package var mayPass: Bool { [5, 6, 7, 10, 13].contains(code) }

    /// Too big, a constraint, a type mismatch, out of range: this row is at fault, and others may pass.
    package var blamesTheRow: Bool { [18, 19, 20, 25].contains(code) }

    /// What it means for the stage.
    package var stageFailure: StageFailure { mayPass ? .retry(description) : .fatal(description) }

    /// What to do about an extended result code of a connection that only reads, where its words say nothing of the cause.
    static func hint(_ extendedCode: Int32) -> String {
        switch extendedCode {
        // A rollback, a recovery.
        case 776, 264:
            " (a writer was interrupted, and its work must be put in order first: open the database once with a program that may write)"
        // The file cannot be opened, a lock or the index of the log cannot be made, the folder is not to be written to.
        case 14, 520, 1288, 1544:
            " (beside a database in WAL mode it must be possible to make the files -wal and -shm: may its folder be written to?)"
        default: ""
        }
    }
}
