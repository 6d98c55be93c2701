import StageKit
import StageSQLite

/// What is read, as SQL: every statement that the plugin runs.
///
/// Columns are always written `input."name"`: a name in quotes alone that is no column would be taken for a string. Keys are
/// compared by the collation BINARY, whatever the column has, so that no two keys that differ count as the same.
struct Selection {
    /// Names that a table has for its own number of a row, without a column for it.
    private static let rowNumbers: Set<String> = ["rowid", "oid", "_rowid_"]
    private static let maximumColumns = 2000

    /// What stands behind FROM.
    private let input: String
    /// What stands behind SELECT.
    private let outputs: String
    private let key: String

    let keyColumn: String
    /// Whether it reads a table as it is, so that counting is cheap.
    let isTable: Bool
    let hasRecordKey: Bool
    let isOneColumn: Bool

    init(_ configuration: ReadSQLite.Configuration, _ database: Database) throws {
        isTable = configuration.table != nil
        let source = try configuration.table.map { try Self.tableName($0) } ?? Self.query(configuration.query ?? "", database)
        input = "\(source) AS input"
        keyColumn = configuration.key
        hasRecordKey = configuration.record_key != nil
        isOneColumn = configuration.value != nil

        let present = try database.prepare("SELECT * FROM \(input) LIMIT 0", to: "read from \(isTable ? "the table" : "the query")").columnNames
        guard present.count <= Self.maximumColumns else {
            throw StageFailure.fatal(
                "\(database.path): found \(present.count) columns, expected \(Self.maximumColumns) at most; name those that are needed")
        }
        let columns = Columns(present: present, isTable: isTable)
        key = try columns.find(configuration.key, "key")
        var outputs = [key]
        if let name = configuration.record_key { outputs.append(try columns.find(name, "record_key")) }
        if let name = configuration.value {
            outputs.append(try columns.find(name, "value"))
        } else if let names = configuration.columns {
            guard Set(names).count == names.count, (1...Self.maximumColumns).contains(names.count) else {
                throw ConfigurationError("columns", found: "a list of \(names.count)", expected: "1 to \(Self.maximumColumns) names, each once")
            }
            outputs += try names.map { "\(try columns.find($0, "columns")) AS \(quoted($0))" }
        } else {
            outputs.append("input.*")
        }
        self.outputs = outputs.joined(separator: ", ")
    }

    /// The columns that there are.
    private struct Columns {
        let present: [String]
        let isTable: Bool

        /// The column called `name` as SQL.
        func find(_ name: String, _ option: String) throws -> String {
            let lowercased = name.lowercased()
            guard present.contains(where: { $0.lowercased() == lowercased }) || isTable && Selection.rowNumbers.contains(lowercased) else {
                throw ConfigurationError(
                    option, found: JSON.quote(name), expected: "one of the columns \(present.map { JSON.quote($0) }.joined(separator: ", "))")
            }
            return "input.\(quoted(name))"
        }
    }

    private static func tableName(_ name: String) throws -> String {
        guard !name.isEmpty, !name.utf8.contains(0) else {
            throw ConfigurationError("table", found: JSON.quote(name), expected: "the name of a table or a view")
        }
        return quoted(name)
    }

    /// The query in parentheses, once it is known to be one statement that reads, and nothing but that.
    private static func query(_ text: String, _ database: Database) throws -> String {
        func refusal(_ found: String) -> ConfigurationError {
            ConfigurationError("query", found: found, expected: "one SELECT without parameters")
        }
        guard !text.utf8.contains(0) else { throw refusal("a NUL character") }
        guard let (statement, length) = try database.prepareFirst(of: text, to: "read the query") else { throw refusal("no statement") }
        guard statement.columnCount > 0, statement.isReadOnly else { throw refusal("a statement that does not select") }
        guard statement.parameterCount == 0 else { throw refusal("parameters") }
        let rest = String(decoding: text.utf8.dropFirst(length), as: UTF8.self)
        guard try database.prepareFirst(of: rest, to: "read what follows the query") == nil else { throw refusal("more than one statement") }
        var select = Substring(decoding: text.utf8.prefix(length), as: UTF8.self)
        while let last = select.last, last == ";" || last.isWhitespace { select.removeLast() }
        // The query may end in a comment, which ends with its line. Where a table can stand `(PRAGMA x)` is one, so EXISTS has a look.
        let wrapped = "(\n\(select)\n)"
        _ = try database.prepare("SELECT EXISTS \(wrapped)", to: "read the query")
        return wrapped
    }

    private var order: String { "\(key) COLLATE BINARY" }

    /// Rows in the order of the key from its lowest on; ?2 is how many. NULL comes first.
    var firstPage: String { "SELECT \(outputs) FROM \(input) ORDER BY \(order) LIMIT ?2" }

    /// Rows from the one with the key ?1 on. That one comes again, so that another with the same key is seen.
    var nextPage: String { "SELECT \(outputs) FROM \(input) WHERE \(order) >= ?1 ORDER BY \(order) LIMIT ?2" }

    /// How `nextPage` is run: the last column of each row says it in words.
    var plan: String { "EXPLAIN QUERY PLAN \(nextPage)" }

    /// The key that comes last.
    var highestKey: String { "SELECT \(key) FROM \(input) ORDER BY \(order) DESC LIMIT 1" }

    /// A row without a key.
    var rowWithoutKey: String { "SELECT 1 FROM \(input) WHERE \(key) IS NULL LIMIT 1" }

    /// How many rows there are in all.
    var count: String { "SELECT count(*) FROM \(input)" }

    /// How many rows there are behind the key ?1.
    var countBehind: String { "SELECT count(*) FROM \(input) WHERE \(order) > ?1" }
}
