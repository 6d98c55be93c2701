/// A text that settings come from: the pipeline file, one flag, or one environment variable.
package final class SourceText: Sendable {
    package enum Kind: Sendable, Hashable {
        case file
        case flag
        case environment(String)
    }

    package let kind: Kind
    /// What a diagnostic calls this text: the path of the file, "command line" or "environment".
    package let name: String
    package let bytes: [UInt8]
    private let lineStarts: [Int]

    package init(kind: Kind = .file, name: String, bytes: [UInt8]) {
        self.kind = kind
        self.name = name
        self.bytes = bytes
        var starts = [0]
        for (index, byte) in bytes.enumerated() where byte == 0x0A { starts.append(index + 1) }
        lineStarts = starts
    }

    package convenience init(kind: Kind = .file, name: String, text: String) {
        self.init(kind: kind, name: name, bytes: Array(text.utf8))
    }

    /// The text between two byte offsets; offsets beyond the end are cut back.
    package func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range.clamped(to: 0..<bytes.count)], as: UTF8.self)
    }

    /// The line that holds a byte offset: its number from 1, and its bytes without the line ending.
    func line(at offset: Int) -> (number: Int, range: Range<Int>) {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        var end = low + 1 < lineStarts.count ? lineStarts[low + 1] - 1 : bytes.count
        if end > lineStarts[low], bytes[end - 1] == 0x0D { end -= 1 }
        return (low + 1, lineStarts[low]..<end)
    }
}

/// A stretch of bytes in a source text; line and column are worked out when somebody asks.
package struct Place: Sendable {
    package let source: SourceText
    package let range: Range<Int>

    package init(_ source: SourceText, _ range: Range<Int>) {
        self.source = source
        self.range = range
    }

    package var text: String { source.text(range) }

    /// Line from 1, column in characters from 1, offset in bytes from 0.
    package var span: SourceSpan {
        let line = source.line(at: range.lowerBound)
        let before = line.range.lowerBound..<max(line.range.lowerBound, range.lowerBound)
        return SourceSpan(
            line: line.number, column: source.text(before).count + 1, offset: range.lowerBound, length: range.count)
    }

    package var origin: Origin {
        switch source.kind {
        case .file: .file(span)
        case .flag: .flag(source.text(0..<source.bytes.count))
        case .environment(let name): .environment(name)
        }
    }
}

/// Where something stands in a file.
package struct SourceSpan: Sendable, Hashable {
    /// From 1.
    package let line: Int
    /// In characters, from 1.
    package let column: Int
    /// In bytes, from 0.
    package let offset: Int
    /// In bytes.
    package let length: Int

    package init(line: Int, column: Int, offset: Int = 0, length: Int = 0) {
        self.line = line
        self.column = column
        self.offset = offset
        self.length = length
    }
}
