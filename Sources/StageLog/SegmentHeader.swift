/// The first 64 bytes of a segment: whose it is and which. See `docs/log-format.md`.
struct SegmentHeader: Equatable {
    static let byteCount = 64
    static let version: UInt32 = 1
    private static let magic = Array("STAGELOG".utf8)

    /// Length of the file when it got its name: all of it is durable.
    var created: UInt32
    var identity: UInt64
    var number: UInt64
    /// Header and entries of the segment before, without its seal.
    var predecessor: UInt64

    var encoded: [UInt8] {
        var bytes = Self.magic + [UInt8](repeating: 0, count: Self.byteCount - Self.magic.count)
        bytes.put(Self.version, at: 8)
        bytes.put(created, at: 12)
        bytes.put(identity, at: 16)
        bytes.put(number, at: 24)
        bytes.put(predecessor, at: 32)
        bytes.put(crc32c(bytes, 0..<60), at: 60)
        return bytes
    }

    static func decode(_ bytes: [UInt8], file: String) throws(LogError) -> SegmentHeader {
        guard bytes.count >= byteCount else {
            throw .damaged(file, 0, expected: "a segment header of \(byteCount) bytes", found: "\(bytes.count) bytes")
        }
        let magicFound: UInt64 = bytes.integer(at: 0)
        guard magicFound == magic.integer(at: 0, as: UInt64.self) else {
            throw .damaged(file, 0, expected: "STAGELOG", found: hexadecimal(magicFound))
        }
        let stored: UInt32 = bytes.integer(at: 60)
        let computed = crc32c(bytes, 0..<60)
        guard stored == computed else {
            throw .damaged(file, 60, expected: "header checksum \(hexadecimal(computed))", found: hexadecimal(stored))
        }
        // After the checksum, so that a flipped bit is not taken for a later version.
        let version: UInt32 = bytes.integer(at: 8)
        guard version == Self.version else {
            throw LogError(
                .unsupported, file: file, offset: 8, expected: "log format version \(Self.version)",
                found: "version \(version)", help: "use the program that wrote it")
        }
        return SegmentHeader(
            created: bytes.integer(at: 12), identity: bytes.integer(at: 16), number: bytes.integer(at: 24),
            predecessor: bytes.integer(at: 32))
    }
}

/// Names of the files of a log.
enum SegmentName {
    static func of(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits + ".log"
    }

    /// The number in a segment's name; nil when it is the name of something else.
    static func number(_ name: String) -> UInt64? {
        guard name.hasSuffix(".log"), name.utf8.count == 20, let number = UInt64(name.dropLast(4)), number > 0 else {
            return nil
        }
        return of(number) == name ? number : nil
    }
}
