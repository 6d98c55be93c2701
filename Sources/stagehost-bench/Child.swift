import CBench
import Glibc
import LinuxIO

/// A program that was started to be measured.
struct Child: Sendable {
    /// Wall and processor time, and how it ended.
    struct Usage: Sendable {
        var seconds: Double
        /// Of the program and all its children that it has waited for.
        var processorSeconds: Double
        /// The exit code, or the signal below zero.
        var status: Int32
    }

    let pid: Int32
    /// When it was started, in nanoseconds of the monotonic clock.
    let begun: UInt64
    private let words: String
    private let scratch: Scratch

    /// posix_spawnp; -1 stands for /dev/null.
    static func start(
        _ words: [String], in scratch: Scratch, input: Int32 = -1, output: Int32 = -1, error: Int32 = -1
    ) throws(BenchError) -> Child {
        // Nothing of the caller's surroundings may change what is measured.
        let environment = environmentStrings().filter { !$0.hasPrefix("STAGEHOST_") }
        var pid: Int32 = 0
        let begun = cbench_now()
        let result = unsafe withCStrings(words) { arguments in
            unsafe withCStrings(environment) { environment in
                unsafe cbench_spawn(&pid, arguments, environment, input, output, error)
            }
        }
        try checked("posix_spawnp", words[0], result)
        scratch.remember(pid)
        return Child(pid: pid, begun: begun, words: words.joined(separator: " "), scratch: scratch)
    }

    /// Waits for its end, whatever that is.
    func wait() throws(BenchError) -> Usage {
        var usage = cbench_usage()
        let result = unsafe cbench_wait(pid, begun, &usage)
        scratch.forget(pid)
        try checked("wait4", words, result)
        return Usage(
            seconds: Double(usage.wall_nanoseconds) / 1e9, processorSeconds: Double(usage.cpu_nanoseconds) / 1e9,
            status: usage.exit_code)
    }

    var hasEnded: Bool { cbench_has_ended(pid) != 0 }

    func kill() { _ = Glibc.kill(pid, SIGKILL) }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("the array holds at least its NULL") }
        return unsafe body(base)
    }
}
