/// Counts of batches and of what became of their records. Signed, because corrections go both ways.
package struct Totals: Equatable, Sendable {
    package var batches: Int64 = 0
    package var inputs: Int64 = 0
    package var passed: Int64 = 0
    package var filtered: Int64 = 0
    package var failed: Int64 = 0
    package var outputs: Int64 = 0

    package init(
        batches: Int64 = 0, inputs: Int64 = 0, passed: Int64 = 0, filtered: Int64 = 0, failed: Int64 = 0,
        outputs: Int64 = 0
    ) {
        self.batches = batches
        self.inputs = inputs
        self.passed = passed
        self.filtered = filtered
        self.failed = failed
        self.outputs = outputs
    }

    // Wrapping, because the numbers may come from a file.
    package static func += (left: inout Totals, right: Totals) {
        left.batches &+= right.batches
        left.inputs &+= right.inputs
        left.passed &+= right.passed
        left.filtered &+= right.filtered
        left.failed &+= right.failed
        left.outputs &+= right.outputs
    }

    package static func -= (left: inout Totals, right: Totals) {
        left.batches &-= right.batches
        left.inputs &-= right.inputs
        left.passed &-= right.passed
        left.filtered &-= right.filtered
        left.failed &-= right.failed
        left.outputs &-= right.outputs
    }

    /// Adds the counts of one entry; a batch counts once, with its whole entry.
    mutating func add(_ entry: LogEntry) {
        if entry.type == .whole { batches &+= 1 }
        inputs &+= Int64(entry.inputs)
        passed &+= Int64(entry.passed)
        filtered &+= Int64(entry.filtered)
        failed &+= Int64(entry.failed)
        outputs &+= Int64(entry.outputs)
    }
}
