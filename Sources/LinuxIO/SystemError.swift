import Glibc

/// A system call that failed: which one, on what, and why.
package struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The C function.
    package var call: String
    /// The file or thing that it was called on; may be empty.
    package var subject: String
    /// The `errno`.
    package var code: Int32

    package init(_ call: String, _ subject: String, code: Int32) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    /// The words of the C library for the error.
    package var reason: String { unsafe String(cString: strerror(code)) }

    package var description: String {
        subject.isEmpty ? "\(call): \(reason)" : "\(subject): \(reason) (\(call))"
    }
}

/// Turns the `-errno` convention of the system call shim into a thrown error.
@discardableResult
func check(_ call: String, _ subject: String = "", _ result: Int32) throws(SystemError) -> Int32 {
    guard result >= 0 else { throw SystemError(call, subject, code: -result) }
    return result
}
