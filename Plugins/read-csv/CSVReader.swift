import StageKit

/// One row of a CSV file.
struct CSVRow {
    /// All fields one after another, and where each ends.
    var bytes: [UInt8] = []
    var ends: [Int] = []

    /// The line of the file that it begins in, from 1.
    var line = 0
    /// What is wrong with it; empty for a row that can be used.
    var problem = ""
    /// As it stands in the file, or its beginning: for the dead letter of a row with a problem.
    var evidence: [UInt8] = []

    var count: Int { ends.count }

    func field(_ index: Int) -> ArraySlice<UInt8> { bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }
}

/// Reads rows of RFC 4180: fields in quotes may hold delimiters, doubled quotes and ends of lines.
///
/// Lines end with LF or CR LF. A blank line is no row. A quote inside a field that does not begin with one is a character
/// like any other.
final class CSVReader {
    /// How much of a row is kept as evidence.
    private static let evidenceBytes = 4096

    private let delimiter: UInt8
    private let quote: UInt8
    private let maximumBytes: Int

    private var stream: ByteStream?
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)
    private var at = 0
    private var filled = 0
    /// Position of buffer[0] in the content.
    private var base = 0

    /// The line that the next row begins in, from 1.
    private(set) var line = 1

    init(delimiter: UInt8, quote: UInt8, maximumBytes: Int) {
        self.delimiter = delimiter
        self.quote = quote
        self.maximumBytes = maximumBytes
    }

    /// Position of the next row.
    var offset: Int { base + at }

    /// Opens `path` at the row that begins at `offset`, in line `line`; false when the content ends before it.
    func open(_ path: [UInt8], unpacks: Bool, at offset: Int, line: Int) throws -> Bool {
        let opened = try ByteStream(path, unpacks: unpacks)
        guard try opened.skip(to: offset) else { return false }
        stream = opened
        (at, filled, base, self.line) = (0, 0, offset, line)
        if offset == 0 { try skipByteOrderMark() }
        return true
    }

    private func skipByteOrderMark() throws {
        guard try fill() else { return }
        if buffer[..<filled].starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
    }

    /// Reads on; false at the end. Everything in the buffer has been used.
    private func fill() throws -> Bool {
        base += filled
        at = 0
        filled = 0
        filled = unsafe try buffer.withUnsafeMutableBytes { unsafe try stream?.read(into: $0) ?? 0 }
        return filled > 0
    }

    /// The next byte, without taking it; nil at the end.
    private func peek() throws -> UInt8? {
        if at == filled, try !fill() { return nil }
        return buffer[at]
    }

    private enum State {
        case beginningOfField, plain, quoted, behindQuote
    }

    /// The next row, or nil at the end. A row that is wrong has a `problem`, and reading goes on behind it.
    func next() throws -> CSVRow? {
        while let first = try peek(), first == 0x0A || first == 0x0D {
            // A lone CR is a character of a field; it is no end of a line.
            if first == 0x0D, try !isCarriageReturnOfEnd() { break }
            try takeEnd()
        }
        guard try peek() != nil else { return nil }
        var row = CSVRow(line: line)
        var state = State.beginningOfField
        var size = 0
        rowEnd: while true {
            guard let byte = try peek() else {
                if state == .quoted { row.problem = "the quote that begins field \(row.count + 1) is never closed" }
                break
            }
            if state != .quoted, byte == 0x0A || byte == 0x0D {
                if byte == 0x0A {
                    try takeEnd()
                    break rowEnd
                }
                if try isCarriageReturnOfEnd() {
                    try takeEnd()
                    break rowEnd
                }
            }
            at += 1
            size += 1
            if byte == 0x0A { line += 1 }
            if row.evidence.count < Self.evidenceBytes { row.evidence.append(byte) }
            guard size <= maximumBytes else {
                row.problem = "has more than max_row_bytes = \(maximumBytes) bytes"
                row.bytes = []
                row.ends = []
                state = follow(state, byte)
                continue
            }
            step(&row, &state, byte)
        }
        row.ends.append(row.bytes.count)
        return row
    }

    private func step(_ row: inout CSVRow, _ state: inout State, _ byte: UInt8) {
        switch state {
        case .beginningOfField where byte == quote: break
        case .quoted where byte == quote: break
        case .behindQuote where byte == quote: row.bytes.append(byte)
        case .beginningOfField where byte == delimiter, .plain where byte == delimiter, .behindQuote where byte == delimiter:
            row.ends.append(row.bytes.count)
        case .behindQuote:
            if row.problem.isEmpty { row.problem = "has text behind the closing quote of field \(row.count + 1)" }
            row.bytes.append(byte)
        default: row.bytes.append(byte)
        }
        state = follow(state, byte)
    }

    private func follow(_ state: State, _ byte: UInt8) -> State {
        switch (state, byte) {
        case (.beginningOfField, quote): .quoted
        case (.quoted, quote): .behindQuote
        case (.quoted, _): .quoted
        case (.behindQuote, quote): .quoted
        case (_, delimiter): .beginningOfField
        default: .plain
        }
    }

    /// Whether the CR that comes next is followed by LF. Both may stand at the border of two buffers.
    private func isCarriageReturnOfEnd() throws -> Bool {
        if at + 1 < filled { return buffer[at + 1] == 0x0A }
        // Keeps the CR and reads behind it.
        buffer[0] = buffer[at]
        base += at
        at = 0
        filled = 1
        let more = unsafe try buffer.withUnsafeMutableBytes { bytes in
            unsafe try stream?.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[1...])) ?? 0
        }
        filled += more
        return more > 0 && buffer[1] == 0x0A
    }

    private func takeEnd() throws {
        if buffer[at] == 0x0D { at += 1 }
        at += 1
        line += 1
    }
}
