import CLinux
import CWorker
import Glibc

/// Moves the descriptors that matter to high numbers, before any code of a plugin runs: what a plugin prints, reads or
/// closes by its usual number is then harmless.
enum Descriptors {
    static func takeForServing() throws(Departure) -> (
        requests: Int32, answers: Int32, words: Int32, page: Page, payloads: PayloadMemory?
    ) {
        let requests = try lift(0, "requests")
        let answers = try lift(1, "answers")
        let words = try lift(2, "stderr")
        let page = try Page(descriptor: 3)
        close(3)
        var payloads: PayloadMemory?
        if page.hasSharedMemory {
            payloads = try PayloadMemory(reading: 4, writing: 5)
        }
        try replaceStandardOnes()
        return (requests, answers, words, page, payloads)
    }

    /// `output` is where the description goes.
    static func takeForDescribing() throws(Departure) -> (output: Int32, words: Int32) {
        let output = try lift(1, "stdout")
        let words = try lift(2, "stderr")
        try replaceStandardOnes()
        return (output, words)
    }

    private static func lift(_ descriptor: Int32, _ name: String) throws(Departure) -> Int32 {
        let lifted = cworker_lift(descriptor)
        guard lifted >= 0 else { throw .system("descriptor \(descriptor) (\(name))", lifted) }
        return lifted
    }

    private static func replaceStandardOnes() throws(Departure) {
        let nothing = unsafe clinux_open("/dev/null", O_RDWR, 0)
        guard nothing >= 0 else { throw .system("/dev/null", nothing) }
        guard dup2(nothing, 0) == 0, dup2(2, 1) == 1 else { throw .system("stdin and stdout", errno) }
        if nothing > 2 { close(nothing) }
    }
}
