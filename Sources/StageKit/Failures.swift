/// One record failed. Thrown by `process` for the record in hand, or given to `fail` with an index.
public struct RecordFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// May succeed later: tried again alone, after a pause.
        case transient

        /// Will never succeed: set aside as a dead letter, with the message.
        case permanent
    }

    public let kind: Kind
    public let message: String

    /// For a transient failure: not before so long. Nil: the host decides.
    public let retryAfter: Duration?

    /// May succeed later; tried again after `retryAfter`, or when the host thinks best.
    public static func transient(_ message: String, retryAfter: Duration? = nil) -> RecordFailure {
        RecordFailure(kind: .transient, message: message, retryAfter: retryAfter)
    }

    /// Will never succeed.
    public static func permanent(_ message: String) -> RecordFailure {
        RecordFailure(kind: .permanent, message: message, retryAfter: nil)
    }

    public var description: String { message }
}

/// The stage cannot go on, as opposed to one record of it.
public enum StageFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Misconfigured or impossible: the stage gives up, and is not restarted.
    case fatal(String)

    /// Try the whole call again later. Nil: the host decides when.
    case retry(String, after: Duration? = nil)

    public var description: String {
        switch self {
        case .fatal(let message), .retry(let message, _): message
        }
    }
}

/// The host refused what a stage handed over: a value above the limit, an output that is over.
public struct OutputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One of the STAGE_ERROR codes.
    public let code: Int32

    public let description: String

    static func check(_ code: Int32, _ call: StaticString, size: Int = 0) throws {
        guard code != 0 else { return }
        let reason =
            switch Int(code) {
            case STAGE_ERROR_INDEX: "no such record in this batch"
            case Int(STAGE_ERROR_TOO_LARGE): "\(size) bytes are above the limit of the stage protocol"
            case STAGE_ERROR_STATE: "not allowed now: the record is done already, or the call is over"
            case STAGE_ERROR_MEMORY: "the host is out of memory"
            default: "the host answered \(code)"
            }
        throw OutputError(code: code, description: "\(call): \(reason)")
    }
}

extension Duration {
    /// Whole milliseconds as the protocol counts them: at least 1 for any positive duration.
    var stageMilliseconds: UInt32 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 4_000_000 else { return UInt32.max }
        return UInt32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
