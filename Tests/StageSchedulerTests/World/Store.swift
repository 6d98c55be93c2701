/// What a sink has made: a file or a table, outside of all that can die.
struct Store {
    private(set) var rows: [Item] = []
    private(set) var synced = 0
    // The transactional sinks: the last batch, and what they have of it.
    private(set) var sequence: UInt64 = 0
    private(set) var ofSequence: Set<UInt64> = []

    mutating func append(_ item: Item) { rows.append(item) }
    mutating func sync() { synced = rows.count }

    mutating func cut(to position: Int) {
        rows.removeLast(max(0, rows.count - position))
        synced = min(synced, rows.count)
    }

    /// One transaction: rows and batch number together, durable at once. Batches come in pieces, so that the number alone
    /// does not say what is there.
    mutating func commit(_ items: [Item], batch: UInt64) {
        guard batch >= sequence else { return }
        if batch > sequence { ofSequence = [] }
        sequence = batch
        for item in items where ofSequence.insert(item.id).inserted { rows.append(item) }
        synced = rows.count
    }

    mutating func losePower(_ chance: inout Chance) {
        rows.removeLast(chance.below(rows.count - synced + 1))
    }
}
