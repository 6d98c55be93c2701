import Glibc
public import StageKit
import StageSQLite

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(WriteSQLite.self) }

/// Writes records as rows of a table, each batch in one transaction together with its number and its failures: what is
/// there already is recognised, and not written again.
struct WriteSQLite: Sink {
    static let id = "write-sqlite"
    static let version = "1.0.0"
    static let summary = "Writes records as rows of an SQLite table, each exactly once."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["database", "table"],
          "properties": {
            "database": {
              "description": "File of the database. Relative to the pipeline file; created, with its folder, if missing.",
              "type": "string", "minLength": 1
            },
            "table": {"description": "Table to write; created if missing.", "type": "string", "minLength": 1},
            "columns": {
              "description": "Column name to what goes into it: id, key, value, or a JSON pointer into the value. Default: id, key and value.",
              "type": "object", "minProperties": 1, "maxProperties": 500,
              "additionalProperties": {"type": "string"}
            },
            "upsert": {
              "description": "Column by which a row replaces an earlier one; gets a unique index.",
              "type": "string"
            },
            "busy_timeout_ms": {
              "description": "How long to wait for another writer before the batch is tried again later.",
              "type": "integer", "minimum": 0, "maximum": 600000, "default": 5000
            }
          }
        }
        """

    struct Configuration: Decodable {
        var database: String
        var table: String
        var columns: [String: String]?
        var upsert: String?
        var busy_timeout_ms: Int?
    }

    /// The checkpoint: the last batch that is committed.
    struct Position: Codable {
        var batch: UInt64
    }

    private let database: Database
    private let writer: RowWriter
    private let history: History

    init(configuration: Configuration, host: Host) throws {
        let timeout = configuration.busy_timeout_ms ?? 5000
        try ConfigurationError.check("busy_timeout_ms", timeout, in: 0...600_000)
        guard !configuration.database.isEmpty else {
            throw ConfigurationError("database", found: "\"\"", expected: "the file of a database")
        }
        let table = try TableLayout(configuration)
        do {
            try Paths.createFolder(of: Array(configuration.database.utf8))
            let database = try Database(configuration.database, .readWrite, busyTimeoutMilliseconds: timeout)
            try database.execute("PRAGMA journal_mode = WAL")
            try database.execute("PRAGMA synchronous = NORMAL")
            self.database = database
            let position = try host.checkpoint(as: Position.self)
            try database.transaction {
                try database.execute(table.creation)
                if let index = table.uniqueIndex { try database.execute(index) }
            }
            let run = unsafe getenv("STAGEHOST_RUN").map { unsafe String(cString: $0) } ?? ""
            let identity = ProgressIdentity(
                run: run, stage: host.stageName, table: configuration.table, shard: host.shardIndex)
            history = try History(database, identity, checkpoint: position?.batch)
            writer = try RowWriter(database, table)
        } catch let error as SystemError {
            throw StageFailure.fatal("\(error)")
        } catch let error as DatabaseError {
            throw error.stageFailure
        }
    }

    mutating func write(_ batch: borrowing Batch, into output: borrowing SinkOutput) throws {
        do {
            let request = try history.compare(batch)
            // Committed by a worker that died before it could say so: what failed then fails again.
            for (index, message) in request.failed { try output.fail(index, .permanent(message)) }
            if !request.new.isEmpty { try write(request, of: batch, into: output) }
            history.didAnswer(request)
        } catch let error as DatabaseError {
            throw error.stageFailure
        }
        // Not the last batch in the database: the host has heard of no more than this one.
        try output.checkpoint(try JSON.encode(Position(batch: batch.sequence)))
    }

    /// Writes what is new. The transaction holds all of the request or nothing: after a retry it comes again as it is.
    private func write(_ request: BatchRequest, of batch: borrowing Batch, into output: borrowing SinkOutput) throws {
        var failed: [(index: Int, message: String)] = []
        try database.begin()
        do {
            for index in request.new {
                do {
                    try writer.write(batch[index])
                } catch let failure as RecordFailure {
                    failed.append((index, failure.message))
                }
            }
            try history.add(request, failed: failed)
            try database.commit()
        } catch {
            database.rollback()
            throw error
        }
        history.didCommit(request)
        for (index, message) in failed { try output.fail(index, .permanent(message)) }
    }

    mutating func sync(into output: borrowing SinkOutput) throws {
        do {
            try history.makeDurable()
        } catch let error as DatabaseError {
            throw error.stageFailure
        }
        if let batch = history.acknowledged { try output.checkpoint(try JSON.encode(Position(batch: batch))) }
    }

    mutating func finish(into output: borrowing SinkOutput) throws {
        try sync(into: output)
    }

    mutating func close() {
        writer.close()
        history.close()
        database.close()
    }
}
