import Glibc
import LinuxIO

/// What the workers of a stage write to stdout and stderr: a file of bounded size, one older file beside it.
package final class StageTextFile {
    private let path: String
    private let limitBytes: UInt64
    private var file: Descriptor?
    private var written: UInt64 = 0

    init(path: String, limitBytes: UInt64 = 16 << 20) {
        self.path = path
        self.limitBytes = limitBytes
        written = FileFacts(of: path)?.bytes ?? 0
    }

    /// Appends; a full disk loses text, never work.
    func append(_ bytes: ArraySlice<UInt8>) {
        if written > limitBytes {
            file = nil
            _ = unsafe rename(path, path + ".1")
            written = 0
        }
        if file == nil { file = try? Descriptor.open(path, flags: O_WRONLY | O_APPEND | O_CREAT) }
        guard file != nil else { return }
        try? file?.writeAll(Array(bytes))
        written += UInt64(bytes.count)
    }
}

/// The end of what one worker has written: evidence, should it die.
struct TextTail {
    static let limitBytes = 4_096
    private(set) var bytes: [UInt8] = []

    mutating func append(_ more: ArraySlice<UInt8>) {
        bytes.append(contentsOf: more.suffix(Self.limitBytes))
        if bytes.count > 2 * Self.limitBytes { bytes.removeFirst(bytes.count - Self.limitBytes) }
    }

    var text: String { String(decoding: bytes.suffix(Self.limitBytes), as: UTF8.self) }
}
