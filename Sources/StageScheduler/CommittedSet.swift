/// Batch numbers that a stage has committed: all up to one number, and some above it.
package struct CommittedSet: Sendable, Equatable {
    /// Every batch up to here, this one included; 0: none.
    package private(set) var through: UInt64
    /// Those above `through + 1`.
    package private(set) var beyond: Set<UInt64>

    package init(through: UInt64 = 0, beyond: some Sequence<UInt64> = []) {
        self.through = through
        self.beyond = []
        for batch in beyond { insert(batch) }
    }

    package func contains(_ batch: UInt64) -> Bool {
        batch <= through || beyond.contains(batch)
    }

    package mutating func insert(_ batch: UInt64) {
        guard batch > through else { return }
        guard batch == through + 1 else {
            beyond.insert(batch)
            return
        }
        through = batch
        while beyond.remove(through + 1) != nil { through += 1 }
    }
}
