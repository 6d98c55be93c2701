import Glibc

/// Whether the file of a library is as long as its headers say.
///
/// The loader maps what the headers name and believes them: of a file that was cut short (a full disk, a copy that
/// broke off) it touches pages behind the end, and the worker dies of SIGBUS without a word.
enum LibraryExtent {
    private static let programHeaderBytes = 56
    private static let sectionHeaderBytes = 64
    private static let loadable: UInt32 = 1
    private static let dynamic: UInt32 = 2
    /// More than any linker writes.
    private static let mostProgramHeaders = 4_096

    /// - Parameter header: The first 64 bytes of the file, whose identification and machine have been checked.
    static func check(_ path: String, _ descriptor: Int32, _ header: [UInt8]) throws(Refusal) {
        let end = lseek(descriptor, 0, SEEK_END)
        guard end >= 0 else {
            throw Refusal(path, found: errorText(errno), expected: "a readable file", hint: "name the library itself")
        }
        let size = UInt64(end)
        let count = Int(number(header, 56, 2))
        guard number(header, 54, 2) == UInt64(programHeaderBytes), (1...mostProgramHeaders).contains(count) else {
            throw damaged(path, "\(count) program headers of \(number(header, 54, 2)) bytes")
        }
        let start = number(header, 32, 8)
        try need(path, start, UInt64(count * programHeaderBytes), size, "the table of its segments")
        var table = [UInt8](repeating: 0, count: count * programHeaderBytes)
        let got = unsafe table.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, off_t(start)) }
        guard got == table.count else { throw damaged(path, "no table of segments") }

        var segments = 0
        var dynamics = 0
        for index in 0..<count {
            let at = index * programHeaderBytes
            let type = number(table, at, 4)
            guard type == UInt64(loadable) || type == UInt64(dynamic) else { continue }
            let inFile = number(table, at + 32, 8)
            try need(path, number(table, at + 8, 8), inFile, size, "segment \(index)")
            guard inFile <= number(table, at + 40, 8) else {
                throw damaged(path, "segment \(index) with more bytes in the file than in memory")
            }
            if type == UInt64(loadable) { segments += 1 } else { dynamics += 1 }
        }
        guard segments > 0, dynamics == 1 else {
            throw damaged(path, "\(segments) segments to load and \(dynamics) dynamic sections")
        }
        // The loader does without sections, and a file may have none; one that ends before them has been cut.
        let sections = number(header, 40, 8)
        if sections != 0, number(header, 58, 2) == UInt64(sectionHeaderBytes) {
            try need(path, sections, number(header, 60, 2) * UInt64(sectionHeaderBytes), size, "the table of its sections")
        }
    }

    private static func need(_ path: String, _ start: UInt64, _ length: UInt64, _ size: UInt64, _ what: String) throws(Refusal) {
        let (end, overflow) = start.addingReportingOverflow(length)
        guard !overflow, end <= size else {
            throw Refusal(
                path, found: "a library cut short at \(size) bytes",
                expected: overflow ? "headers that make sense" : "\(end) bytes at least, where \(what) ends",
                hint: "build or copy it again; was the disk full?")
        }
    }

    private static func damaged(_ path: String, _ found: String) -> Refusal {
        Refusal(path, found: found, expected: "the segments of a shared library", hint: "the file is damaged: build or copy it again")
    }

    /// A little-endian number.
    private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
