import StageKit
import StageSQLite

/// Goes through the rows in the order of the key, page by page, each page with a transaction of its own: between two of them
/// nobody is kept from writing.
///
/// It lets no row pass in silence: each key must be of the same type as the one before and come behind it, and each page begins with
/// the last row of the one before, so that a second row with that key shows.
final class RowReader {
    /// Rows are counted beforehand, for a total, only in databases so small that it costs nothing.
    private static let countedBytes: Int64 = 16 << 20

    /// The key of the last row that was delivered.
    private(set) var last: RowKey?

    let hasRecordKey: Bool
    private let database: Database
    private let selection: Selection
    private let host: Host
    private let isUTF8: Bool
    private let firstPage: Statement
    private let nextPage: Statement
    private var page: Statement?
    /// Whether the last row is still to be met again in this page.
    private var awaitsLast = false
    private var hasMissedLast = false

    init(_ database: Database, _ selection: Selection, _ host: Host, last: RowKey?) throws {
        self.database = database
        self.selection = selection
        self.host = host
        self.last = last
        hasRecordKey = selection.hasRecordKey
        firstPage = try database.prepare(selection.firstPage, to: "read the rows")
        nextPage = try database.prepare(selection.nextPage, to: "read the rows")
        isUTF8 = try Self.firstRow(of: try database.prepare("PRAGMA encoding")) { $0.text(at: 0) } == "UTF-8"
        try warnOfSorting()
    }

    /// A page that does not follow an index sorts all that is left, again and again.
    private func warnOfSorting() throws {
        let plan = try database.prepare(selection.plan, to: "explain the query")
        defer { plan.close() }
        while try plan.next() {
            let step = plan.text(at: 3)
            guard step.contains("TEMP B-TREE"), step.contains("ORDER BY") else { continue }
            host.log(
                .warning,
                "\(database.path): each read sorts all rows from the last key on (EXPLAIN QUERY PLAN: \(step)); "
                    + "where there are many, give the table an index on \(quoted(selection.keyColumn)), or read from a table that has one")
        }
    }

    /// Rows behind the last key, where counting them costs nothing; nil otherwise.
    func countIfCheap() throws -> Int? {
        guard selection.isTable else { return nil }
        let pages = try Self.firstRow(of: try database.prepare("PRAGMA page_count")) { $0.integer(at: 0) } ?? 0
        let size = try Self.firstRow(of: try database.prepare("PRAGMA page_size")) { $0.integer(at: 0) } ?? 0
        guard pages.multipliedReportingOverflow(by: size).partialValue <= Self.countedBytes else { return nil }
        let counting = try database.prepare(last == nil ? selection.count : selection.countBehind, to: "count the rows")
        try last?.bind(to: counting, at: 1)
        return try Self.firstRow(of: counting) { Int($0.integer(at: 0)) }
    }

    private static func firstRow<Result>(of statement: Statement, _ body: (Statement) throws -> Result) throws -> Result? {
        defer { statement.close() }
        return try statement.next() ? try body(statement) : nil
    }

    // MARK: - A page

    /// Begins to read up to so many rows. The statement has the row at hand after each `next`.
    func beginPage(records: Int) throws -> Statement {
        let statement = last == nil ? firstPage : nextPage
        page = statement
        try last?.bind(to: statement, at: 1)
        // One more for the row that comes again.
        try statement.bind(Int64(records) + (last == nil ? 0 : 1), at: 2)
        awaitsLast = last != nil
        // What is looked up at the end belongs to the same state of the database. Last: `endPage` follows only what has begun.
        try database.execute("BEGIN")
        return statement
    }

    /// Lets go of the locks.
    func endPage() {
        page?.reset()
        page = nil
        database.rollback()
    }

    /// The key of the next row; nil when there is none, and all is well.
    func next() throws -> RowKey? {
        guard let page else { return nil }
        while true {
            guard try page.next() else {
                if awaitsLast { warnOfMissedLast() }
                try checkEnd()
                return nil
            }
            let key = try key(of: page)
            guard let last else { return key }
            if awaitsLast {
                if key == last {
                    awaitsLast = false
                    continue
                }
                warnOfMissedLast()
            }
            try check(key, follows: last)
            return key
        }
    }

    /// The row has been delivered.
    func accept(_ key: RowKey) { last = key }

    func close() {
        firstPage.close()
        nextPage.close()
        database.close()
    }

    // MARK: - Keys

    private func key(of row: Statement) throws -> RowKey {
        switch row.type(at: 0) {
        case .integer: return .integer(row.integer(at: 0))
        case .text:
            guard isUTF8 else { throw refusal("text in a database that is not in UTF-8, expected integers there") }
            let bytes = try row.withBytes(at: 0) { unsafe [UInt8]($0) }
            guard bytes.count <= Int(STAGE_MAX_KEY_BYTES) else {
                throw refusal("text of \(bytes.count) bytes, above the limit of \(STAGE_MAX_KEY_BYTES)")
            }
            guard bytes.withStageBytes({ unsafe firstInvalidUTF8(in: $0) == nil }) else { throw refusal("text that is not UTF-8") }
            return .text(bytes)
        case .null: throw rowWithoutKey
        case let type: throw refusal("\(type.words), expected integers or text")
        }
    }

    private func check(_ key: RowKey, follows last: RowKey) throws {
        if last.isBefore(key) { return }
        if key == last { throw refusal("the key \(key) in more than one row, expected each once") }
        try checkKind(of: key, like: last)
        throw refusal("the key \(key) behind \(last), expected them to rise")
    }

    private func checkKind(of key: RowKey, like last: RowKey) throws {
        if key.kind != last.kind { throw refusal("\(key.kind) (\(key)) behind \(last.kind) (\(last)), expected keys of one type") }
    }

    /// The row that was delivered last does not come again: it is gone.
    private func warnOfMissedLast() {
        awaitsLast = false
        guard let last, !hasMissedLast else { return }
        hasMissedLast = true
        host.log(
            .warning,
            "\(database.path): the last row that was read, with \(selection.keyColumn) = \(last), is no longer there; "
                + "rows that go before the job is complete may be missed, and others read twice, after a restart")
    }

    /// No more rows were found: is that all? Rows without a key are found by no comparison; and where a query brings columns of several
    /// types together, SQLite compares some keys in another way than it sorts them.
    private func checkEnd() throws {
        let search = try database.prepare(selection.rowWithoutKey, to: "look for rows without a key")
        if try Self.firstRow(of: search, { _ in true }) != nil { throw rowWithoutKey }
        guard let last else { return }
        let highest = try database.prepare(selection.highestKey, to: "look for the highest key")
        guard let key = try Self.firstRow(of: highest, { try key(of: $0) }), key != last, !key.isBefore(last) else { return }
        try checkKind(of: key, like: last)
        throw refusal("the key \(key), which is not found by reading on from \(last), expected a column of one type; use CAST in the query")
    }

    private var rowWithoutKey: StageFailure { refusal("NULL, expected a key in each row; leave such rows out with a query that says IS NOT NULL") }

    private func refusal(_ found: String) -> StageFailure {
        .fatal("\(database.path): in the key column \(JSON.quote(selection.keyColumn)) found \(found)")
    }
}

extension Statement.ValueType {
    /// For messages.
    var words: String {
        switch self {
        case .integer: "an integer"
        case .real: "a real number"
        case .text: "text"
        case .blob: "a blob"
        case .null: "NULL"
        }
    }
}
