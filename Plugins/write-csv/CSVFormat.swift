import StageKit

/// What stands in one column.
struct CSVColumn: Decodable {
    enum Content {
        case member(JSONPointer)
        case part(RecordPart)
    }

    enum RecordPart: String, ConfigurationChoice { case id, key, value }

    private struct Long: Decodable {
        var name: String
        var json: JSONPointer?
        var record: RecordPart?
    }

    let name: String
    let content: Content

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let name = try? container.decode(String.self) {
            self.name = name
            content = .member(try Self.pointer(name))
            return
        }
        let long = try container.decode(Long.self)
        name = long.name
        switch (long.json, long.record) {
        case (let pointer?, nil): content = .member(pointer)
        case (nil, let part?): content = .part(part)
        case (nil, nil): content = .member(try Self.pointer(long.name))
        default:
            throw ConfigurationError(path: decoder.codingPath.map(\.stringValue), problem: "found json and record, expected one of them")
        }
    }

    /// To the member called `name`.
    private static func pointer(_ name: String) throws -> JSONPointer {
        try JSONPointer("/" + name.replacing("~", "~0").replacing("/", "~1"))
    }
}

extension String {
    fileprivate func replacing(_ old: Character, _ new: String) -> String {
        split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    }
}

/// How a record becomes a row of RFC 4180. Rows end with LF.
struct CSVFormat {
    private let columns: [CSVColumn]
    private let delimiter: UInt8

    init(_ columns: [CSVColumn], delimiter: String) throws {
        guard !columns.isEmpty else { throw ConfigurationError("columns", found: "none", expected: "at least one") }
        guard delimiter.utf8.count == 1, let byte = delimiter.utf8.first, byte < 0x80, ![0x0A, 0x0D, 0x22].contains(byte) else {
            throw ConfigurationError(
                "delimiter", found: JSON.quote(delimiter), expected: "one ASCII character, not a quote or the end of a line")
        }
        self.columns = columns
        self.delimiter = byte
    }

    var header: [UInt8] {
        var row: [UInt8] = []
        for (index, column) in columns.enumerated() {
            if index > 0 { row.append(delimiter) }
            append(Array(column.name.utf8), to: &row)
        }
        return (row.isEmpty ? Array("\"\"".utf8) : row) + [UInt8(ascii: "\n")]
    }

    /// A member that is not there, or null, is an empty field; a string its characters, any other its JSON text. A row of
    /// one empty field is written in quotes: a blank line is no row.
    func append(_ record: borrowing Record, to rows: inout [UInt8]) throws {
        let start = rows.count
        for (index, column) in columns.enumerated() {
            if index > 0 { rows.append(delimiter) }
            switch column.content {
            case .part(.id): append(Array("\(record.id)".utf8), to: &rows)
            case .part(.key): append(record.keyBytes, to: &rows)
            case .part(.value): append(record.bytes, to: &rows)
            case .member(let pointer):
                guard let slice = try record.json(pointer), !slice.isNull else { continue }
                append(unsafe slice.string.map { Array($0.utf8) } ?? Array(slice.bytes), to: &rows)
            }
        }
        if rows.count == start { rows += Array("\"\"".utf8) }
        rows.append(UInt8(ascii: "\n"))
    }

    private func append(_ field: [UInt8], to row: inout [UInt8]) {
        let quote = UInt8(ascii: "\"")
        let needsQuotes = field.contains { $0 == delimiter || $0 == quote || $0 == 0x0A || $0 == 0x0D }
        guard needsQuotes else { return row += field }
        row.append(quote)
        for byte in field {
            if byte == quote { row.append(quote) }
            row.append(byte)
        }
        row.append(quote)
    }
}
