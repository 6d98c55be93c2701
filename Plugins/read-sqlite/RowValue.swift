import StageKit
import StageSQLite

/// What is wrong with one row, which therefore fails as a record: others go on.
struct RowProblem: Error {
    let text: String
}

/// Turns the row at hand into the value of a record: a JSON object of its columns, or one column as it is.
struct RowValue {
    private let firstColumn: Int32
    private let isOneColumn: Bool
    private let maximumBytes: Int
    /// What goes before each value: `{"id":`, `,"title":`, …
    private var heads: [[UInt8]] = []
    private var names: [String] = []
    private(set) var bytes: [UInt8] = []

    init(firstColumn: Int32, isOneColumn: Bool, maximumBytes: Int) {
        self.firstColumn = firstColumn
        self.isOneColumn = isOneColumn
        self.maximumBytes = maximumBytes
    }

    /// Learns the names of the columns, which may be others than at the last read: tables change.
    mutating func learnColumns(of statement: Statement) throws {
        let found = Array(statement.columnNames.dropFirst(Int(firstColumn)))
        guard found != names || heads.isEmpty else { return }
        if let twice = Dictionary(grouping: found, by: { $0 }).first(where: { $0.value.count > 1 })?.key {
            throw StageFailure.fatal("found the column \(JSON.quote(twice)) more than once, expected each once; give it another name with AS")
        }
        names = found
        heads = found.enumerated().map { index, name in
            var head = [UInt8(ascii: index == 0 ? "{" : ",")]
            JSON.appendQuoted(name, to: &head)
            head.append(UInt8(ascii: ":"))
            return head
        }
    }

    /// Puts the value of the row at hand into `bytes`. Throws a ``RowProblem`` when the row cannot be one.
    mutating func take(_ statement: Statement) throws {
        bytes.removeAll(keepingCapacity: true)
        if isOneColumn { return try takeColumn(statement) }
        for index in heads.indices {
            bytes += heads[index]
            try append(statement, firstColumn + Int32(index), names[index])
            // The brace at the end.
            try checkSize(1)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func takeColumn(_ statement: Statement) throws {
        switch statement.type(at: firstColumn) {
        case .null: break
        case .integer, .real: try append(statement, firstColumn, names.first ?? "")
        case .text, .blob:
            try statement.withBytes(at: firstColumn) { value in
                try checkSize(value.count)
                unsafe bytes.append(contentsOf: value)
            }
        }
        try checkSize(0)
    }

    private mutating func append(_ statement: Statement, _ column: Int32, _ name: String) throws {
        switch statement.type(at: column) {
        case .null: bytes += Array("null".utf8)
        case .integer: bytes += Array("\(statement.integer(at: column))".utf8)
        case .real:
            let value = statement.double(at: column)
            guard value.isFinite else { throw RowProblem(text: "has no finite number in the column \(JSON.quote(name)), and JSON has no other") }
            bytes += Array(JSON.text(of: value).utf8)
        case .text:
            try statement.withBytes(at: column) { value in
                try checkSize(value.count)
                guard unsafe firstInvalidUTF8(in: value) == nil else { throw RowProblem(text: "is not UTF-8 in the column \(JSON.quote(name))") }
                unsafe JSON.appendQuoted(value, to: &bytes)
            }
        case .blob:
            try statement.withBytes(at: column) { value in
                try checkSize(value.count / 3 * 4)
                bytes += Array(#"{"base64":""#.utf8)
                bytes += Array(unsafe Base64.encode([UInt8](value)).utf8)
                bytes += Array(#""}"#.utf8)
            }
        }
    }

    /// Throws when there are too many bytes with `more` of them, which will be there.
    private func checkSize(_ more: Int) throws {
        if bytes.count + more > maximumBytes { throw RowProblem(text: "has more than max_row_bytes = \(maximumBytes) bytes") }
    }
}
