import Glibc
import LinuxIO

/// A file that grows while it is read, and that may be replaced by a new one of the same name; the one before is then called
/// NAME.1 until the next is.
final class FollowedFile {
    private let path: String
    private var file: Descriptor?

    /// - Parameters:
    ///   - tailBytes: Begins so far before the end; nil: at the beginning.
    ///   - older: Begins with the file before, where there is one.
    init(_ path: String, tailBytes: Int? = nil, older: Bool = false) {
        self.path = path
        if older { file = try? Descriptor.open(path + ".1", flags: O_RDONLY) }
        guard let tailBytes, let opened = try? Descriptor.open(path, flags: O_RDONLY) else { return }
        if lseek(opened.number, 0, SEEK_END) > off_t(tailBytes) { lseek(opened.number, -off_t(tailBytes), SEEK_END) } else { lseek(opened.number, 0, SEEK_SET) }
        file = consume opened
    }

    private var number: Int32? {
        switch file {
        case .some(let open): open.number
        case .none: nil
        }
    }

    /// Hands over what has been added since the last time, a piece after the other.
    func readMore(_ body: ([UInt8]) -> Void) {
        while true {
            if file == nil { file = try? Descriptor.open(path, flags: O_RDONLY) }
            guard file != nil else { return }
            drain(body)
            guard isReplaced else { return }
            // Whatever was written between the last read and the renaming.
            drain(body)
            file = between()
        }
    }

    /// The file that came after the open one and has been replaced meanwhile, too. What came in between, if it was replaced more often,
    /// is on no disk any more.
    private func between() -> Descriptor? {
        guard let number, let older = try? Descriptor.open(path + ".1", flags: O_RDONLY) else { return nil }
        var open = stat()
        var before = stat()
        guard unsafe fstat(number, &open) == 0, unsafe fstat(older.number, &before) == 0 else { return nil }
        if open.st_ino == before.st_ino, open.st_dev == before.st_dev { return nil }
        return older
    }

    private func drain(_ body: ([UInt8]) -> Void) {
        guard let number else { return }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            body(Array(chunk[..<count]))
        }
    }

    private var isReplaced: Bool {
        guard let number else { return false }
        var open = stat()
        var named = stat()
        guard unsafe fstat(number, &open) == 0, unsafe stat(path, &named) == 0 else { return false }
        return open.st_ino != named.st_ino || open.st_dev != named.st_dev
    }
}

/// Calls `body` about ten times a second for as long as a host has the job, and once more when it has gone.
func whileRunning(_ isRunning: () -> Bool, _ body: () -> Void) {
    while isRunning() {
        body()
        _ = poll(nil, 0, 100)
    }
    body()
}
