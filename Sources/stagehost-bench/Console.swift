import Glibc
import LinuxIO

/// Where results and remarks go.
enum Console {
    /// A remark, to stderr: what is being measured, what went wrong.
    static func say(_ line: String) { write(line + "\n", to: 2) }

    /// A result, to stdout.
    static func print(_ text: String) { write(text.hasSuffix("\n") ? text : text + "\n", to: 1) }

    private static func write(_ text: String, to number: Int32) {
        let descriptor = Descriptor(owning: dup(number))
        try? descriptor.writeAll(Array(text.utf8))
    }
}
