import StageKit
import StageSQLite

/// Writes one record as one row.
struct RowWriter {
    private let statement: Statement
    private let layout: TableLayout

    init(_ database: Database, _ layout: TableLayout) throws {
        self.layout = layout
        statement = try database.prepare(layout.insertion)
    }

    /// Throws a `RecordFailure` when the record is at fault; the transaction then goes on without it.
    func write(_ record: borrowing Record) throws {
        defer { statement.reset() }
        for (index, column) in layout.columns.enumerated() {
            let place = Int32(index + 1)
            switch column.content {
            case .id: try statement.bind(Int64(bitPattern: record.id), at: place)
            case .key: unsafe try statement.bindTextOrBlob(record.keyBuffer, at: place)
            case .value: unsafe try statement.bindTextOrBlob(record.valueBuffer, at: place)
            case .member(let pointer): try bind(try record.json(pointer), at: place)
            }
        }
        do {
            try statement.run()
        } catch let error as DatabaseError where error.blamesTheRow {
            throw RecordFailure.permanent("\(error)")
        }
    }

    private func bind(_ slice: JSONSlice?, at place: Int32) throws {
        guard let slice, !slice.isNull else { return try statement.bindNull(at: place) }
        switch slice.kind {
        case .string: try slice.withStringBytes { unsafe try statement.bindText($0, at: place) }
        case .boolean: try statement.bind(Int64(slice.boolean == true ? 1 : 0), at: place)
        case .number:
            if let integer = slice.integer {
                try statement.bind(integer, at: place)
            } else {
                try statement.bind(slice.number ?? .nan, at: place)
            }
        default: unsafe try statement.bindText(slice.bytes, at: place)
        }
    }

    func close() { statement.close() }
}
