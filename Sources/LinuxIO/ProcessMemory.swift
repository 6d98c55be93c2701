/// What a process has in memory, by `/proc/PID/status` (proc_pid_status(5)).
package struct ProcessMemory {
    /// Resident bytes in all (VmRSS), and those of them that are shared memory (RssShmem).
    package private(set) var residentBytes: UInt64
    package private(set) var sharedBytes: UInt64 = 0

    /// nil when the process has ended.
    package init?(of pid: Int32) {
        guard let text = try? readSmallFile("/proc/\(pid)/status") else { return nil }
        var resident: UInt64?
        for line in text.split(separator: UInt8(ascii: "\n")) {
            if line.starts(with: "VmRSS:".utf8) { resident = Self.kibibytes(line) }
            if line.starts(with: "RssShmem:".utf8) { sharedBytes = Self.kibibytes(line) }
        }
        guard let resident else { return nil }
        residentBytes = resident
    }

    /// The number in a line such as "VmRSS:     1234 kB", as bytes.
    private static func kibibytes(_ line: some Sequence<UInt8>) -> UInt64 {
        line.reduce(0) { sum, byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? sum &* 10 &+ UInt64(byte - UInt8(ascii: "0")) : sum
        } &* 1024
    }
}
