package import LinuxIO

/// Why a host could not be told something.
package enum ControlError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Nothing listens.
    case noHost
    /// The host runs for another user.
    case refused
    /// It was silent for too long.
    case timeout
    /// The host went away, or closed the connection, before its last reply.
    case cutOff
    case system(SystemError)

    package var description: String {
        switch self {
        case .noHost: "no host listens"
        case .refused: "the host runs for another user"
        case .timeout: "the host does not answer"
        case .cutOff: "the host went away before it had answered"
        case .system(let error): "\(error)"
        }
    }
}
