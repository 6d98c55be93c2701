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
        // Rollback, recovery, the locks and the index of the log: a connection that must not write cannot do these.
        case 776, 264, 520, 1288:
            " (a writer was interrupted, and its work must be put in order first: open the database once with a program that may write)"
        case 14:
            " (a database in WAL mode needs a folder in which its -shm and -wal files can be made)"
        default: ""
        }
    }
}
