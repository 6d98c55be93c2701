import StageKit

/// What the server knows of the table.
enum Catalogue {
    /// The columns of `target` with the form that the server wants each in. Throws when one is missing.
    static func forms(of target: Target, on connection: Connection) throws -> [(column: Target.Column, form: RowText.Form)] {
        let rows = try connection.execute(
            """
            SELECT a.attname, b.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
            JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END \
            WHERE a.attrelid = to_regclass(\(SQLText.literal(target.name))) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
            """)
        guard !rows.isEmpty else {
            throw ServerError("table \(target.name) does not exist: create it, or set create to true", .giveUp)
        }
        let types = Dictionary(rows.map { ($0[0] ?? "", $0[1] ?? "") }) { first, _ in first }
        return try target.columns.map { column in
            guard let type = types[column.name] else {
                let names = rows.map { JSON.quote($0[0] ?? "") }.joined(separator: ", ")
                throw ServerError("table \(target.name) has no column \(JSON.quote(column.name)); it has \(names)", .giveUp)
            }
            return (column, RowText.Form(type: type))
        }
    }

    /// Has the server plan an insertion without running it: this finds missing rights and indexes before there is a row.
    static func check(_ target: Target, on connection: Connection) throws {
        do {
            try connection.execute("EXPLAIN " + target.insertion(rows: 0))
        } catch let error as ServerError where !error.mayPass {
            throw ServerError("rows cannot be written to \(target.name): \(error)", .giveUp)
        }
    }
}
