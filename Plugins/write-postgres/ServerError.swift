/// The server, or the way to it, refused something.
struct ServerError: Error, CustomStringConvertible {
    /// What is to be done about it.
    enum Remedy {
        /// A row is at fault, and others may pass.
        case blameTheRow
        /// The same again later, in a new transaction.
        case tryAgain
        /// The same again later, on a new connection. Whether a COMMIT has happened is not known.
        case reconnect
        /// Nothing that time heals.
        case giveUp
    }

    let description: String
    let remedy: Remedy
    /// The server itself has said so: it is there.
    let isOfTheServer: Bool

    init(_ description: String, _ remedy: Remedy, isOfTheServer: Bool = false) {
        self.description = description
        self.remedy = remedy
        self.isOfTheServer = isOfTheServer
    }

    var mayPass: Bool { remedy == .tryAgain || remedy == .reconnect }

    /// An error that the server has reported, with its SQLSTATE.
    init(state: String, message: String) {
        description = message.isEmpty ? "SQLSTATE \(state)" : "\(message) (\(state))"
        remedy = Self.remedy(for: state)
        isOfTheServer = true
    }

    /// By the classes of "Appendix A. PostgreSQL Error Codes" of the manual.
    static func remedy(for state: String) -> Remedy {
        switch state {
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout and the timeouts of a transaction;
        // read_only_sql_transaction: a standby that is no longer, or not yet, the server to write to.
        case "57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "25006": return .reconnect
        // lock_not_available (a lock_timeout), object_in_use; query_canceled (a statement_timeout); snapshot_too_old.
        case "55P03", "55006", "57014", "72000": return .tryAgain
        // internal_error: what extensions raise for a value that they cannot read.
        case "XX000": return .blameTheRow
        default: break
        }
        switch state.prefix(2) {
        // connection exception
        case "08": return .reconnect
        // transaction rollback (serialization failure, deadlock); insufficient resources (disk full, too many connections,
        // out of memory); operator intervention; system error (I/O)
        case "40", "53", "57", "58": return .tryAgain
        // feature not supported, invalid transaction initiation, locator, grantor; invalid transaction state;
        // invalid authorization; dependent privileges; cursors, schemas and databases that are not there; syntax error or
        // access rule violation; object not in prerequisite state; configuration file; foreign data wrapper; corrupted data
        case "0A", "0B", "0F", "0L", "0P", "25", "26", "28", "2B", "2D", "34", "3B", "3D", "3F", "42", "55", "F0", "HV", "XX":
            return .giveUp
        // cardinality violation, data exception, integrity constraint violation, triggered data change violation, WITH CHECK
        // OPTION violation, program limit exceeded, PL/pgSQL and external routine exceptions, and whatever triggers raise
        default: return .blameTheRow
        }
    }
}
