import StageKit

/// A prepared statement.
///
/// Everything unsafe about one is here and in `Database`: the handle is valid until `close`, and SQLite takes a missing one;
/// what SQLite lends of a row is copied, or lent on for the length of a closure in which the statement must not be used.
@safe package final class Statement {
    /// How SQLite stores a value.
    package enum ValueType: Int32 {
        case integer = 1
        case real, text, blob, null
    }

    private let database: Database
    private var handle: OpaquePointer?
    // What an error says that cannot be done.
    private let purpose: String

    init(_ database: Database, _ handle: OpaquePointer, _ purpose: String) {
        self.database = database
        unsafe self.handle = handle
        self.purpose = purpose
    }

    deinit { close() }

    private var library: SQLiteLibrary { database.library }

    private func check(_ code: Int32) throws {
        guard code == 0 else { throw database.error(code, purpose) }
    }

    // MARK: - Parameters, counted from 1

    package func bind(_ value: Int64, at place: Int32) throws { try check(unsafe library.bindInteger(handle, place, value)) }
    package func bind(_ value: Double, at place: Int32) throws { try check(unsafe library.bindDouble(handle, place, value)) }
    package func bindNull(at place: Int32) throws { try check(unsafe library.bindNull(handle, place)) }

    /// Binds UTF-8 text. The bytes are copied.
    @unsafe package func bindText(_ text: UnsafeRawBufferPointer, at place: Int32) throws {
        // A missing address would bind NULL.
        let start = unsafe text.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
        try check(unsafe library.bindText(handle, place, start, UInt64(text.count), SQLiteLibrary.copied, 1))
    }

    package func bind(_ text: String, at place: Int32) throws {
        try text.withStageBytes { unsafe try bindText($0, at: place) }
    }

    /// Binds a blob. The bytes are copied.
    @unsafe package func bindBlob(_ bytes: UnsafeRawBufferPointer, at place: Int32) throws {
        // A missing address would bind NULL.
        let start = unsafe bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
        try check(unsafe library.bindBlob(handle, place, start, UInt64(bytes.count), SQLiteLibrary.copied))
    }

    /// Binds text, or a blob when the bytes are not UTF-8. The bytes are copied.
    @unsafe package func bindTextOrBlob(_ bytes: UnsafeRawBufferPointer, at place: Int32) throws {
        if unsafe firstInvalidUTF8(in: bytes) == nil { return unsafe try bindText(bytes, at: place) }
        unsafe try bindBlob(bytes, at: place)
    }

    /// How many parameters are to be bound.
    package var parameterCount: Int { Int(unsafe library.parameterCount(handle)) }

    // MARK: - Running

    /// Runs a statement that returns no rows.
    package func run() throws { _ = try next() }

    /// Steps to the next row; false when there is none.
    package func next() throws -> Bool {
        let code = unsafe library.step(handle)
        guard code == SQLiteLibrary.done || code == SQLiteLibrary.row else { throw database.error(code, purpose) }
        return code == SQLiteLibrary.row
    }

    /// Makes it ready for the next run, and lets go of its locks.
    package func reset() {
        _ = unsafe library.reset(handle)
    }

    /// Harmless the second time.
    package func close() {
        _ = unsafe library.finalize(handle)
        unsafe handle = nil
    }

    // MARK: - Columns, counted from 0

    /// Whether it leaves the database as it is.
    package var isReadOnly: Bool { unsafe library.isReadOnly(handle) != 0 }

    /// Columns of its rows; may change between two runs when the tables do.
    package var columnCount: Int { Int(unsafe library.columnCount(handle)) }

    package func name(ofColumn column: Int32) -> String {
        unsafe library.columnName(handle, column).map { unsafe String(cString: $0) } ?? ""
    }

    /// The names of all columns.
    package var columnNames: [String] { (0..<Int32(columnCount)).map { name(ofColumn: $0) } }

    /// How the value of the row at hand is stored.
    package func type(at column: Int32) -> ValueType { ValueType(rawValue: unsafe library.columnType(handle, column)) ?? .null }

    package func integer(at column: Int32) -> Int64 { unsafe library.columnInteger(handle, column) }
    package func double(at column: Int32) -> Double { unsafe library.columnDouble(handle, column) }

    package func blob(at column: Int32) -> [UInt8] {
        // The address first: asking for it may change the size.
        let start = unsafe library.columnBlob(handle, column)
        let size = unsafe library.columnSize(handle, column)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(size)))
    }

    package func text(at column: Int32) -> String { String(decoding: blob(at: column), as: UTF8.self) }

    /// Calls `body` with the bytes of a value that is stored as text or as a blob, text as UTF-8 whatever the database has.
    @safe package func withBytes<Result>(at column: Int32, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        let isText = type(at: column) == .text
        let start = unsafe isText ? library.columnText(handle, column) : library.columnBlob(handle, column)
        let size = unsafe Int(library.columnSize(handle, column))
        // Empty text has an address; only an empty blob has none.
        if unsafe start == nil, isText || size > 0 { throw database.error(SQLiteLibrary.outOfMemory, purpose) }
        return unsafe try body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : size))
    }
}
