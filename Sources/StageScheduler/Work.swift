import StageModel

/// Some records of a batch that wait to be handed out.
struct Portion {
    var ranges: IndexRanges
    /// Not before this time: the pause of a retry.
    var notBefore: Moment?
    /// A part of a search for the record that kills workers.
    var isSearch = false
}

/// One batch at one stage, from its arrival until all its records have an outcome.
final class Work {
    let batch: UInt64
    let isFinish: Bool
    let input: [Payload]
    let inputCount: UInt32
    /// Handed to a worker only to rebuild its state; its outcome is known already.
    var isReplay = false

    /// Without an outcome, in a worker's hands or not.
    var unresolved: IndexRanges
    var portions: [Portion]
    /// Requests that are out for it.
    var inHand = 0

    var output: [Payload] = []
    var outputRecords: UInt64 = 0
    var passed: UInt64 = 0
    var failed: UInt64 = 0
    var resolvedInputs: UInt64 = 0
    var letters: [DeadLetter] = []
    var checkpoint: Payload?
    var metrics: [String: Double] = [:]
    /// What `passed` and the others were when the last entry was made: an entry holds what came since.
    var logged = Counts()
    var loggedPayloads = 0
    var loggedLetters = 0
    var loggedRanges = IndexRanges()

    /// Whole-batch retries and deaths, for the plugin's `attempt`.
    var attempt: UInt32 = 1
    var batchRetries: UInt32 = 0
    /// Tries of single records, counted when they fail transiently.
    var tries: [UInt32: UInt32] = [:]
    /// Deaths that a record was in hand at.
    var deaths: [UInt32: UInt32] = [:]
    var deathCount = 0
    var verdicts = 0

    init(batch: UInt64, input: [Payload], inputCount: UInt32, isFinish: Bool = false) {
        self.batch = batch
        self.input = input
        self.inputCount = inputCount
        self.isFinish = isFinish
        unresolved = IndexRanges(count: inputCount)
        portions = isFinish || inputCount > 0 ? [Portion(ranges: unresolved)] : []
    }

    var isComplete: Bool { unresolved.isEmpty && inHand == 0 && portions.isEmpty }
    var filtered: UInt64 { resolvedInputs - passed - failed }
    var bytes: Int { input.reduce(0) { $0 + $1.byteCount } + output.reduce(0) { $0 + $1.byteCount } }

    /// Takes ranges out of what waits.
    func withdraw(_ ranges: IndexRanges) {
        for index in portions.indices { portions[index].ranges.subtract(ranges) }
        portions.removeAll { $0.ranges.isEmpty }
    }
}

/// Counts of one stage, by input record.
package struct Counts: Sendable, Equatable {
    package var inputs: UInt64 = 0
    package var passed: UInt64 = 0
    package var filtered: UInt64 = 0
    package var failed: UInt64 = 0
    /// Records that came out.
    package var outputs: UInt64 = 0

    package init() {}
    package init(inputs: UInt64, passed: UInt64, filtered: UInt64, failed: UInt64, outputs: UInt64) {
        self.inputs = inputs
        self.passed = passed
        self.filtered = filtered
        self.failed = failed
        self.outputs = outputs
    }

    package static func += (left: inout Counts, right: Counts) {
        left.inputs += right.inputs
        left.passed += right.passed
        left.filtered += right.filtered
        left.failed += right.failed
        left.outputs += right.outputs
    }
}

/// What a stage has ready for the next one.
struct Finished {
    var payloads: [Payload]
    var records: UInt64
    var bytes: Int { payloads.reduce(0) { $0 + $1.byteCount } }
}
