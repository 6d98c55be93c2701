/// A record that failed, as its worker says.
package struct RecordFailure: Sendable, Equatable {
    package var input: UInt32
    package var kind: FailureKind
    package var retryAfterMilliseconds: UInt32
    package var message: String

    package init(input: UInt32, kind: FailureKind, retryAfterMilliseconds: UInt32 = 0, message: String) {
        self.input = input
        self.kind = kind
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.message = message
    }
}

/// A source record that exists but cannot be delivered.
package struct UnreadableRecord: Sendable, Equatable {
    package var identifier: UInt64
    package var key: [UInt8]
    package var value: [UInt8]
    package var message: String

    package init(identifier: UInt64, key: [UInt8], value: [UInt8], message: String) {
        self.identifier = identifier
        self.key = key
        self.value = value
        self.message = message
    }
}
