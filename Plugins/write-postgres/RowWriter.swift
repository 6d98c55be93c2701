import StageKit

/// Puts the rows of a batch into the table, inside a transaction that has the savepoint `stagehost`.
///
/// They go all at once. What the server refuses because of a row goes again by halves, each behind the savepoint, until the row stands
/// alone: so each row is taken or refused as if they had come one by one, in their order.
struct RowWriter {
    typealias Failure = (index: Int, message: String)

    static let savepoint = "SAVEPOINT stagehost"

    private let target: Target
    private let text: RowText

    /// Of one statement: the protocol counts parameters in 16 bits.
    private static let maximumParameters = 65_535
    private static let maximumStatementBytes = 16 << 20

    init(_ target: Target, _ text: RowText) {
        self.target = target
        self.text = text
    }

    /// Writes the records at `indexes`; returns those that are at fault, ascending, with the reason.
    func write(_ indexes: [Int], of batch: borrowing Batch, on connection: Connection) throws -> [Failure] {
        var failures: [Int: String] = [:]
        var ranges = [indexes.indices]
        while let range = ranges.popLast() {
            do {
                try put(indexes[range].filter { failures[$0] == nil }, of: batch, on: connection, &failures)
                if !ranges.isEmpty { try connection.execute("RELEASE \(Self.savepoint); \(Self.savepoint)") }
            } catch let error as ServerError where error.remedy == .blameTheRow {
                try connection.execute("ROLLBACK TO \(Self.savepoint)")
                if range.count == 1 {
                    failures[indexes[range.lowerBound]] = error.description
                } else {
                    let middle = range.lowerBound + range.count / 2
                    ranges += [middle..<range.upperBound, range.lowerBound..<middle]
                }
            }
        }
        return failures.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Writes records together. Those that cannot be rows are left out, and noted.
    private func put(_ indexes: [Int], of batch: borrowing Batch, on connection: Connection, _ failures: inout [Int: String]) throws {
        guard !indexes.isEmpty else { return }
        if target.onConflict == .fail {
            try copy(indexes, of: batch, on: connection, &failures)
        } else {
            try insert(indexes, of: batch, on: connection, &failures)
        }
    }

    private func copy(_ indexes: [Int], of batch: borrowing Batch, on connection: Connection, _ failures: inout [Int: String]) throws {
        var rows: [UInt8] = []
        try connection.beginCopy(target.copy)
        for index in indexes {
            let start = rows.count
            do {
                try text.write(batch[index]) { CopyText.append($0, isFirst: rows.count == start, to: &rows) }
                rows.append(UInt8(ascii: "\n"))
            } catch let failure as RecordFailure {
                rows.removeSubrange(start...)
                failures[index] = failure.message
            }
            try connection.put(&rows)
        }
        try connection.put(&rows, atOnce: true)
        try connection.endCopy()
    }

    private func insert(_ indexes: [Int], of batch: borrowing Batch, on connection: Connection, _ failures: inout [Int: String]) throws {
        let keys = target.columns.indices.filter { target.keys.contains(target.columns[$0].name) }
        var parameters = CTexts()
        var rows = 0
        // One statement cannot meet the same row twice: the second goes into the next.
        var met: Set<[[UInt8]?]> = []
        func send() throws {
            if rows > 0 { try connection.execute(target.insertion(rows: rows), parameters) }
            parameters.removeAll()
            rows = 0
            met.removeAll()
        }
        for index in indexes {
            var row: [[UInt8]?] = []
            do {
                try text.write(batch[index]) { row.append($0) }
            } catch let failure as RecordFailure {
                failures[index] = failure.message
                continue
            }
            let key = keys.map { row[$0] }
            if (!key.isEmpty && met.contains(key)) || parameters.count + row.count > Self.maximumParameters
                || parameters.size > Self.maximumStatementBytes
            {
                try send()
            }
            met.insert(key)
            for field in row {
                if let field { parameters.append(field) } else { parameters.appendNull() }
            }
            rows += 1
        }
        try send()
    }
}

/// The text format of COPY.
enum CopyText {
    /// Appends a field, with what stands before it; nil is NULL.
    static func append(_ field: [UInt8]?, isFirst: Bool, to rows: inout [UInt8]) {
        if !isFirst { rows.append(UInt8(ascii: "\t")) }
        guard let field else {
            rows += [UInt8(ascii: "\\"), UInt8(ascii: "N")]
            return
        }
        for byte in field {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\t"): rows += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): rows += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case UInt8(ascii: "\r"): rows += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
            default: rows.append(byte)
            }
        }
    }
}
