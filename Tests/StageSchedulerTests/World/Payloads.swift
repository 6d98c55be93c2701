import StageModel

/// A record of the simulated world: who it is, and what became of it.
struct Item: Equatable, Hashable {
    var id: UInt64
    var value: UInt64
}

/// A block of records, sorted by the input that each was made from.
final class Block: Payload, @unchecked Sendable {
    let entries: [(input: UInt32, item: Item)]

    init(_ entries: [(input: UInt32, item: Item)]) {
        self.entries = entries
        super.init(recordCount: UInt64(entries.count), byteCount: 16 * entries.count)
    }

    /// What a receiver makes of the blocks of a batch: the entries of all, in the order of their inputs.
    static func merged(_ payloads: [Payload]) -> [Item] {
        let all = payloads.compactMap { $0 as? Block }.flatMap(\.entries)
        return all.enumerated().sorted { ($0.element.input, $0.offset) < ($1.element.input, $1.offset) }.map(
            \.element.item)
    }
}

/// A position or a state.
final class Checkpoint: Payload, @unchecked Sendable {
    let position: Int
    let sum: UInt64

    init(position: Int = 0, sum: UInt64 = 0) {
        self.position = position
        self.sum = sum
        super.init(recordCount: 0, byteCount: 16)
    }
}
