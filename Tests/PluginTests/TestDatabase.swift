import Glibc

/// A database seen through SQLite's own functions.
@safe final class TestDatabase {
    private typealias Open = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<OpaquePointer?>) -> Int32
    private typealias Row = @convention(c) (
        UnsafeMutableRawPointer?, Int32, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, UnsafeRawPointer?
    ) -> Int32
    private typealias Execute = @convention(c) (
        OpaquePointer?, UnsafePointer<CChar>, Row, UnsafeMutableRawPointer?, Int
    ) -> Int32
    private typealias Close = @convention(c) (OpaquePointer?) -> Int32

    struct Problem: Error {
        let text: String
    }

    private let library: UnsafeMutableRawPointer
    private var database: OpaquePointer?

    init(_ path: String) throws {
        guard let library = unsafe dlopen("libsqlite3.so.0", RTLD_NOW) else { throw Problem(text: "no libsqlite3") }
        unsafe self.library = library
        let open = unsafe try unsafeBitCast(symbol("sqlite3_open"), to: Open.self)
        guard unsafe open(path, &database) == 0 else { throw Problem(text: path) }
    }

    /// Whether the library can be opened here.
    static var isThere: Bool {
        guard let handle = unsafe dlopen("libsqlite3.so.0", RTLD_LAZY) else { return false }
        unsafe dlclose(handle)
        return true
    }

    /// Makes a database in `folder`, or changes the one that is there; returns its path.
    @discardableResult
    static func make(in folder: TemporaryFolder, _ sql: String, name: String = "in.db") throws -> String {
        let path = folder.path + "/" + name
        _ = try TestDatabase(path).rows(sql)
        return path
    }

    deinit {
        if let symbol = unsafe try? symbol("sqlite3_close") {
            _ = unsafe unsafeBitCast(symbol, to: Close.self)(database)
        }
    }

    private func symbol(_ name: String) throws -> UnsafeMutableRawPointer {
        guard let symbol = unsafe dlsym(library, name) else { throw Problem(text: name) }
        return unsafe symbol
    }

    /// Runs `sql`; the columns of each row are joined with "|".
    func rows(_ sql: String) throws -> [String] {
        let execute = unsafe try unsafeBitCast(symbol("sqlite3_exec"), to: Execute.self)
        var rows: [String] = []
        let code = unsafe withUnsafeMutablePointer(to: &rows) { rows in
            unsafe execute(
                database, sql,
                { rows, count, columns, _ in
                    var texts: [String] = []
                    for index in 0..<Int(count) {
                        texts.append(unsafe columns?[index].map { unsafe String(cString: $0) } ?? "NULL")
                    }
                    unsafe rows?.assumingMemoryBound(to: [String].self).pointee.append(texts.joined(separator: "|"))
                    return 0
                }, rows, 0)
        }
        guard code == 0 else { throw Problem(text: "\(sql): \(code)") }
        return rows
    }
}
