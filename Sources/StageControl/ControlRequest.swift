/// A number for a client; never used again for another.
package typealias ControlClientID = UInt64

/// A command and who wants it.
package struct ControlRequest: Equatable, Sendable {
    package var client: ControlClientID
    package var command: ControlCommand

    package init(client: ControlClientID, command: ControlCommand) {
        self.client = client
        self.command = command
    }
}
