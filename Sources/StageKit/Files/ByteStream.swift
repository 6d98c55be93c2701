/// The content of a file from front to back: as it is, or unpacked when its name ends in `.gz` or `.zst`.
///
/// Positions count unpacked bytes. To open a packed file at a position all before it is unpacked again.
@safe package final class ByteStream {
    private enum Content {
        case plain(PlainFile)
        case gzip(GzipFile)
        case zstd(ZstdFile)
    }

    private let content: Content
    private let path: [UInt8]

    /// Unpacked bytes before the next one that is read.
    package private(set) var offset = 0

    /// Opens `path`; `unpacks: false` leaves packed files as they are. Throws ``SystemError``, or ``DynamicLibraryError`` when
    /// the library that unpacks is missing.
    package init(_ path: [UInt8], unpacks: Bool) throws {
        self.path = path
        let file = try File.reading(path)
        switch unpacks ? Packing(name: path) : nil {
        case .gzip: content = .gzip(try GzipFile(file))
        case .zstd: content = .zstd(try ZstdFile(file))
        case nil:
            file.adviseSequential()
            content = .plain(PlainFile(file))
        }
    }

    /// Whether the name says that the content is packed.
    package static func isPacked(_ path: [UInt8]) -> Bool { Packing(name: path) != nil }

    /// Reads up to `buffer.count` bytes; 0 at the end. Throws ``SystemError``, or ``DamagedFile``.
    @unsafe package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count: Int
        do {
            switch content {
            case .plain(let file): count = unsafe try file.file.read(into: buffer, at: offset)
            case .gzip(let file): count = unsafe try file.read(into: buffer)
            case .zstd(let file): count = unsafe try file.read(into: buffer)
            }
        } catch let error as UnpackingError {
            throw DamagedFile(
                description: "\(String(decoding: path, as: UTF8.self)): cannot be unpacked after \(offset) bytes of content: "
                    + "\(error.reason); put a whole file in its place")
        }
        offset += count
        return count
    }

    /// Moves on to `target`; false when the content ends before it.
    package func skip(to target: Int) throws -> Bool {
        if case .plain(let file) = content {
            guard try file.file.status().size >= target else { return false }
            offset = target
            return true
        }
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { unsafe room.deallocate() }
        while offset < target {
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: room[..<min(room.count, target - offset)])
            if unsafe try read(into: part) == 0 { return false }
        }
        return true
    }

    /// The whole content, unless it is longer than `limit`: then nil.
    package static func contents(_ path: [UInt8], upTo limit: Int) throws -> [UInt8]? {
        let stream = try ByteStream(path, unpacks: true)
        var result: [UInt8] = []
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { unsafe room.deallocate() }
        while true {
            let count = unsafe try stream.read(into: room)
            if count == 0 { return result }
            guard result.count + count <= limit else { return nil }
            unsafe result.append(contentsOf: room[..<count])
        }
    }
}

/// How the content of a file is packed, by its name.
private enum Packing {
    case gzip, zstd

    init?(name: [UInt8]) {
        if name.ends(with: ".gz") { self = .gzip } else if name.ends(with: ".zst") { self = .zstd } else { return nil }
    }
}

extension [UInt8] {
    fileprivate func ends(with text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}

/// A noncopyable file where an enum needs a class.
private final class PlainFile {
    let file: File

    init(_ file: consuming File) { self.file = file }
}

/// A packed file is not what its name says, is damaged, or ends too early.
package struct DamagedFile: Error, CustomStringConvertible {
    package let description: String
}

/// What the library that unpacks said.
struct UnpackingError: Error {
    let reason: String
}
