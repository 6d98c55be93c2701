import StageKit
import StageSQLite

/// The records that failed for good, of the batches that the host may send again.
///
/// A row stands in the transaction of its batch: whoever finds the batch committed finds its failures, too, and can fail
/// the same records again with the same words.
final class FailureTable {
    static let name = "stagehost_failures"

    private let database: Database
    private let identity: ProgressIdentity
    private let insertion: Statement
    private let deletion: Statement
    private let query: Statement

    init(_ database: Database, _ identity: ProgressIdentity) throws {
        self.database = database
        self.identity = identity
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(Self.name) (\(ProgressIdentity.declaration), batch INTEGER NOT NULL, \
            record INTEGER NOT NULL, occurrence INTEGER NOT NULL, message TEXT NOT NULL, \
            PRIMARY KEY (\(ProgressIdentity.key), batch, record, occurrence)) WITHOUT ROWID
            """)
        insertion = try database.prepare("INSERT OR REPLACE INTO \(Self.name) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        deletion = try database.prepare(
            "DELETE FROM \(Self.name) WHERE \(ProgressIdentity.condition) AND batch <= ?")
        query = try database.prepare(
            "SELECT record, occurrence, message FROM \(Self.name) WHERE \(ProgressIdentity.condition) AND batch = ?")
    }

    func forget() throws { try identity.forget(in: Self.name, database) }

    /// Notes a failure inside the transaction that is open.
    func add(_ key: FailureKey, batch: UInt64, message: String) throws {
        defer { insertion.reset() }
        try bind(batch, to: insertion)
        try insertion.bind(Int64(bitPattern: key.record.bits), at: ProgressIdentity.nextPlace + 1)
        try insertion.bind(Int64(key.occurrence), at: ProgressIdentity.nextPlace + 2)
        try insertion.bind(message, at: ProgressIdentity.nextPlace + 3)
        try insertion.run()
    }

    func messages(of batch: UInt64) throws -> [FailureKey: String] {
        defer { query.reset() }
        try bind(batch, to: query)
        var messages: [FailureKey: String] = [:]
        while try query.next() {
            let record = RecordDigest(bits: UInt64(bitPattern: query.integer(at: 0)))
            messages[FailureKey(record: record, occurrence: Int(query.integer(at: 1)))] = query.text(at: 2)
        }
        return messages
    }

    /// Removes what will not be asked for again.
    func remove(through batch: UInt64) throws {
        defer { deletion.reset() }
        try bind(batch, to: deletion)
        try deletion.run()
    }

    private func bind(_ batch: UInt64, to statement: Statement) throws {
        try identity.bind(to: statement)
        try statement.bind(Int64(bitPattern: batch), at: ProgressIdentity.nextPlace)
    }

    func close() {
        insertion.close()
        deletion.close()
        query.close()
    }
}
