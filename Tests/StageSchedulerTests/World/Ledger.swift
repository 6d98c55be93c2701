import StageModel

@testable import StageScheduler

/// The world's own books: which record was worked on where, what of it is in a log, and which deaths it was at.
struct Ledger {
    /// Records of a stage whose result is in its log.
    private var committed: [Set<UInt64>]
    /// Those whose result is in hand, or on its way to the log.
    private var underWay: [Set<UInt64>]
    private var successes: [Letter: Int] = [:]
    private(set) var repeated: UInt64 = 0
    /// Deaths that a record was in hand at: of a build that works, with or without a fault of the record; kills from
    /// outside; and deaths that the world has caused.
    private(set) var deaths: [Letter: Int] = [:]
    private(set) var kills: [Letter: Int] = [:]
    private(set) var accidents: [Letter: Int] = [:]
    var rejected: Set<Letter> = []
    var failedByBuild: Set<Letter> = []

    init(stages: Int) {
        committed = Array(repeating: [], count: stages)
        underWay = committed
    }

    func isCommitted(_ item: Item, _ stage: Int) -> Bool { committed[stage].contains(item.id) }

    mutating func succeeded(_ item: Item, _ stage: Int, counts: Bool) {
        let letter = Letter(stage: stage, id: item.id)
        successes[letter, default: 0] += 1
        if counts {
            underWay[stage].insert(item.id)
            if successes[letter, default: 0] > 1 { repeated += 1 }
        }
    }

    /// Its results died with the worker.
    mutating func lost(_ items: some Sequence<Item>, _ stage: Int) {
        for item in items { underWay[stage].remove(item.id) }
    }

    mutating func lostAll(_ stage: Int) { underWay[stage] = [] }

    mutating func commit(_ records: [UInt64], _ stage: Int) {
        committed[stage].formUnion(records)
        underWay[stage].subtract(records)
    }

    /// What a new host finds.
    mutating func begin(_ logs: [[Disk.Entry]]) {
        for stage in logs.indices {
            committed[stage] = Set(logs[stage].flatMap(\.records))
            underWay[stage] = []
        }
    }

    /// Records that a death of everything would repeat now.
    var wouldRepeat: Int { underWay.reduce(0) { $0 + $1.count } }

    mutating func died(_ item: Item, _ stage: Int, isKill: Bool, isAccident: Bool) {
        let letter = Letter(stage: stage, id: item.id)
        if isKill { kills[letter, default: 0] += 1 } else { deaths[letter, default: 0] += 1 }
        if isAccident { accidents[letter, default: 0] += 1 }
    }
}
