import Glibc

/// A system call on a file failed.
package struct SystemError: Error, CustomStringConvertible {
    package let path: [UInt8]
    package let action: String
    package let code: CInt

    /// Takes `errno` as it stands.
    package init(_ path: [UInt8], _ action: String) {
        self.path = path
        self.action = action
        code = errno
    }

    /// What the system says about it.
    package var reason: String { unsafe String(cString: strerror(code)) }

    /// The disk or the quota is full: worth another try later.
    package var isOutOfSpace: Bool { code == ENOSPC || code == EDQUOT }

    package var description: String {
        "\(String(decoding: path, as: UTF8.self)): cannot \(action): \(reason)"
    }
}
