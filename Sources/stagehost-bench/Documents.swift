import CBench
import LinuxIO

/// The input of the benchmarks, and the check of what came of it.
struct Documents: Sendable {
    let path: String
    let count: Int
    var bytes: UInt64 { FileFacts(of: path)?.bytes ?? 0 }

    /// Writes `count` documents of about 300 bytes, or `short` ones of an id alone: the same ones every time.
    init(_ count: Int, short: Bool = false, in scratch: Scratch) throws(BenchError) {
        self.count = count
        path = scratch.file("documents.\(count)\(short ? ".short" : "").jsonl")
        guard !fileExists(path) else { return }
        if short {
            try checked("write", path, unsafe cbench_generate_short(path, UInt64(count)))
        } else {
            try checked("write", path, unsafe cbench_generate(path, UInt64(count), 42))
        }
    }

    /// Whether an output holds each document once: all of them, or those that the reference job keeps.
    func check(_ output: String, keepsAll: Bool) throws(BenchError) {
        var verdict = cbench_verdict()
        try checked("read", output, unsafe cbench_check(output, UInt64(count), keepsAll ? 1 : 0, &verdict))
        guard verdict.missing == 0, verdict.duplicate == 0, verdict.wrong == 0 else {
            throw .failed(
                "\(output): found \(verdict.missing) documents missing, \(verdict.duplicate) twice and \(verdict.wrong) wrong lines, expected none")
        }
    }
}
