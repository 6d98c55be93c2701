import StageKit

/// One connection to a database file.
@safe final class Database {
    let path: String
    let library: SQLiteLibrary
    private var handle: OpaquePointer?

    init(_ path: String, busyTimeoutMilliseconds: Int) throws {
        self.path = path
        library = try SQLiteLibrary()
        var opened: OpaquePointer?
        // Read, write, create; one thread at a time uses the connection.
        let code = unsafe library.open(path, &opened, 0x2 | 0x4 | 0x8000, nil)
        unsafe handle = opened
        guard code == 0 else {
            let error = self.error(code, "open it")
            close()
            throw error
        }
        _ = unsafe library.busyTimeout(opened, Int32(clamping: busyTimeoutMilliseconds))
        try execute("PRAGMA journal_mode = WAL")
        try execute("PRAGMA synchronous = NORMAL")
    }

    func close() {
        if let open = unsafe handle { _ = unsafe library.close(open) }
        unsafe handle = nil
    }

    func execute(_ sql: String) throws {
        let code = unsafe library.execute(handle, sql, nil, nil, nil)
        guard code == 0 else { throw error(code, sql) }
    }

    func begin() throws { try execute("BEGIN IMMEDIATE") }
    func commit() throws { try execute("COMMIT") }

    /// Takes back what the open transaction did. Some errors have done so already, which is as well.
    func rollback() { try? execute("ROLLBACK") }

    func transaction(_ body: () throws -> Void) throws {
        try begin()
        do {
            try body()
            try commit()
        } catch {
            rollback()
            throw error
        }
    }

    func prepare(_ sql: String) throws -> Statement {
        var statement: OpaquePointer?
        let code = unsafe library.prepare(handle, sql, -1, &statement, nil)
        guard code == 0, let prepared = unsafe statement else { throw error(code, sql) }
        return unsafe Statement(self, prepared, sql)
    }

    func error(_ code: Int32, _ action: String) -> DatabaseError {
        let reason = unsafe library.message(handle).map { unsafe String(cString: $0) } ?? "no reason given"
        return DatabaseError(code: code & 0xFF, description: "\(path): cannot \(action): \(reason)")
    }
}

/// SQLite refused something.
struct DatabaseError: Error, CustomStringConvertible {
    /// The primary result code.
    let code: Int32
    let description: String

    /// Busy, locked, out of memory, I/O, full: worth another try later.
    var mayPass: Bool { [5, 6, 7, 10, 13].contains(code) }

    /// Too big, a constraint, a type mismatch, out of range: this row is at fault, and others may pass.
    var blamesTheRow: Bool { [18, 19, 20, 25].contains(code) }
}

/// A prepared statement.
@safe final class Statement {
    private let database: Database
    private var handle: OpaquePointer?
    private let sql: String

    init(_ database: Database, _ handle: OpaquePointer, _ sql: String) {
        self.database = database
        unsafe self.handle = handle
        self.sql = sql
    }

    private var library: SQLiteLibrary { database.library }

    private func check(_ code: Int32) throws {
        guard code == 0 else { throw database.error(code, sql) }
    }

    func bind(_ value: Int64, at place: Int32) throws { try check(unsafe library.bindInteger(handle, place, value)) }
    func bind(_ value: Double, at place: Int32) throws { try check(unsafe library.bindDouble(handle, place, value)) }
    func bindNull(at place: Int32) throws { try check(unsafe library.bindNull(handle, place)) }

    /// Binds UTF-8 text. The bytes are copied.
    @unsafe func bindText(_ text: UnsafeRawBufferPointer, at place: Int32) throws {
        // A missing address would bind NULL.
        let start = unsafe text.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
        try check(unsafe library.bindText(handle, place, start, UInt64(text.count), SQLiteLibrary.copied, 1))
    }

    func bind(_ text: String, at place: Int32) throws {
        try text.withStageBytes { unsafe try bindText($0, at: place) }
    }

    /// Binds a blob. The bytes are copied.
    @unsafe func bindBlob(_ bytes: UnsafeRawBufferPointer, at place: Int32) throws {
        // A missing address would bind NULL.
        let start = unsafe bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
        try check(unsafe library.bindBlob(handle, place, start, UInt64(bytes.count), SQLiteLibrary.copied))
    }

    /// Binds text, or a blob when the bytes are not UTF-8. The bytes are copied.
    @unsafe func bindTextOrBlob(_ bytes: UnsafeRawBufferPointer, at place: Int32) throws {
        if unsafe firstInvalidUTF8(in: bytes) == nil { return unsafe try bindText(bytes, at: place) }
        unsafe try bindBlob(bytes, at: place)
    }

    /// Runs a statement that returns no rows.
    func run() throws {
        let code = unsafe library.step(handle)
        guard code == SQLiteLibrary.done || code == SQLiteLibrary.row else { throw database.error(code, sql) }
    }

    /// Steps to the next row; false when there is none.
    func next() throws -> Bool {
        let code = unsafe library.step(handle)
        guard code == SQLiteLibrary.done || code == SQLiteLibrary.row else { throw database.error(code, sql) }
        return code == SQLiteLibrary.row
    }

    /// A column of the row at hand, counted from 0.
    func integer(at column: Int32) -> Int64 { unsafe library.columnInteger(handle, column) }

    func blob(at column: Int32) -> [UInt8] {
        // The address first: asking for it may change the size.
        let start = unsafe library.columnBlob(handle, column)
        let size = unsafe library.columnSize(handle, column)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(size)))
    }

    func text(at column: Int32) -> String { String(decoding: blob(at: column), as: UTF8.self) }

    /// Makes it ready for the next run.
    func reset() {
        _ = unsafe library.reset(handle)
    }

    func close() {
        _ = unsafe library.finalize(handle)
        unsafe handle = nil
    }
}
