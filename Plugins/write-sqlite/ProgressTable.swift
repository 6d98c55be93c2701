import StageKit
import StageSQLite

/// The last committed batch of each run, stage and table, kept in the database itself, so that data and progress cannot
/// disagree.
///
/// Where the host does not name the run, a stage that opens without a checkpoint takes itself for a new run, and forgets
/// the progress of earlier ones.
final class ProgressTable {
    static let name = "stagehost_progress"

    /// The last committed batch; nil before the first.
    private(set) var committed: UInt64?

    private let database: Database
    private let update: Statement
    private let identity: ProgressIdentity

    init(_ database: Database, _ identity: ProgressIdentity, checkpoint: UInt64?) throws {
        self.database = database
        self.identity = identity
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(Self.name) (\(ProgressIdentity.declaration), batch INTEGER NOT NULL, \
            PRIMARY KEY (\(ProgressIdentity.key))) WITHOUT ROWID
            """)
        update = try database.prepare("INSERT OR REPLACE INTO \(Self.name) VALUES (?, ?, ?, ?, ?)")
        if checkpoint == nil, identity.run.isEmpty {
            try identity.forget(in: Self.name, database)
            return
        }
        committed = try stored()
        if let checkpoint, committed ?? 0 < checkpoint || committed == nil {
            let found = committed.map { "batch \($0)" } ?? "no batch of this run"
            throw StageFailure.fatal(
                "\(database.path): the last batch in it is expected to be \(checkpoint) or later, found \(found); "
                    + "the database was replaced or restored: put it back, or start over")
        }
    }

    private func stored() throws -> UInt64? {
        let query = try database.prepare("SELECT batch FROM \(Self.name) WHERE \(ProgressIdentity.condition)")
        defer { query.close() }
        try identity.bind(to: query)
        return try query.next() ? UInt64(bitPattern: query.integer(at: 0)) : nil
    }

    /// Notes `batch` inside the transaction that is open.
    func advance(to batch: UInt64) throws {
        defer { update.reset() }
        try identity.bind(to: update)
        try update.bind(Int64(bitPattern: batch), at: ProgressIdentity.nextPlace)
        try update.run()
    }

    /// The transaction with `batch` is committed.
    func didCommit(_ batch: UInt64) {
        committed = batch
        isDurable = false
    }

    private var isDurable = true

    /// Makes all commits so far durable. Commits do not wait for the disk one by one: a last one that does covers them
    /// all, because they stand before it in the same write-ahead log.
    func makeDurable() throws {
        guard !isDurable, let committed else { return }
        try database.execute("PRAGMA synchronous = FULL")
        defer { try? database.execute("PRAGMA synchronous = NORMAL") }
        try database.transaction { try advance(to: committed) }
        isDurable = true
    }

    func close() { update.close() }
}
