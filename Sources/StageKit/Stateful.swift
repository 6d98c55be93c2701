/// A transform whose result depends on earlier records, and which can hand back what it remembers.
///
/// It gets its batches in order, in one worker. After a death the last committed state is restored and the batches
/// since then are replayed; what is emitted in a replay is thrown away by the host.
public protocol Stateful: Stage {
    /// The whole of what must be remembered. JSON text is shown as such by `stagehost checkpoints`.
    func encodedState() throws -> [UInt8]

    /// Takes up what ``encodedState()`` once returned. Throw when it cannot be read: the stage is then refused.
    mutating func restore(state: [UInt8]) throws
}

extension Stateful {
    public static var maxWorkers: Int { 1 }
}

/// A ``Stateful`` transform whose state is one Codable value, kept as JSON with sorted keys.
public protocol CodableState: Stateful {
    associatedtype State: Codable

    var state: State { get set }
}

extension CodableState {
    public func encodedState() throws -> [UInt8] {
        try JSON.encode(state)
    }

    public mutating func restore(state bytes: [UInt8]) throws {
        state = try JSON.decode(State.self, from: bytes)
    }
}
