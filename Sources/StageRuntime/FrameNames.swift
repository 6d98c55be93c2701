import Glibc
import LinuxIO
import StageScheduler

/// Names for the frames of a backtrace that the dynamic loader knew none for: a plugin exports its entry and nothing else, but
/// the symbol table in its file, if it was not stripped, has all functions.
///
/// The file is the plugin's, and may say anything: every place in it is checked, and what is odd leaves the frames as they were.
/// For letters only, on the storage thread: a symbol table can be large.
struct FrameNames {
    private static let sectionHeaderBytes = 64
    private static let symbolBytes = 24
    private static let symbolTable: UInt64 = 2
    private static let function: UInt8 = 2
    private static let mostSections = 65_536
    private static let limitBytes: UInt64 = 256 << 20
    private static let longestName = 512

    private let module: String
    private var symbols: [UInt8] = []
    private var strings: [UInt8] = []

    /// - Parameter path: The library.
    init(ofPlugin path: String) {
        module = path.split(separator: "/").last.map(String.init) ?? path
        guard let size = FileFacts(of: path)?.bytes, let file = try? Descriptor.open(path, flags: O_RDONLY),
            let header = Self.read(file, size, 0, 64)
        else { return }
        let count = Int(Self.number(header, 60, 2))
        guard header[0..<4] == [0x7F, 0x45, 0x4C, 0x46], header[4] == 2, header[5] == 1, count <= Self.mostSections,
            Self.number(header, 58, 2) == UInt64(Self.sectionHeaderBytes),
            let sections = Self.read(file, size, Self.number(header, 40, 8), UInt64(count * Self.sectionHeaderBytes))
        else { return }
        for index in 0..<count {
            let at = index * Self.sectionHeaderBytes
            let link = Int(Self.number(sections, at + 40, 4))
            guard Self.number(sections, at + 4, 4) == Self.symbolTable, link < count else { continue }
            let named = link * Self.sectionHeaderBytes
            symbols = Self.read(file, size, Self.number(sections, at + 24, 8), Self.number(sections, at + 32, 8)) ?? []
            strings = Self.read(file, size, Self.number(sections, named + 24, 8), Self.number(sections, named + 32, 8)) ?? []
            return
        }
    }

    /// The text, with a name behind each frame of this module that has none: "libx.so+0x1f40 parse+0x12".
    func adding(to evidence: String) -> String {
        guard symbols.count >= Self.symbolBytes else { return evidence }
        var isInnermost = true
        var lines: [String] = []
        for line in evidence.split(separator: "\n", omittingEmptySubsequences: false) {
            // What follows are the plugin's own words.
            if line == "stderr:" || lines.count > 256 {
                lines.append(String(evidence[line.startIndex...]))
                break
            }
            lines.append(String(line) + (name(of: line, isInnermost: isInnermost).map { " " + $0 } ?? ""))
            if line.contains("+0x") { isInnermost = false }
        }
        return lines.joined(separator: "\n")
    }

    private func name(of line: Substring, isInnermost: Bool) -> String? {
        guard line.hasPrefix(module + "+0x"), !line.contains(" "),
            let offset = UInt64(line.dropFirst(module.count + 3), radix: 16), offset > 0
        else { return nil }
        // A return address points behind the call: one less is inside it.
        let inside = isInnermost ? offset : offset - 1
        for at in stride(from: 0, through: symbols.count - Self.symbolBytes, by: Self.symbolBytes)
        where symbols[at + 4] & 15 == Self.function {
            let start = Self.number(symbols, at + 8, 8)
            guard inside >= start, inside - start < Self.number(symbols, at + 16, 8) else { continue }
            let name = Int(Self.number(symbols, at, 4))
            guard name < strings.count else { return nil }
            let text = strings[name...].prefix(Self.longestName).prefix { $0 != 0 }
            return text.isEmpty ? nil : "\(String(decoding: text, as: UTF8.self))+0x\(String(offset - start, radix: 16))"
        }
        return nil
    }

    private static func read(_ file: borrowing Descriptor, _ size: UInt64, _ offset: UInt64, _ count: UInt64) -> [UInt8]? {
        guard count <= limitBytes, let start = off_t(exactly: offset), offset <= size,
            count <= size - offset
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(count))
        let got = unsafe bytes.withUnsafeMutableBytes { unsafe pread(file.number, $0.baseAddress, $0.count, start) }
        return got == bytes.count ? bytes : nil
    }

    /// A little-endian number.
    private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        var result: UInt64 = 0
        for index in 0..<count { result |= UInt64(bytes[offset + index]) << UInt64(8 * index) }
        return result
    }
}

extension Commit {
    /// The same, with the names of the plugin's functions in the backtraces of its letters.
    func naming(framesOf plugin: String) -> Commit {
        guard letters.contains(where: { $0.evidence.contains("+0x") }) else { return self }
        let names = FrameNames(ofPlugin: plugin)
        var result = self
        for index in result.letters.indices { result.letters[index].evidence = names.adding(to: letters[index].evidence) }
        return result
    }
}
