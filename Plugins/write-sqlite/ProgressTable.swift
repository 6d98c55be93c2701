import Glibc
import StageKit

/// The last committed batch of each run, stage and table, kept in the database itself, so that data and progress cannot
/// disagree.
///
/// A run is told apart by the environment variable `STAGEHOST_RUN`. Where the host does not set it, a stage that opens
/// without a checkpoint takes itself for a new run, and forgets the progress of earlier ones.
final class ProgressTable {
    static let name = "stagehost_progress"

    /// The last committed batch; nil before the first.
    private(set) var committed: UInt64?

    private let database: Database
    private let update: Statement
    private let identity: [String]

    init(_ database: Database, stage: String, table: String, shard: Int, checkpoint: UInt64?) throws {
        self.database = database
        let run = unsafe getenv("STAGEHOST_RUN").map { unsafe String(cString: $0) } ?? ""
        identity = [run, stage, table, "\(shard)"]
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(Self.name) (run TEXT NOT NULL, stage TEXT NOT NULL, target TEXT NOT NULL, \
            shard TEXT NOT NULL, batch INTEGER NOT NULL, PRIMARY KEY (run, stage, target, shard)) WITHOUT ROWID
            """)
        update = try database.prepare("INSERT OR REPLACE INTO \(Self.name) VALUES (?, ?, ?, ?, ?)")
        if checkpoint == nil, run.isEmpty {
            try forget()
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
        let query = try database.prepare(
            "SELECT batch FROM \(Self.name) WHERE run = ? AND stage = ? AND target = ? AND shard = ?")
        defer { query.close() }
        try bindIdentity(query)
        return try query.firstInteger().map { UInt64(bitPattern: $0) }
    }

    private func forget() throws {
        let deletion = try database.prepare(
            "DELETE FROM \(Self.name) WHERE run = ? AND stage = ? AND target = ? AND shard = ?")
        defer { deletion.close() }
        try bindIdentity(deletion)
        try deletion.run()
    }

    private func bindIdentity(_ statement: Statement) throws {
        for (index, text) in identity.enumerated() {
            try text.withStageBytes { unsafe try statement.bindText($0, at: Int32(index + 1)) }
        }
    }

    /// Notes `batch` inside the transaction that is open.
    func advance(to batch: UInt64) throws {
        defer { update.reset() }
        try bindIdentity(update)
        try update.bind(Int64(bitPattern: batch), at: Int32(identity.count + 1))
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
