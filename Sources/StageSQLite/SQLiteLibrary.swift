import StageKit

/// The functions of SQLite's C library that the plugins use, typed as in `sqlite3.h`: nothing can check that they are.
@safe struct SQLiteLibrary {
    typealias Handle = OpaquePointer?
    typealias Text = UnsafePointer<CChar>?
    typealias Destructor = UnsafeRawPointer?

    static let row: Int32 = 100
    static let done: Int32 = 101
    static let outOfMemory: Int32 = 7

    /// SQLITE_TRANSIENT: SQLite makes a copy of what is bound.
    static var copied: Destructor { unsafe UnsafeRawPointer(bitPattern: -1) }

    let open: @convention(c) (Text, UnsafeMutablePointer<OpaquePointer?>, Int32, Text) -> Int32
    let close: @convention(c) (Handle) -> Int32
    let message: @convention(c) (Handle) -> Text
    let extendedCode: @convention(c) (Handle) -> Int32
    let busyTimeout: @convention(c) (Handle, Int32) -> Int32
    let execute:
        @convention(c) (Handle, Text, UnsafeRawPointer?, UnsafeRawPointer?, UnsafeMutablePointer<Text>?) -> Int32
    let prepare:
        @convention(c) (Handle, Text, Int32, UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<Text>?) -> Int32
    let step: @convention(c) (Handle) -> Int32
    let reset: @convention(c) (Handle) -> Int32
    let finalize: @convention(c) (Handle) -> Int32
    let bindText: @convention(c) (Handle, Int32, UnsafeRawPointer?, UInt64, Destructor, UInt8) -> Int32
    let bindBlob: @convention(c) (Handle, Int32, UnsafeRawPointer?, UInt64, Destructor) -> Int32
    let bindInteger: @convention(c) (Handle, Int32, Int64) -> Int32
    let bindDouble: @convention(c) (Handle, Int32, Double) -> Int32
    let bindNull: @convention(c) (Handle, Int32) -> Int32
    let parameterCount: @convention(c) (Handle) -> Int32
    let isReadOnly: @convention(c) (Handle) -> Int32
    let columnCount: @convention(c) (Handle) -> Int32
    let columnName: @convention(c) (Handle, Int32) -> Text
    let columnType: @convention(c) (Handle, Int32) -> Int32
    let columnInteger: @convention(c) (Handle, Int32) -> Int64
    let columnDouble: @convention(c) (Handle, Int32) -> Double
    let columnText: @convention(c) (Handle, Int32) -> UnsafeRawPointer?
    let columnBlob: @convention(c) (Handle, Int32) -> UnsafeRawPointer?
    let columnSize: @convention(c) (Handle, Int32) -> Int32

    // Keeps the functions above callable.
    private let library: DynamicLibrary

    init() throws {
        let library = try DynamicLibrary("libsqlite3.so.0", package: "libsqlite3-0")
        self.library = library
        func find<Function>(_ name: String) throws -> Function {
            try library.symbol("sqlite3_" + name, as: Function.self)
        }
        unsafe open = try find("open_v2")
        unsafe close = try find("close_v2")
        unsafe message = try find("errmsg")
        unsafe extendedCode = try find("extended_errcode")
        unsafe busyTimeout = try find("busy_timeout")
        unsafe execute = try find("exec")
        unsafe prepare = try find("prepare_v2")
        unsafe step = try find("step")
        unsafe reset = try find("reset")
        unsafe finalize = try find("finalize")
        unsafe bindText = try find("bind_text64")
        unsafe bindBlob = try find("bind_blob64")
        unsafe bindInteger = try find("bind_int64")
        unsafe bindDouble = try find("bind_double")
        unsafe bindNull = try find("bind_null")
        unsafe parameterCount = try find("bind_parameter_count")
        unsafe isReadOnly = try find("stmt_readonly")
        unsafe columnCount = try find("column_count")
        unsafe columnName = try find("column_name")
        unsafe columnType = try find("column_type")
        unsafe columnInteger = try find("column_int64")
        unsafe columnDouble = try find("column_double")
        unsafe columnText = try find("column_text")
        unsafe columnBlob = try find("column_blob")
        unsafe columnSize = try find("column_bytes")
    }
}
