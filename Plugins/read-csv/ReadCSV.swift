public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(ReadCSV.self) }

/// One record for each row of one CSV file or several: a JSON object by the names of the columns.
struct ReadCSV: Source {
    static let id = "read-csv"
    static let version = "1.0.0"
    static let summary = "Reads CSV files (RFC 4180): one record a row, a JSON object by the names of the columns."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["path"],
          "properties": {
            "path": {
              "description": "File to read, or a pattern (**, *, ?, [a-z], {a,b}), or several. Relative to the pipeline file.",
              "anyOf": [{"type": "string", "minLength": 1},
                        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}]
            },
            "header": {"description": "Whether the first row of each file names the columns.", "type": "boolean", "default": true},
            "columns": {
              "description": "Names of the columns, when there is no header. Without either, a value is a list.",
              "type": "array", "minItems": 1, "items": {"type": "string"}
            },
            "key": {"description": "The column whose field is the key. Default: FILE:LINE.", "type": "string"},
            "delimiter": {"description": "Between fields: one character, such as ; or a tab.", "type": "string", "default": ","},
            "quote": {"description": "Around fields: one character.", "type": "string", "default": "\\""},
            "max_row_bytes": {
              "description": "Longer rows fail as records.",
              "type": "integer", "minimum": 1, "maximum": 67108864, "default": 16777216
            },
            "decompress": {
              "description": "Whether files named .gz and .zst are unpacked. Needs zlib1g, libzstd1.", "type": "boolean", "default": true
            }
          }
        }
        """

    struct Configuration: Decodable {
        var path: OneOrMore
        var header: Bool?
        var columns: [String]?
        var key: String?
        var delimiter: String?
        var quote: String?
        var max_row_bytes: Int?
        var decompress: Bool?
    }

    /// The checkpoint: this many bytes and lines of this file are done, and all files before it.
    struct Position: Codable {
        var file: String
        var offset: Int
        var line: Int
    }

    private let files: [[UInt8]]
    private let hasHeader: Bool
    private let givenColumns: [String]?
    private let keyColumn: String?
    private let unpacks: Bool
    private let reader: CSVReader

    private var fileIndex = 0
    private var isOpen = false
    private var columns: [String]?
    private var keyIndex: Int?
    /// The end of the last row that was delivered.
    private var position: Position?

    init(configuration: Configuration, host: Host) throws {
        hasHeader = configuration.header ?? true
        givenColumns = configuration.columns
        keyColumn = configuration.key
        unpacks = configuration.decompress ?? true
        guard !hasHeader || givenColumns == nil else {
            throw ConfigurationError(path: ["columns"], problem: "are named by the header; give them with header: false only")
        }
        if let column = keyColumn, !hasHeader, givenColumns?.contains(column) != true {
            throw ConfigurationError("key", found: JSON.quote(column), expected: "one of columns")
        }
        let delimiter = try Self.character(configuration.delimiter ?? ",", "delimiter")
        let quote = try Self.character(configuration.quote ?? "\"", "quote")
        guard delimiter != quote else { throw ConfigurationError("quote", found: "the delimiter", expected: "another character") }
        let maximum = configuration.max_row_bytes ?? 16 << 20
        try ConfigurationError.check("max_row_bytes", maximum, in: 1...(64 << 20))
        reader = CSVReader(delimiter: delimiter, quote: quote, maximumBytes: maximum)
        files = try InputFiles.find(configuration.path.values, key: "path", host)
        try Self.checkNames(givenColumns ?? [], "columns")
        guard let position = try host.checkpoint(as: Position.self) else { return }
        guard let index = files.firstIndex(of: Array(position.file.utf8)), position.offset >= 0, position.line >= 1 else {
            throw StageFailure.fatal(
                "\(position.file): the checkpoint is in this file, which the paths no longer name; put it back, or start over")
        }
        fileIndex = index
        self.position = position
        try openFile(at: position)
    }

    private static func character(_ text: String, _ key: String) throws -> UInt8 {
        guard text.utf8.count == 1, let byte = text.utf8.first, byte != 0x0A, byte != 0x0D, byte < 0x80 else {
            throw ConfigurationError(key, found: JSON.quote(text), expected: "one ASCII character, not the end of a line")
        }
        return byte
    }

    private static func checkNames(_ names: [String], _ place: String) throws {
        if let twice = Dictionary(grouping: names, by: { $0 }).filter({ $0.value.count > 1 }).keys.min() {
            throw StageFailure.fatal("\(place): found the name \(JSON.quote(twice)) more than once, expected each once")
        }
    }

    mutating func read(upTo limit: ReadLimit, into output: borrowing SourceOutput) throws -> ReadResult {
        var count = 0
        var bytes = 0
        var isAtEnd = false
        while count < limit.records, bytes < limit.bytes {
            do {
                if !isOpen { try openFile(at: nil) }
                if let row = try reader.next() {
                    bytes += try deliver(row, output)
                    count += 1
                    position = Position(file: fileName, offset: reader.offset, line: reader.line)
                    continue
                }
            } catch let error as SystemError {
                if count > 0 { break }
                // The reader has lost its place: it goes on from the last row.
                isOpen = false
                try openFile(at: position.flatMap { $0.file == fileName ? $0 : nil })
                throw StageFailure.retry("\(error)")
            } catch let error as DamagedFile {
                // The rows before the damage are as good as any.
                if count > 0 { break }
                throw StageFailure.fatal("\(error)")
            }
            guard fileIndex + 1 < files.count else {
                isAtEnd = true
                break
            }
            fileIndex += 1
            isOpen = false
        }
        if count > 0, let position { try output.checkpoint(try JSON.encode(position)) }
        return isAtEnd ? .end : .more
    }

    /// Opens the file that is next, at the beginning or behind a row, and learns its columns.
    private mutating func openFile(at place: Position?) throws {
        let path = files[fileIndex]
        guard try reader.open(path, unpacks: unpacks, at: 0, line: 1) else { return }
        columns = givenColumns
        if hasHeader {
            columns = []
            if let row = try reader.next() {
                guard row.problem.isEmpty else { throw StageFailure.fatal("\(fileName): the header \(row.problem)") }
                columns = (0..<row.count).map { String(decoding: row.field($0), as: UTF8.self) }
                try Self.checkNames(columns ?? [], fileName)
            }
        }
        keyIndex = nil
        if let keyColumn, columns?.isEmpty == false {
            keyIndex = columns?.firstIndex(of: keyColumn)
            guard keyIndex != nil else {
                let names = (columns ?? []).map { JSON.quote($0) }.joined(separator: ", ")
                throw StageFailure.fatal("\(fileName): found the columns \(names), expected \(JSON.quote(keyColumn)) for the key")
            }
        }
        isOpen = true
        guard let place, place.offset > reader.offset || !hasHeader else { return }
        guard try reader.open(path, unpacks: unpacks, at: place.offset, line: place.line) else {
            throw StageFailure.fatal(
                "\(fileName): ends before byte \(place.offset), which was read before; the file has changed: put it back, or start over")
        }
    }

    /// Emits a row, or fails it as a record, and returns its size.
    private func deliver(_ row: CSVRow, _ output: borrowing SourceOutput) throws -> Int {
        let place = "\(fileName):\(row.line)"
        if let problem = problem(of: row) {
            try output.fail(key: place, value: row.evidence, "\(fileName): the row in line \(row.line) \(problem)")
            return row.evidence.count
        }
        var value: [UInt8] = [UInt8(ascii: columns == nil ? "[" : "{")]
        for index in 0..<row.count {
            if index > 0 { value.append(UInt8(ascii: ",")) }
            if let columns {
                JSON.appendQuoted(columns[index], to: &value)
                value.append(UInt8(ascii: ":"))
            }
            JSON.appendQuoted(row.field(index), to: &value)
        }
        value.append(UInt8(ascii: columns == nil ? "]" : "}"))
        if let keyIndex {
            try output.emit(key: row.field(keyIndex), value: value)
        } else {
            try output.emit(key: place, value: value)
        }
        return value.count + place.utf8.count
    }

    private func problem(of row: CSVRow) -> String? {
        if !row.problem.isEmpty { return row.problem }
        if let columns, columns.count != row.count {
            return "has \(row.count) field\(row.count == 1 ? "" : "s"), expected \(columns.count)"
        }
        if let offset = row.bytes.withStageBytes({ unsafe firstInvalidUTF8(in: $0) }) {
            let field = row.ends.firstIndex { $0 > offset } ?? 0
            return "is not UTF-8 in field \(field + 1)"
        }
        if let keyIndex, row.field(keyIndex).count > Int(STAGE_MAX_KEY_BYTES) {
            return "has a key of \(row.field(keyIndex).count) bytes, above the limit of \(STAGE_MAX_KEY_BYTES)"
        }
        return nil
    }

    private var fileName: String { InputFiles.name(files[fileIndex]) }
}
