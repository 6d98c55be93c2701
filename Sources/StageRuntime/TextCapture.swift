import Glibc
import LinuxIO
import StageWire

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
    /// With what the worker says itself when it crashes: that must not push out the plugin's own last words.
    private static let keptBytes = limitBytes + PageLayout.maximumCrashTextBytes + 256
    private(set) var bytes: [UInt8] = []

    mutating func append(_ more: ArraySlice<UInt8>) {
        bytes.append(contentsOf: more.suffix(Self.keptBytes))
        if bytes.count > 2 * Self.keptBytes { bytes.removeFirst(bytes.count - Self.keptBytes) }
    }

    /// The last 4 KiB.
    ///
    /// - Parameter report: How the last line begins from which on the worker says what stands elsewhere.
    func text(without report: String? = nil) -> String {
        var end = bytes.count
        if let report = report.map({ Array($0.utf8) }), bytes.count >= report.count {
            let start = stride(from: bytes.count - report.count, through: 0, by: -1).first { start in
                (start == 0 || bytes[start - 1] == UInt8(ascii: "\n")) && bytes[start..<start + report.count].elementsEqual(report)
            }
            end = start ?? end
        }
        return String(decoding: bytes[..<end].suffix(Self.limitBytes), as: UTF8.self)
    }
}
