import Glibc
import StageKit

/// Reads a file line by line through one buffer, which grows only for a line that is longer than it.
///
/// An error leaves the reader where it was: the next call tries again.
@safe final class LineReader {
    /// A line, valid until the next call of the reader. Of one that is too long, its beginning.
    @unsafe struct Line {
        let bytes: UnsafeRawBufferPointer

        /// Bytes of the whole line, without its end.
        let length: Int
        let isTooLong: Bool
    }

    /// How much of a line that is too long is kept as evidence.
    static let evidenceBytes = 4096

    let maximumLineBytes: Int

    private var stream: ByteStream?
    private let unpacks: Bool

    // buffer[start..<filled] has been read and not yet delivered; in the first `searched` bytes of it is no newline.
    private var buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var filled = 0
    private var searched = 0

    /// Where in the file the byte behind buffer[filled - 1] stands.
    private var fileOffset = 0

    /// Of a line that is too long: how much of it has been thrown away, and its beginning.
    private var skipped = 0
    private let evidence: UnsafeMutableRawBufferPointer
    private var evidenceCount = 0

    init(maximumLineBytes: Int, unpacks: Bool, chunkBytes: Int = 1 << 20) {
        self.unpacks = unpacks
        self.maximumLineBytes = maximumLineBytes
        unsafe buffer = .allocate(byteCount: chunkBytes, alignment: 16)
        unsafe evidence = .allocate(byteCount: Self.evidenceBytes, alignment: 16)
    }

    deinit {
        unsafe buffer.deallocate()
        unsafe evidence.deallocate()
    }

    /// Position of the next line.
    var offset: Int { fileOffset - (filled - start) }

    /// Opens `path` at `offset`; answers with what is wrong with the file, or nil.
    func open(_ path: [UInt8], at offset: Int) throws -> String? {
        let (size, isRegular) = try File.reading(path).status()
        guard isRegular else { return "is not a regular file; write it to one first" }
        let opened = try ByteStream(path, unpacks: unpacks)
        if offset > 0 {
            let isThere = try opened.skip(to: offset - 1)
            var last: UInt8 = 0
            let count = unsafe try withUnsafeMutableBytes(of: &last) { unsafe isThere ? try opened.read(into: $0) : 0 }
            guard count == 1 else {
                let found = unpacks && ByteStream.isPacked(path) ? opened.offset : size
                return "has \(found) bytes, but \(offset) of them were read before; the file has changed: "
                    + "put it back, or start over"
            }
            // The last line needs no end: what was read up to the end of the file may end in anything.
            if last != UInt8(ascii: "\n"), try !isAtEnd(path, offset) {
                return "was read up to byte \(offset), which is no longer the end of a line; the file has changed: "
                    + "put it back, or start over"
            }
        }
        stream = opened
        (start, filled, searched, skipped, fileOffset) = (0, 0, 0, 0, offset)
        return nil
    }

    private func isAtEnd(_ path: [UInt8], _ offset: Int) throws -> Bool {
        let probe = try ByteStream(path, unpacks: unpacks)
        return try !probe.skip(to: offset + 1)
    }

    /// The next line without its end, or nil at the end of the file.
    func next() throws -> Line? {
        if skipped > 0 { return unsafe try skipRest() }
        while true {
            if let newline = newline(from: start + searched) {
                let line = unsafe line(start..<newline)
                start = newline + 1
                searched = 0
                return unsafe line
            }
            searched = filled - start
            // One byte more than allowed may still be the CR of a line that is just long enough.
            if searched > maximumLineBytes + 1 { return unsafe try skipRest() }
            if try fill() == 0 {
                guard start < filled else { return nil }
                let line = unsafe line(start..<filled)
                start = filled
                searched = 0
                return unsafe line
            }
        }
    }

    private func newline(from: Int) -> Int? {
        guard from < filled, let base = unsafe buffer.baseAddress,
            let place = unsafe memchr(base + from, CInt(UInt8(ascii: "\n")), filled - from)
        else { return nil }
        return unsafe UnsafeRawPointer(place) - UnsafeRawPointer(base)
    }

    private func line(_ range: Range<Int>) -> Line {
        var end = range.upperBound
        if end > range.lowerBound, unsafe buffer[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        let length = end - range.lowerBound
        let isTooLong = length > maximumLineBytes
        let shown = isTooLong ? min(length, Self.evidenceBytes) : length
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[range.lowerBound..<(range.lowerBound + shown)])
        return unsafe Line(bytes: bytes, length: length, isTooLong: isTooLong)
    }

    /// Throws away the rest of a line that is too long, buffer by buffer.
    private func skipRest() throws -> Line? {
        if skipped == 0 {
            evidenceCount = min(filled - start, Self.evidenceBytes)
            unsafe evidence.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<(start + evidenceCount)]))
        }
        var last: UInt8 = 0
        while true {
            let end = newline(from: start) ?? filled
            if end > start { last = unsafe buffer[end - 1] }
            skipped += end - start
            let isWhole = end < filled
            start = isWhole ? end + 1 : end
            searched = 0
            if !isWhole, try fill() > 0 { continue }
            let length = skipped - (last == UInt8(ascii: "\r") ? 1 : 0)
            skipped = 0
            return unsafe Line(
                bytes: UnsafeRawBufferPointer(rebasing: evidence[..<evidenceCount]), length: length, isTooLong: true)
        }
    }

    /// Reads more behind what is there; 0 at the end of the file.
    private func fill() throws -> Int {
        if start > 0 {
            if start < filled, let base = unsafe buffer.baseAddress {
                unsafe memmove(base, base + start, filled - start)
            }
            filled -= start
            start = 0
        }
        if unsafe filled == buffer.count { grow() }
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
        let count = unsafe try stream?.read(into: room) ?? 0
        filled += count
        fileOffset += count
        return count
    }

    private func grow() {
        let larger = unsafe UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 16)
        unsafe larger.copyMemory(from: UnsafeRawBufferPointer(buffer))
        unsafe buffer.deallocate()
        unsafe buffer = larger
    }

    /// Lines of a file, counted as they would be read.
    static func countLines(_ path: [UInt8]) throws -> Int {
        let reader = LineReader(maximumLineBytes: 1 << 28, unpacks: false)
        _ = try reader.open(path, at: 0)
        var count = 0
        while unsafe try reader.next() != nil { count += 1 }
        return count
    }
}
