/// Why a library is not accepted, or does not open: one line for people.
struct Refusal: Error {
    /// As in `stage_status`: 1 try again later, 3 never.
    var status: UInt32 = 3
    var message: String
    /// The request that is answered so; 0 before there was one.
    var dispatch: UInt64 = 0

    init(status: UInt32 = 3, _ message: String) {
        self.status = status
        self.message = message
    }

    init(_ subject: String, found: String, expected: String, hint: String) {
        message = "\(subject): found \(found), expected \(expected); \(hint)"
    }
}

/// Ends the worker for a reason that is not the plugin's: exit code and a line.
struct Departure: Error {
    var code: Int32
    var message: String

    /// The host sent something that it should not have.
    static func confused(_ message: String) -> Departure { Departure(code: 70, message: message) }
    /// A system call failed.
    static func system(_ subject: String, _ error: Int32) -> Departure {
        Departure(code: 74, message: "\(subject): \(errorText(error))")
    }
}
