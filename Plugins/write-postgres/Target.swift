import StageKit

/// The table to write, its columns, and what goes into each.
struct Target {
    struct Column {
        let name: String
        let content: ColumnContent
    }

    let schema: String?
    let table: String
    let columns: [Column]
    let onConflict: Settings.OnConflict
    /// The columns by which a row meets an earlier one.
    let keys: [String]

    init(_ configuration: Settings.Configuration) throws {
        schema = try configuration.schema.map { try Settings.name($0, ["schema"]) }
        let table = try Settings.name(configuration.table, ["table"])
        self.table = table
        guard ![Progress.table, Progress.failureTable].contains(table) else {
            throw ConfigurationError("table", found: JSON.quote(table), expected: "a name that this plugin does not keep for itself")
        }
        let wanted = configuration.columns ?? ["id": "id", "key": "key", "value": "value"]
        guard (1...500).contains(wanted.count) else {
            throw ConfigurationError("columns", found: "\(wanted.count) columns", expected: "1 to 500")
        }
        let columns = try wanted.sorted { $0.key < $1.key }.map { name, source in
            Column(name: try Settings.name(name, ["columns"]), content: try ColumnContent(source, column: name))
        }
        self.columns = columns
        keys = configuration.upsert?.values ?? []
        for key in keys where !columns.contains(where: { $0.name == key }) {
            let names = columns.map { JSON.quote($0.name) }.joined(separator: ", ")
            throw ConfigurationError("upsert", found: JSON.quote(key), expected: "one of the columns \(names)")
        }
        onConflict = configuration.on_conflict ?? (keys.isEmpty ? .fail : .update)
        if onConflict == .update, keys.isEmpty {
            throw ConfigurationError("on_conflict", found: "\"update\" without upsert", expected: "upsert to name the columns by which rows meet")
        }
        if onConflict == .fail, !keys.isEmpty {
            throw ConfigurationError("on_conflict", found: "\"fail\" with upsert", expected: "\"update\" or \"ignore\"")
        }
    }

    var name: String { SQLText.name(table, in: schema) }

    private var names: String { columns.map { SQLText.name($0.name) }.joined(separator: ", ") }

    private var keyNames: String { keys.map(SQLText.name).joined(separator: ", ") }

    /// Makes the table: numbers of records are integers, all else is text.
    var creation: String {
        let declarations = columns.map { SQLText.name($0.name) + ($0.content == .id ? " bigint" : " text") }
        let unique = keys.isEmpty ? "" : ", UNIQUE (\(keyNames))"
        return "CREATE TABLE IF NOT EXISTS \(name) (\(declarations.joined(separator: ", "))\(unique))"
    }

    var copy: String { "COPY \(name) (\(names)) FROM STDIN" }

    /// Inserts so many rows, each with a parameter for each column; with 0, one row of NULLs.
    func insertion(rows: Int) -> String {
        var places: [String] = []
        for row in 0..<max(rows, 1) {
            let values = columns.indices.map { rows == 0 ? "NULL" : "$\(row * columns.count + $0 + 1)" }
            places.append("(\(values.joined(separator: ", ")))")
        }
        return "INSERT INTO \(name) (\(names)) VALUES \(places.joined(separator: ", "))\(conflictClause)"
    }

    private var conflictClause: String {
        let place = keys.isEmpty ? "" : " (\(keyNames))"
        let others = columns.filter { !keys.contains($0.name) }.map(\.name)
        switch onConflict {
        case .fail: return ""
        case .update where !others.isEmpty:
            let changes = others.map { "\(SQLText.name($0)) = EXCLUDED.\(SQLText.name($0))" }
            return " ON CONFLICT\(place) DO UPDATE SET \(changes.joined(separator: ", "))"
        default: return " ON CONFLICT\(place) DO NOTHING"
        }
    }
}
