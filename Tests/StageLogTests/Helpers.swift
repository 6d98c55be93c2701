import Glibc
import Testing

@testable import StageLog

/// Folder of the log in all tests on a simulated disk.
let logFolder = "job/stage"

func segmentPath(_ number: UInt64) -> String { logFolder + "/" + SegmentName.of(number) }

extension SimulatedDisk {
    func openLog(segmentBytes: UInt64 = 1 << 20, readOnly: Bool = false) throws -> (log: StageLog, recovery: Recovery) {
        try StageLog.open(
            disk: self, folder: logFolder,
            options: LogOptions(segmentBytes: segmentBytes, readOnly: readOnly, identity: 0x0123_4567_89AB_CDEF))
    }

    /// A disk with the same files and nothing in flight.
    func copied() -> SimulatedDisk {
        let copy = SimulatedDisk()
        for path in paths { copy.place(bytes(path) ?? [], at: path) }
        return copy
    }

    func poke(_ path: String, at offset: Int, _ change: (UInt8) -> UInt8) {
        var content = bytes(path) ?? []
        content[offset] = change(content[offset])
        place(content, at: path)
    }

    func cut(_ path: String, to length: Int) { place(Array((bytes(path) ?? []).prefix(length)), at: path) }
}

/// Content that can be told from the content of every other batch and part.
func payload(_ batch: UInt64, _ part: Int, bytes: Int) -> [UInt8] {
    var random = SeededRandom(seed: batch &* 1000 &+ UInt64(part))
    return (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) }
}

extension StageLog {
    /// Appends a batch of three inputs: two passed on, one filtered.
    @discardableResult
    func appendWhole(_ batch: UInt64, bytes: Int = 40, checkpoint: Bool = false) throws -> EntryLocation {
        try append(
            LogEntry(
                .whole, batch: batch, flags: checkpoint ? .hasCheckpoint : [], inputs: 3, passed: 2, filtered: 1,
                outputs: 2, time: 1_700_000_000),
            records: payload(batch, 0, bytes: bytes), extra: Array("checkpoint \(batch)".utf8))
    }

    @discardableResult
    func appendPartial(_ batch: UInt64, _ part: Int, bytes: Int = 24) throws -> EntryLocation {
        try append(
            LogEntry(.partial, batch: batch, inputs: 1, passed: 1, outputs: 1, time: 1_700_000_000),
            records: payload(batch, part, bytes: bytes))
    }

    /// Appends several entries in as few writes as it takes.
    ///
    /// - Parameter wrote: Called after each write, with how many entries it took.
    func appendTogether(_ parts: [(entry: LogEntry, records: [UInt8], extra: [UInt8])], wrote: (Int) -> Void = { _ in }) throws {
        let all = parts.flatMap { $0.records + $0.extra }
        let result: Result<Void, LogError> = unsafe all.withUnsafeBytes { all in
            var start = 0
            let entries = parts.map { part in
                let middle = start + part.records.count
                defer { start = middle + part.extra.count }
                return unsafe NewEntry(
                    entry: part.entry, records: [UnsafeRawBufferPointer(rebasing: all[start..<middle])],
                    extra: UnsafeRawBufferPointer(rebasing: all[middle..<middle + part.extra.count]))
            }
            var rest = entries[...]
            while !rest.isEmpty {
                do throws(LogError) {
                    let count = try append(rest)
                    rest = rest.dropFirst(count)
                    wrote(count)
                } catch { return .failure(error) }
            }
            return .success(())
        }
        try result.get()
    }

    /// The records of all entries of a whole batch.
    func outcome(of batch: UInt64) throws -> [[UInt8]] { try entries(of: batch).map { try records(of: $0) } }
}

/// A folder in the real file system that goes away with the object.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/stagelog-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        let disk = FileDisk()
        for folder in [path + "/log", path] {
            for name in (try? disk.list(folder)) ?? [] { try? disk.unlink(folder + "/" + name) }
            unsafe _ = rmdir(folder)
        }
    }
}

/// How much more than usual the random tests do: STAGEHOST_STORM=n.
var storm: Int {
    guard let value = unsafe getenv("STAGEHOST_STORM") else { return 1 }
    return unsafe max(1, Int(String(cString: value)) ?? 1)
}
