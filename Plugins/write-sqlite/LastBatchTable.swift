import StageKit
import StageSQLite

/// Which records of the last committed batch have their outcome in the database.
///
/// The batches before it are there as a whole, because the host sends a batch only when the one before it is done. The
/// last one may be there in part: a batch on which a worker died comes in pieces, and the next worker may die between
/// two of them.
final class LastBatchTable {
    static let name = "stagehost_last_batch"

    private let database: Database
    private let identity: ProgressIdentity
    private let update: Statement

    init(_ database: Database, _ identity: ProgressIdentity) throws {
        self.database = database
        self.identity = identity
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(Self.name) (\(ProgressIdentity.declaration), batch INTEGER NOT NULL, \
            records BLOB NOT NULL, PRIMARY KEY (\(ProgressIdentity.key)))
            """)
        update = try database.prepare("INSERT OR REPLACE INTO \(Self.name) VALUES (?, ?, ?, ?, ?, ?)")
    }

    func forget() throws { try identity.forget(in: Self.name, database) }

    /// The records of `batch` that are there; nil when nothing is written down about it.
    func records(of batch: UInt64) throws -> [RecordDigest]? {
        let query = try database.prepare(
            "SELECT records FROM \(Self.name) WHERE \(ProgressIdentity.condition) AND batch = ?")
        defer { query.close() }
        try identity.bind(to: query)
        try query.bind(Int64(bitPattern: batch), at: ProgressIdentity.nextPlace)
        guard try query.next() else { return nil }
        let bytes = query.blob(at: 0)
        return stride(from: 0, to: bytes.count - bytes.count % 8, by: 8).map { start in
            RecordDigest(bits: bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
        }
    }

    /// Notes them inside the transaction that is open.
    func set(_ records: [RecordDigest], of batch: UInt64) throws {
        defer { update.reset() }
        try identity.bind(to: update)
        try update.bind(Int64(bitPattern: batch), at: ProgressIdentity.nextPlace)
        let bits = records.map(\.bits.littleEndian)
        unsafe try bits.withUnsafeBytes { unsafe try update.bindBlob($0, at: ProgressIdentity.nextPlace + 1) }
        try update.run()
    }

    func close() { update.close() }
}
