public import StageKit
import StageSQLite

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(ReadSQLite.self) }

/// One record for each row of a table or a query of an SQLite database, in the order of a key.
struct ReadSQLite: Source {
    static let id = "read-sqlite"
    static let version = "1.0.0"
    static let summary = "Reads the rows of an SQLite table or query in the order of a key: one record a row."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["database", "key"],
          "oneOf": [{"required": ["table"]}, {"required": ["query"]}],
          "properties": {
            "database": {"description": "File of the database. Relative to the pipeline file; only read.", "type": "string", "minLength": 1},
            "table": {"description": "Table or view to read. Or: query.", "type": "string", "minLength": 1},
            "columns": {
              "description": "Columns of the table that the value has. Default: all.",
              "type": "array", "minItems": 1, "maxItems": 2000, "items": {"type": "string", "minLength": 1}
            },
            "query": {"description": "One SELECT whose rows are read. Or: table.", "type": "string", "minLength": 1},
            "key": {
              "description": "Column by which the rows are in order: integers or text, each once; with a table also rowid. Needs an index.",
              "type": "string", "minLength": 1
            },
            "record_key": {"description": "Column that has the key of the record. Default: the one of key.", "type": "string", "minLength": 1},
            "value": {"description": "Column that is the value as it is. Default: a JSON object of all columns.", "type": "string", "minLength": 1},
            "max_row_bytes": {
              "description": "Rows with a longer value fail as records.",
              "type": "integer", "minimum": 1, "maximum": 67108864, "default": 16777216
            },
            "busy_timeout_ms": {
              "description": "How long to wait for a writer before the read is tried again later.",
              "type": "integer", "minimum": 0, "maximum": 600000, "default": 5000
            }
          }
        }
        """

    struct Configuration: Decodable {
        var database: String
        var table: String?
        var columns: [String]?
        var query: String?
        var key: String
        var record_key: String?
        var value: String?
        var max_row_bytes: Int?
        var busy_timeout_ms: Int?
    }

    /// The checkpoint: all rows up to this key are done, and there were so many of them.
    struct Position: Codable {
        var key: RowKey
        var rows: Int
    }

    private let rows: RowReader
    private let path: String
    private let keyColumn: String
    private var value: RowValue
    private var delivered: Int
    /// Rows in all, when they were worth counting.
    private let total: Int?

    init(configuration: Configuration, host: Host) throws {
        let maximum = configuration.max_row_bytes ?? 16 << 20
        try ConfigurationError.check("max_row_bytes", maximum, in: 1...(64 << 20))
        let timeout = configuration.busy_timeout_ms ?? 5000
        try ConfigurationError.check("busy_timeout_ms", timeout, in: 0...600_000)
        try Self.check(configuration)
        path = configuration.database
        keyColumn = configuration.key
        let position = try host.checkpoint(as: Position.self)
        do {
            guard try File.reading(Array(path.utf8)).status().isRegular else {
                throw StageFailure.fatal("\(path): is not a regular file, expected an SQLite database")
            }
            let database = try Database(path, .readOnly, busyTimeoutMilliseconds: timeout)
            try database.execute("PRAGMA query_only = ON")
            let selection = try Selection(configuration, database)
            rows = try RowReader(database, selection, host, last: position?.key)
            value = RowValue(firstColumn: selection.hasRecordKey ? 2 : 1, isOneColumn: selection.isOneColumn, maximumBytes: maximum)
            delivered = max(0, position?.rows ?? 0)
            total = try rows.countIfCheap().map { [delivered] in $0 + delivered }
        } catch let error as SystemError {
            throw StageFailure.fatal("no input: \(error)")
        } catch let error as DatabaseError {
            throw error.stageFailure
        }
    }

    private static func check(_ configuration: Configuration) throws {
        guard !configuration.database.isEmpty, !configuration.database.utf8.contains(0) else {
            throw ConfigurationError("database", found: JSON.quote(configuration.database), expected: "the file of a database")
        }
        guard (configuration.table == nil) != (configuration.query == nil) else {
            let found = configuration.table == nil ? "neither query nor table" : "query and table"
            throw ConfigurationError("query", found: found, expected: "one of them")
        }
        guard configuration.columns == nil || configuration.table != nil && configuration.value == nil else {
            throw ConfigurationError(path: ["columns"], problem: "go with table, and not with value; a query selects its own")
        }
    }

    mutating func read(upTo limit: ReadLimit, into output: borrowing SourceOutput) throws -> ReadResult {
        var count = 0
        var isAtEnd = false
        do {
            isAtEnd = try readPage(limit, output, &count)
        } catch let error where count > 0 && (error is DatabaseError || error is StageFailure) {
            // What was emitted stands; the next call meets the error again.
        } catch let error as DatabaseError {
            throw error.stageFailure
        }
        if count > 0, let key = rows.last {
            try output.checkpoint(try JSON.encode(Position(key: key, rows: delivered)))
        }
        if let total { output.progress(done: delivered, total: max(total, delivered)) }
        return isAtEnd ? .end : .more
    }

    /// Delivers what one run of the statement gives, within the limit; true at the end of the rows.
    private mutating func readPage(_ limit: ReadLimit, _ output: borrowing SourceOutput, _ count: inout Int) throws -> Bool {
        var bytes = 0
        let page = try rows.beginPage(records: limit.records)
        defer { rows.endPage() }
        while count < limit.records, bytes < limit.bytes {
            guard let key = try rows.next() else { return true }
            if count == 0 { try value.learnColumns(of: page) }
            bytes += try deliver(page, key, output)
            rows.accept(key)
            delivered += 1
            count += 1
        }
        return false
    }

    /// Emits a row, or fails it as a record, and returns its size.
    private mutating func deliver(_ row: Statement, _ key: RowKey, _ output: borrowing SourceOutput) throws -> Int {
        do {
            let name = try recordKey(row) ?? key.bytes
            try value.take(row)
            try output.emit(key: name, value: value.bytes)
            return name.count + value.bytes.count
        } catch let problem as RowProblem {
            var evidence = [UInt8(ascii: "{")]
            JSON.appendQuoted(keyColumn, to: &evidence)
            evidence.append(UInt8(ascii: ":"))
            evidence += try JSON.encode(key)
            evidence.append(UInt8(ascii: "}"))
            try output.fail(key: key.bytes, value: evidence, "\(path): the row with \(keyColumn) = \(key) \(problem.text)")
            return key.bytes.count + evidence.count
        }
    }

    /// What the column for it says; nil when there is none.
    private func recordKey(_ row: Statement) throws -> [UInt8]? {
        guard rows.hasRecordKey else { return nil }
        switch row.type(at: 1) {
        case .integer: return Array("\(row.integer(at: 1))".utf8)
        case .text:
            let bytes = try row.withBytes(at: 1) { unsafe [UInt8]($0) }
            guard bytes.count <= Int(STAGE_MAX_KEY_BYTES) else {
                throw RowProblem(text: "has a record key of \(bytes.count) bytes, above the limit of \(STAGE_MAX_KEY_BYTES)")
            }
            let isText = bytes.withStageBytes { unsafe firstInvalidUTF8(in: $0) == nil }
            guard isText else { throw RowProblem(text: "has a record key that is not UTF-8") }
            return bytes
        case let type: throw RowProblem(text: "has \(type.words) for its record key, expected text or an integer")
        }
    }

    mutating func close() { rows.close() }
}
