import StageModel

/// Some records of a batch that wait to be handed out.
struct Portion {
    /// Records that a plugin is handed in one call: STAGE_MAX_BATCH_RECORDS. A batch can have more, because a plugin may
    /// emit as many in each of the calls that a batch takes. The indexes of a portion lie between two multiples of it: what
    /// a worker keeps for each record of a request has a place in the page at index modulo this.
    static let maximumRecords: UInt32 = 65_536

    /// Which part of a batch an index belongs to.
    static func part(of index: UInt32) -> UInt32 { index / maximumRecords }

    var ranges: IndexRanges
    /// Not before this time: the pause of a retry.
    var notBefore: Moment?
    /// A part of a search for the record that kills workers.
    var isSearch = false

    var isPlain: Bool { notBefore == nil && !isSearch }
}

/// One batch at one stage, from its arrival until all its records have an outcome.
final class Work {
    let batch: UInt64
    let isFinish: Bool
    /// False of the finish of a plugin that has none.
    private let callsPlugin: Bool
    let input: [Payload]
    let inputCount: UInt32
    /// Records that are dead letters: never handed out again.
    private(set) var dead: IndexRanges
    /// Handed to a worker only to rebuild its state; its outcome is known already.
    var isReplay = false
    /// Done before this run, by a stage that keeps no outputs: only the output is wanted, all else is in the log.
    var isRecomputed = false

    /// Without an outcome, in a worker's hands or not.
    var unresolved = IndexRanges()
    var portions: [Portion] = []
    /// Requests that are out for it.
    var inHand = 0

    var output: [Payload] = []
    var outputRecords: UInt64 = 0
    var passed: UInt64 = 0
    var failed: UInt64 = 0
    var resolvedInputs: UInt64 = 0
    var letters: [DeadLetter] = []
    var checkpoint: Payload?
    var snapshotWanted = false
    var metrics: [String: Double] = [:]
    /// The build of the plugin that answered last, or died last; nil: none had anything to do with it.
    var build: Int?
    /// What `passed` and the others were when the last entry was made: an entry holds what came since.
    var logged = Counts()
    var loggedPayloads = 0
    var loggedLetters = 0
    var loggedRanges = IndexRanges()
    private var loggedMetrics: [String: Double] = [:]

    /// Whole-batch retries and deaths, for the plugin's `attempt`.
    var attempt: UInt32 = 1
    var batchRetries: UInt32 = 0
    /// Tries of single records, counted when they fail transiently.
    var tries: [UInt32: UInt32] = [:]
    /// Deaths that a record was in hand at, and kills from outside.
    var deaths: [UInt32: UInt32] = [:]
    var kills: [UInt32: UInt32] = [:]
    /// Deaths of hosts that records were in hand at, and the records that are tried with nothing else in hand.
    var interruptions: [UInt32: Interruption] = [:]
    var apart = IndexRanges()
    /// Deaths that are nobody's fault until a search has found somebody.
    var deathCount = 0
    var verdicts = 0

    /// `dead`: records that are dead letters from an earlier run.
    init(
        batch: UInt64, input: [Payload], inputCount: UInt32, isFinish: Bool = false, callsPlugin: Bool = true,
        dead: IndexRanges = IndexRanges()
    ) {
        self.batch = batch
        self.input = input
        self.inputCount = inputCount
        self.isFinish = isFinish
        self.callsPlugin = callsPlugin
        self.dead = dead
        startOver()
    }

    var isComplete: Bool { unresolved.isEmpty && inHand == 0 && portions.isEmpty }
    /// Whether a plugin may have done something for good with it. What is set aside has no effect: where it had begun, the next
    /// worker has taken it back.
    var hasEffect: Bool { resolvedInputs > failed || isFinish && callsPlugin }
    var filtered: UInt64 { resolvedInputs - passed - failed }
    var bytes: Int { input.reduce(0) { $0 + $1.byteCount } + output.reduce(0) { $0 + $1.byteCount } }

    /// Whether a portion is to be tried with nothing else in hand.
    func isApart(_ portion: Portion) -> Bool {
        !apart.isEmpty && !portion.ranges.isEmpty && apart.isSuperset(of: portion.ranges)
    }

    /// Takes back every outcome but the dead letters. What waits for a retry or stands in a search keeps its place.
    func startOver() {
        unresolved = IndexRanges(count: inputCount).subtracting(dead)
        output = []
        outputRecords = 0
        passed = 0
        resolvedInputs = failed
        checkpoint = nil
        metrics = [:]
        guard !isFinish else {
            portions = callsPlugin ? [Portion(ranges: IndexRanges())] : []
            return
        }
        var rest = unresolved
        for portion in portions { rest.subtract(portion.ranges) }
        if !rest.isEmpty { portions.append(Portion(ranges: rest)) }
        putInOrder()
    }

    /// Cuts what waits into pieces that can be handed out one after the other without changing the order of records, each
    /// in one part of the batch.
    func putInOrder() {
        guard portions.count > 1 || inputCount > Portion.maximumRecords else { return }
        let pieces = portions.enumerated().flatMap { index, portion in
            portion.ranges.ranges.map { (range: $0, portion: portion, kind: portion.isPlain ? -1 : index) }
        }
        var ordered: [Portion] = []
        var lastKind: Int?
        var lastPart: UInt32 = 0
        for piece in pieces.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            var left = piece.range
            while !left.isEmpty {
                let part = Portion.part(of: left.lowerBound)
                if piece.kind != lastKind || part != lastPart {
                    var portion = piece.portion
                    portion.ranges = IndexRanges()
                    ordered.append(portion)
                    lastKind = piece.kind
                    lastPart = part
                }
                // Without overflow: the last part ends where 32 bits do.
                let rest = min(UInt64(left.upperBound), (UInt64(part) + 1) * UInt64(Portion.maximumRecords))
                let end = UInt32(clamping: rest)
                ordered[ordered.count - 1].ranges.insert(left.lowerBound..<end)
                left = end..<left.upperBound
            }
        }
        portions = ordered
    }

    /// Shows it to a new worker of a stateful stage.
    func replay() {
        isReplay = true
        inHand = 0
        portions = []
        startOver()
    }

    /// What it has cost since the last entry about it.
    func metricsSinceLog() -> [String: Double] {
        guard !metrics.isEmpty else { return [:] }
        let new = metrics.filter { $1 != loggedMetrics[$0] ?? 0 }.reduce(into: [:]) { $0[$1.key] = $1.value - (loggedMetrics[$1.key] ?? 0) }
        loggedMetrics = metrics
        return new
    }

    /// Takes a record out of what waits, for good.
    func bury(_ input: UInt32) {
        dead.insert(input)
        unresolved.remove(input)
        for index in portions.indices { portions[index].ranges.remove(input) }
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

    package static func - (left: Counts, right: Counts) -> Counts {
        Counts(
            inputs: left.inputs - right.inputs, passed: left.passed - right.passed,
            filtered: left.filtered - right.filtered, failed: left.failed - right.failed,
            outputs: left.outputs - right.outputs)
    }
}

/// What a stage has ready for the next one.
struct Finished {
    var payloads: [Payload]
    var records: UInt64
    var bytes: Int { payloads.reduce(0) { $0 + $1.byteCount } }
}
