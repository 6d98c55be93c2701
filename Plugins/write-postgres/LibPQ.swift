import StageKit

/// The functions of PostgreSQL's C library that the plugin uses, typed as in `libpq-fe.h`, and the numbers of its enums.
@safe struct LibPQ {
    typealias Connection = OpaquePointer?
    typealias Result = OpaquePointer?
    typealias Text = UnsafePointer<CChar>?
    typealias Texts = UnsafePointer<UnsafePointer<CChar>?>?

    /// ConnStatusType, PostgresPollingStatusType, ExecStatusType, PGVerbosity.
    static let connectionIsBad: Int32 = 1
    static let pollFailed: Int32 = 0
    static let pollReading: Int32 = 1
    static let pollDone: Int32 = 3
    static let emptyQuery: Int32 = 0
    static let commandIsDone: Int32 = 1
    static let tuples: Int32 = 2
    static let copyIn: Int32 = 4
    static let verbose: Int32 = 2

    /// PG_DIAG_…: the fields of an error.
    enum Field: Int32 {
        case state = 67  // C
        case message = 77  // M
        case detail = 68  // D
        case hint = 72  // H
        case context = 87  // W
    }

    let connectStart: @convention(c) (Texts, Texts, Int32) -> Connection
    let connectPoll: @convention(c) (Connection) -> Int32
    let status: @convention(c) (Connection) -> Int32
    let socket: @convention(c) (Connection) -> Int32
    let finish: @convention(c) (Connection) -> Void
    let errorMessage: @convention(c) (Connection) -> Text
    let setVerbosity: @convention(c) (Connection, Int32) -> Int32
    let setNonblocking: @convention(c) (Connection, Int32) -> Int32
    let sendQuery: @convention(c) (Connection, Text) -> Int32
    let sendQueryParams:
        @convention(c) (
            Connection, Text, Int32, UnsafePointer<UInt32>?, Texts, UnsafePointer<Int32>?, UnsafePointer<Int32>?, Int32
        ) -> Int32
    let flush: @convention(c) (Connection) -> Int32
    let consumeInput: @convention(c) (Connection) -> Int32
    let isBusy: @convention(c) (Connection) -> Int32
    let getResult: @convention(c) (Connection) -> Result
    let putCopyData: @convention(c) (Connection, UnsafeRawPointer?, Int32) -> Int32
    let putCopyEnd: @convention(c) (Connection, Text) -> Int32
    let resultStatus: @convention(c) (Result) -> Int32
    let resultField: @convention(c) (Result, Int32) -> Text
    let commandStatus: @convention(c) (Result) -> Text
    let rowCount: @convention(c) (Result) -> Int32
    let columnCount: @convention(c) (Result) -> Int32
    let value: @convention(c) (Result, Int32, Int32) -> Text
    let isNull: @convention(c) (Result, Int32, Int32) -> Int32
    let clear: @convention(c) (Result) -> Void
    let parseOptions: @convention(c) (Text, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> UnsafeRawPointer?
    let freeOptions: @convention(c) (UnsafeRawPointer?) -> Void
    let freeMemory: @convention(c) (UnsafeMutableRawPointer?) -> Void

    // Keeps the functions above callable.
    private let library: DynamicLibrary

    init() throws {
        let library = try DynamicLibrary("libpq.so.5", package: "libpq5")
        self.library = library
        func find<Function>(_ name: String) throws -> Function { try library.symbol("PQ" + name, as: Function.self) }
        unsafe connectStart = try find("connectStartParams")
        unsafe connectPoll = try find("connectPoll")
        unsafe status = try find("status")
        unsafe socket = try find("socket")
        unsafe finish = try find("finish")
        unsafe errorMessage = try find("errorMessage")
        unsafe setVerbosity = try find("setErrorVerbosity")
        unsafe setNonblocking = try find("setnonblocking")
        unsafe sendQuery = try find("sendQuery")
        unsafe sendQueryParams = try find("sendQueryParams")
        unsafe flush = try find("flush")
        unsafe consumeInput = try find("consumeInput")
        unsafe isBusy = try find("isBusy")
        unsafe getResult = try find("getResult")
        unsafe putCopyData = try find("putCopyData")
        unsafe putCopyEnd = try find("putCopyEnd")
        unsafe resultStatus = try find("resultStatus")
        unsafe resultField = try find("resultErrorField")
        unsafe commandStatus = try find("cmdStatus")
        unsafe rowCount = try find("ntuples")
        unsafe columnCount = try find("nfields")
        unsafe value = try find("getvalue")
        unsafe isNull = try find("getisnull")
        unsafe clear = try find("clear")
        unsafe parseOptions = try find("conninfoParse")
        unsafe freeOptions = try find("conninfoFree")
        unsafe freeMemory = try find("freemem")
    }

    /// The members of a connection string or URI that it sets. Throws libpq's words about one that cannot be read.
    func options(of text: String) throws(InvalidConnectionString) -> [(name: String, value: String)] {
        var complaint: UnsafeMutablePointer<CChar>?
        guard let list = unsafe parseOptions(text, &complaint) else {
            let message = unsafe complaint.map { unsafe String(cString: $0) } ?? "out of memory"
            unsafe freeMemory(complaint)
            throw InvalidConnectionString(description: message.split(separator: "\n").first.map(String.init) ?? "")
        }
        defer { unsafe freeOptions(list) }
        var options: [(name: String, value: String)] = []
        var entry = unsafe list
        // An array of PQconninfoOption, which ends with one without a name. The layout is part of libpq's ABI: six
        // pointers (the first is the keyword, the fourth the value) and an int.
        while let name = unsafe entry.load(as: Text.self) {
            if let value = unsafe entry.load(fromByteOffset: 24, as: Text.self) {
                options.append((unsafe String(cString: name), unsafe String(cString: value)))
            }
            unsafe entry += 56
        }
        return options
    }
}

/// What libpq says about a connection string.
struct InvalidConnectionString: Error {
    let description: String
}
