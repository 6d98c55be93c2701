import StageKit

/// What of this run is in the database: the plugin's own tables, written in the transactions of the batches.
///
/// Each transaction begins with a lock on the row of the run. So whoever reads the row knows: a transaction of a worker that is
/// dead, or of another host, is over, and what it has committed is in the row.
struct Progress {
    static let table = "stagehost_progress"
    static let failureTable = "stagehost_failures"

    /// Whose progress it is.
    struct Identity {
        let run: String
        let stage: String
        let target: String
        let shard: Int
    }

    /// Two plugins that make the tables at once take turns: "stagehost".
    private static let creationLock = 0x73_7461_6765

    private let schema: String?
    /// Of the row of this run.
    private let row: Int64

    private var table: String { Self.name(Self.table, schema) }
    private var failures: String { Self.name(Self.failureTable, schema) }

    private static func name(_ table: String, _ schema: String?) -> String { SQLText.name(table, in: schema) }

    /// Makes the tables that are missing, the target's included when `target` is given.
    static func createTables(in schema: String?, target: Target?, on connection: Connection) throws {
        var missing: [String] = []
        if try !exists(table, schema, connection) || !exists(failureTable, schema, connection) {
            missing += [
                """
                CREATE TABLE IF NOT EXISTS \(name(table, schema)) (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                run text NOT NULL, stage text NOT NULL, target text NOT NULL, shard integer NOT NULL, batch bigint, \
                records bytea NOT NULL DEFAULT '', updated timestamptz NOT NULL DEFAULT now(), UNIQUE (run, stage, target, shard))
                """,
                """
                CREATE TABLE IF NOT EXISTS \(name(failureTable, schema)) (progress bigint NOT NULL REFERENCES \(name(table, schema)) \
                ON DELETE CASCADE, batch bigint NOT NULL, record bigint NOT NULL, occurrence integer NOT NULL, \
                message text NOT NULL, PRIMARY KEY (progress, batch, record, occurrence))
                """,
            ]
        }
        if let target, try !exists(target.table, target.schema, connection) { missing.append(target.creation) }
        guard !missing.isEmpty else { return }
        do {
            let statements = ["BEGIN", "SELECT pg_advisory_xact_lock(\(creationLock))"] + missing + ["COMMIT"]
            try connection.execute(statements.joined(separator: "; "))
        } catch let error as ServerError where error.remedy == .giveUp {
            throw ServerError("cannot create a table: \(error); have it made with: \(missing.joined(separator: "; "))", .giveUp)
        }
    }

    private static func exists(_ table: String, _ schema: String?, _ connection: Connection) throws -> Bool {
        try connection.execute("SELECT to_regclass(\(SQLText.literal(name(table, schema)))) IS NOT NULL").first?.first == "t"
    }

    /// Finds, or makes, the row of this run. `checkpoint` is the last batch that the host has heard of.
    init(_ identity: Identity, in schema: String?, checkpoint: UInt64?, on connection: Connection) throws {
        self.schema = schema
        let table = Self.name(Self.table, schema)
        var parameters = CTexts()
        for text in [identity.run, identity.stage, identity.target, "\(identity.shard)"] { parameters.append(text.utf8) }
        try connection.execute(
            "INSERT INTO \(table) (run, stage, target, shard) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", parameters)
        try connection.execute(Self.begin)
        let rows = try connection.execute(
            "SELECT id, batch FROM \(table) WHERE run = $1 AND stage = $2 AND target = $3 AND shard = $4 FOR UPDATE", parameters)
        guard let found = rows.first, let id = found.first??.integer else { throw Self.gone(table) }
        row = id
        var committed = found.count > 1 ? found[1]?.integer.map { UInt64(bitPattern: $0) } : nil
        // Where the host does not name the run, a stage that opens without a checkpoint takes itself for a new one.
        if checkpoint == nil, identity.run.isEmpty { committed = nil }
        if let checkpoint, committed ?? 0 < checkpoint || committed == nil { throw Self.behind(checkpoint, committed) }
        if committed == nil {
            try connection.execute("UPDATE \(table) SET batch = NULL, records = '' WHERE id = \(id)")
            try connection.execute("DELETE FROM \(failures) WHERE progress = \(id)")
        }
        try connection.execute("COMMIT")
    }

    /// Begins the transaction of a batch; returns the last batch that is committed. `known` is the last one that must be there.
    func begin(on connection: Connection, known: UInt64?) throws -> CommittedBatch? {
        let rows = try connection.execute(
            """
            \(Self.begin); SELECT batch, encode(records, 'hex') FROM \(table) WHERE id = \(row) FOR UPDATE; \
            SET CONSTRAINTS ALL IMMEDIATE; \(RowWriter.savepoint)
            """)
        guard let found = rows.first, found.count == 2 else { throw Self.gone(table) }
        guard let batch = found[0]?.integer.map({ UInt64(bitPattern: $0) }) else {
            if let known { throw Self.behind(known, nil) }
            return nil
        }
        if let known, batch < known { throw Self.behind(known, batch) }
        return CommittedBatch(batch: batch, records: Self.digests(found[1] ?? ""))
    }

    /// The records of `batch` that have failed for good.
    func failures(of batch: UInt64, on connection: Connection) throws -> [FailureKey: String] {
        let rows = try connection.execute(
            "SELECT record, occurrence, message FROM \(failures) WHERE progress = \(row) AND batch = \(Int64(bitPattern: batch))")
        var messages: [FailureKey: String] = [:]
        for row in rows where row.count == 3 {
            guard let record = row[0]?.integer, let occurrence = row[1]?.integer, let message = row[2] else { continue }
            messages[FailureKey(record: RecordDigest(bits: UInt64(bitPattern: record)), occurrence: Int(occurrence))] = message
        }
        return messages
    }

    /// Notes what `request` adds, and commits. When this throws, only the row of the run knows whether that has happened.
    func commit(
        _ request: BatchRequest, after committed: CommittedBatch?, failed: [RowWriter.Failure], forgetting old: UInt64?,
        on connection: Connection
    ) throws {
        let batch = Int64(bitPattern: request.batch)
        for (key, failure) in zip(request.failureKeys(of: failed.map(\.index)), failed) {
            var parameters = CTexts()
            parameters.append(failure.message.utf8)
            let record = Int64(bitPattern: key.record.bits)
            try connection.execute(
                "INSERT INTO \(failures) VALUES (\(row), \(batch), \(record), \(key.occurrence), $1) ON CONFLICT DO NOTHING", parameters)
        }
        let digests = Self.hexadecimal(request.added(to: committed).records ?? [])
        let removal = old.map { "DELETE FROM \(failures) WHERE progress = \(row) AND batch <= \(Int64(bitPattern: $0)); " } ?? ""
        try connection.execute(
            """
            \(removal)UPDATE \(table) SET batch = \(batch), records = decode('\(digests)', 'hex'), updated = now() \
            WHERE id = \(row); COMMIT
            """)
    }

    private static let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

    private static func gone(_ table: String) -> ServerError {
        ServerError("the progress of this run is no longer in \(table): put it back, or start over", .giveUp)
    }

    private static func behind(_ expected: UInt64, _ found: UInt64?) -> ServerError {
        let found = found.map { "batch \($0)" } ?? "no batch of this run"
        return ServerError(
            "the last batch in the database is expected to be \(expected) or later, found \(found); "
                + "the database was replaced or restored: put it back, or start over", .giveUp)
    }

    // MARK: - Digests, eight bytes each, the lowest first

    private static func hexadecimal(_ records: [RecordDigest]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(16 * records.count)
        for record in records {
            for shift in stride(from: 0, to: 64, by: 8) {
                let byte = Int(truncatingIfNeeded: record.bits >> UInt64(shift)) & 255
                text += [digits[byte >> 4], digits[byte & 15]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func digests(_ text: String) -> [RecordDigest] {
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - digits.count % 16, by: 16).map { start in
            let number = UInt64(String(decoding: digits[start..<start + 16], as: UTF8.self), radix: 16) ?? 0
            return RecordDigest(bits: number.byteSwapped)
        }
    }
}

extension String {
    fileprivate var integer: Int64? { Int64(self) }
}
