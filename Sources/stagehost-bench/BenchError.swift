import LinuxIO

/// Why a benchmark cannot be run, or is worth nothing: one line, and the exit code.
struct BenchError: Error {
    var message: String
    var code: Int32

    static func usage(_ message: String) -> BenchError { BenchError(message: message, code: 64) }
    static func failed(_ message: String) -> BenchError { BenchError(message: message, code: 70) }
}

/// Runs what speaks to the system; its error becomes one of ours.
func onSystem<Result: ~Copyable>(_ body: () throws(SystemError) -> Result) throws(BenchError) -> Result {
    do throws(SystemError) { return try body() } catch { throw .failed("\(error)") }
}

/// Takes the result of a C function that returns -errno.
@discardableResult
func checked(_ call: String, _ subject: String, _ result: Int32) throws(BenchError) -> Int32 {
    guard result < 0 else { return result }
    throw .failed("\(SystemError(call, subject, code: -result))")
}
