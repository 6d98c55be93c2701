import StageKit

/// One connection to a database file. One thread at a time uses it.
@safe package final class Database {
    /// What a connection may do.
    package enum Access {
        /// Writes, and creates the file if missing.
        case readWrite

        /// Never changes the database. Beside one in WAL mode SQLite may have to create its `-shm` and `-wal` files.
        case readOnly

        fileprivate var flags: Int32 {
            switch self {
            case .readWrite: 0x2 | 0x4
            case .readOnly: 0x1
            }
        }
    }

    private static let noMutex: Int32 = 0x8000

    package let path: String
    private let access: Access
    let library: SQLiteLibrary
    // What `open` made; nil once closed, which every function of SQLite that is used here takes.
    private var handle: OpaquePointer?

    /// Opens the file at `path`, which is never taken for a URI or a name with a meaning of its own.
    ///
    /// - Parameter busyTimeoutMilliseconds: How long each statement waits for the locks of others.
    package init(_ path: String, _ access: Access, busyTimeoutMilliseconds: Int) throws {
        self.path = path
        self.access = access
        library = try SQLiteLibrary()
        var opened: OpaquePointer?
        let name = path.hasPrefix("/") ? path : "./" + path
        let code = unsafe library.open(name, &opened, access.flags | Self.noMutex, nil)
        unsafe handle = opened
        guard code == 0 else {
            let error = self.error(code, "open it")
            close()
            throw error
        }
        _ = unsafe library.busyTimeout(opened, Int32(clamping: busyTimeoutMilliseconds))
    }

    deinit { close() }

    /// Harmless the second time. Statements that are still open keep what they need.
    package func close() {
        if let open = unsafe handle { _ = unsafe library.close(open) }
        unsafe handle = nil
    }

    package func execute(_ sql: String) throws {
        let code = unsafe library.execute(handle, sql, nil, nil, nil)
        guard code == 0 else { throw error(code, sql) }
    }

    package func begin() throws { try execute("BEGIN IMMEDIATE") }
    package func commit() throws { try execute("COMMIT") }

    /// Takes back what the open transaction did. Some errors have done so already, which is as well.
    package func rollback() { try? execute("ROLLBACK") }

    package func transaction(_ body: () throws -> Void) throws {
        try begin()
        do {
            try body()
            try commit()
        } catch {
            rollback()
            throw error
        }
    }

    /// Prepares one statement.
    ///
    /// - Parameter purpose: What its errors say that cannot be done. Default: the SQL.
    package func prepare(_ sql: String, to purpose: String? = nil) throws -> Statement {
        guard let (statement, _) = try prepareFirst(of: sql, to: purpose ?? sql) else {
            throw DatabaseError(code: 1, description: "\(path): cannot \(purpose ?? sql): there is no statement")
        }
        return statement
    }

    /// Prepares the first statement of `sql`, and says how many bytes of it, from the beginning, that took; nil when there are
    /// only blanks and comments.
    package func prepareFirst(of sql: String, to purpose: String) throws -> (statement: Statement, length: Int)? {
        try sql.withStageBytes { text in
            var statement: OpaquePointer?
            var end: UnsafePointer<CChar>?
            let start = unsafe text.baseAddress?.assumingMemoryBound(to: CChar.self)
            guard let start = unsafe start else { return nil }
            // With the length, SQLite reads no further than that: the text needs no NUL.
            let code = unsafe library.prepare(handle, start, Int32(clamping: text.count), &statement, &end)
            guard code == 0 else { throw error(code, purpose) }
            guard let prepared = unsafe statement else { return nil }
            let length = unsafe end.map { unsafe $0 - start } ?? text.count
            return (unsafe Statement(self, prepared, purpose), length)
        }
    }

    func error(_ code: Int32, _ action: String) -> DatabaseError {
        let reason = unsafe library.message(handle).map { unsafe String(cString: $0) } ?? "no reason given"
        let hint = access == .readOnly ? DatabaseError.hint(unsafe library.extendedCode(handle)) : ""
        return DatabaseError(code: code & 0xFF, description: "\(path): cannot \(action): \(reason)\(hint)")
    }
}
