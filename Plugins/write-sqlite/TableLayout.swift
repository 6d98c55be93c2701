import StageKit
import StageSQLite

/// Which columns the table has, and what goes into each.
struct TableLayout {
    struct Column {
        let name: String
        let content: ColumnContent

        var declaration: String {
            switch content {
            case .id: quoted(name) + " INTEGER"
            case .key, .value: quoted(name) + " TEXT"
            case .member: quoted(name)  // holds what it is given
            }
        }
    }

    let table: String
    let columns: [Column]
    let upsert: String?

    init(_ configuration: WriteSQLite.Configuration) throws {
        table = try Self.name(configuration.table, key: ["table"])
        guard !table.lowercased().hasPrefix("sqlite_"),
            ![ProgressTable.name, FailureTable.name, LastBatchTable.name].contains(table.lowercased())
        else {
            throw ConfigurationError("table", found: JSON.quote(table), expected: "a name that SQLite or this plugin does not keep for itself")
        }
        let wanted = configuration.columns ?? ["id": "id", "key": "key", "value": "value"]
        guard (1...500).contains(wanted.count) else {
            throw ConfigurationError("columns", found: "\(wanted.count) columns", expected: "1 to 500")
        }
        columns = try wanted.sorted { $0.key < $1.key }.map { name, source in
            Column(name: try Self.name(name, key: ["columns"]), content: try ColumnContent(source, column: name))
        }
        upsert = configuration.upsert
        if let upsert, !columns.contains(where: { $0.name == upsert }) {
            let names = columns.map { JSON.quote($0.name) }.joined(separator: ", ")
            throw ConfigurationError("upsert", found: JSON.quote(upsert), expected: "one of the columns \(names)")
        }
    }

    private static func name(_ name: String, key: [String]) throws -> String {
        guard !name.isEmpty, name.utf8.count <= 200, !name.utf8.contains(0) else {
            throw ConfigurationError(
                path: key, problem: "found \(JSON.quote(name)), expected a name of 1 to 200 bytes")
        }
        return name
    }

    var creation: String {
        "CREATE TABLE IF NOT EXISTS \(quoted(table)) (\(columns.map(\.declaration).joined(separator: ", ")))"
    }

    var uniqueIndex: String? {
        upsert.map {
            "CREATE UNIQUE INDEX IF NOT EXISTS \(quoted("stagehost_\(table)_\($0)")) ON \(quoted(table)) (\(quoted($0)))"
        }
    }

    var insertion: String {
        let names = columns.map { quoted($0.name) }.joined(separator: ", ")
        let places = columns.map { _ in "?" }.joined(separator: ", ")
        return "INSERT \(upsert == nil ? "" : "OR REPLACE ")INTO \(quoted(table)) (\(names)) VALUES (\(places))"
    }
}
