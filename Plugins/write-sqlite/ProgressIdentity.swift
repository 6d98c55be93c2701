import StageSQLite

/// Whose progress it is: the run, the stage, the table and the shard. The key of every table that the plugin keeps for
/// itself.
struct ProgressIdentity {
    static let declaration = "run TEXT NOT NULL, stage TEXT NOT NULL, target TEXT NOT NULL, shard TEXT NOT NULL"
    static let key = "run, stage, target, shard"
    static let condition = "run = ? AND stage = ? AND target = ? AND shard = ?"

    /// The place of the first parameter behind the identity.
    static let nextPlace: Int32 = 5

    let run: String
    let stage: String
    let table: String
    let shard: Int

    func bind(to statement: Statement) throws {
        for (index, text) in [run, stage, table, "\(shard)"].enumerated() {
            try statement.bind(text, at: Int32(index + 1))
        }
    }

    /// Removes what `table` has of it.
    func forget(in table: String, _ database: Database) throws {
        let deletion = try database.prepare("DELETE FROM \(table) WHERE \(Self.condition)")
        defer { deletion.close() }
        try bind(to: deletion)
        try deletion.run()
    }
}
