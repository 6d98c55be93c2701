/// What one client may ask of a host, in one place.
package enum ControlLimits {
    /// Clients at a time; more are sent away.
    package static let clients = 16
    /// The same where a client's request is there when it is let in.
    package static let clientsWithRequests = 32
    /// What a client may send in all.
    package static let requestBytes = 64 << 10
    /// What may wait to be read by a client.
    package static let replyBytes = 1 << 20
    /// How long a client may take to send its request, and how long it may leave replies unread.
    package static let silenceNanoseconds: UInt64 = 10_000_000_000
    /// Connections that wait to be let in.
    static let backlog: Int32 = 64
    /// Clients that are sent away before the host looks after its job again.
    static let refusalsInARow = 16
    /// What a message repeats of the words of a client.
    static let quotedCharacters = 60
}
