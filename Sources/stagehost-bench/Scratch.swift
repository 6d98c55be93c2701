import Glibc
import LinuxIO
import Synchronization

/// The temporary folder of a run, and the programs that work in it: all of that is gone when the run ends, also by Ctrl-C.
final class Scratch: Sendable {
    let path: String
    private let children = Mutex<Set<Int32>>([])

    init(in folder: String) throws(BenchError) {
        // mkdtemp puts a name of its own in the place of the six letters.
        var template = Array((folder + "/stagehost-bench.XXXXXX").utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return false }
            return unsafe mkdtemp(base) != nil
        }
        guard made else { throw .failed("\(SystemError("mkdtemp", folder, code: errno))") }
        path = template.dropLast().withUnsafeBytesAsText()
        removeWhenInterrupted()
    }

    func file(_ name: String) -> String { path + "/" + name }

    func remember(_ pid: Int32) { children.withLock { _ = $0.insert(pid) } }
    func forget(_ pid: Int32) { children.withLock { _ = $0.remove(pid) } }

    func remove() {
        children.withLock { pids in
            for pid in pids {
                _ = kill(pid, SIGKILL)
                var status: Int32 = 0
                _ = unsafe waitpid(pid, &status, 0)
            }
            pids.removeAll()
        }
        // Workers end with their host, but not in the same instant: they may still be writing.
        for _ in 0..<100 {
            if (try? removeTree(path)) != nil { return }
            usleep(10_000)
        }
        Console.say("warning: \(path) could not be removed")
    }

    /// SIGINT and SIGTERM are taken by a thread of their own, which cleans up before it leaves.
    private func removeWhenInterrupted() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGINT)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        var thread = pthread_t()
        unsafe pthread_create(&thread, nil, { context in
            guard let context = unsafe context else { return nil }
            let scratch = unsafe Unmanaged<Scratch>.fromOpaque(context).takeRetainedValue()
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            unsafe sigaddset(&signals, SIGINT)
            unsafe sigaddset(&signals, SIGTERM)
            var number: Int32 = 0
            guard unsafe sigwait(&signals, &number) == 0 else { return nil }
            scratch.remove()
            _exit(128 + number)
        }, context)
    }
}

extension ArraySlice where Element == CChar {
    fileprivate func withUnsafeBytesAsText() -> String {
        String(decoding: map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
