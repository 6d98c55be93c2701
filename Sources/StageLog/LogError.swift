import Glibc

/// Why the log refuses: one line that names the place, what was found and expected, and one thing to do.
package struct LogError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The file system failed; `errno` says how.
        case io
        /// No room (ENOSPC, EDQUOT). The log is as it was; try again when there is room.
        case full
        /// Content that cannot be believed. Nothing was modified.
        case damaged
        /// A version or an entry type that this program does not know.
        case unsupported
        /// A segment of another log.
        case foreign
        /// There is no log in the folder.
        case missing
        /// The batch is at or below the watermark: its result was handed on and may be gone.
        case retired
        /// A sync failed before, so that nobody knows what is on the disk: open the log again.
        case failed
        /// The caller asked for something the log never does.
        case misuse
    }

    package var code: Code
    /// Path of the file or folder.
    package var file: String
    package var offset: UInt64?
    package var expected: String
    package var found: String
    /// Error number of the system, 0 when none.
    package var errno: Int32
    package var help: String

    package init(
        _ code: Code, file: String, offset: UInt64? = nil, expected: String, found: String, errno: Int32 = 0,
        help: String
    ) {
        self.code = code
        self.file = file
        self.offset = offset
        self.expected = expected
        self.found = found
        self.errno = errno
        self.help = help
    }

    package var description: String {
        let place = offset.map { " at byte \($0)" } ?? ""
        return "\(file)\(place): found \(found), expected \(expected); \(help)"
    }

    static func damaged(_ file: String, _ offset: UInt64?, expected: String, found: String) -> LogError {
        LogError(
            .damaged, file: file, offset: offset, expected: expected, found: found,
            help: "look at it with verify; repair keeps every whole entry and says which batches are done again")
    }

    static func misuse(_ file: String, expected: String, found: String) -> LogError {
        LogError(.misuse, file: file, expected: expected, found: found, help: "report this as a defect of the host")
    }

    init(_ error: DiskError) {
        let full = error.errno == ENOSPC || error.errno == EDQUOT
        var buffer = [CChar](repeating: 0, count: 128)
        let known = unsafe strerror_r(error.errno, &buffer, buffer.count) == 0
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.init(
            full ? .full : .io, file: error.path, expected: "\(error.operation) to succeed",
            found: known ? text : "error \(error.errno)", errno: error.errno,
            help: full ? "free some space and try again" : "check the disk and the permissions of the folder")
    }
}

/// Runs an operation on a disk; its failure becomes a `LogError`.
func onDisk<R>(_ body: () throws(DiskError) -> R) throws(LogError) -> R {
    do throws(DiskError) { return try body() } catch { throw LogError(error) }
}
