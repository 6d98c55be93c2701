import StageModel

@testable import StageScheduler

extension World {
    /// The promises, after a run; nil: all kept.
    func verdict() -> String? {
        if let complaint { return complaint }
        guard end == .complete else { return "it ended as \(end.map { "\($0)" } ?? "nothing")" }
        var dead: Set<Letter> = []
        for (stage, log) in disk.logs.enumerated() where stage > 0 {
            for entry in log {
                for letter in entry.commit.letters {
                    let items = Block.merged(entry.commit.input)
                    guard Int(letter.input) < items.count else { return "a dead letter of no record" }
                    let item = items[Int(letter.input)]
                    guard dead.insert(Letter(stage: stage, id: item.id)).inserted else { return "a record died twice" }
                    if let complaint = judge(letter, item, stage) { return complaint }
                }
            }
        }
        if let complaint = sums() { return complaint }
        if let complaint = compare(plan.expected(dead: dead)) { return complaint }
        if !powerWasLost, repeated > riskTaken {
            return "\(repeated) records were done again, \(riskTaken) were said to be at risk"
        }
        return nil
    }

    /// Whether a record is rightly a dead letter.
    private func judge(_ letter: DeadLetter, _ item: Item, _ stage: Int) -> String? {
        let stagePlan = plan.stages[stage]
        let isRight =
            switch plan.deed(of: item, at: stage) {
            case .permanent: letter.category == "permanent"
            case .transient(let times):
                letter.category == "transient"
                    && (times >= Int(stagePlan.policy.retry.attempts) || !stagePlan.policy.retry.on.contains(.transient))
            case .poison: ["crash", "exit", "garbage"].contains(letter.category)
            case .hang: letter.category == "timeout"
            case .flaky: !stagePlan.flags.contains(.recordByRecord) || stagePlan.policy.threads > 1
            default: false
            }
        return isRight
            ? nil
            : "stage \(stage) set a record aside as \(letter.category) that does \(plan.deed(of: item, at: stage))"
    }

    private func sums() -> String? {
        let status = scheduler.status
        let read = UInt64(plan.job.recordLimit.map { min(plan.records, Int($0)) } ?? plan.records)
        guard status.read == read else { return "\(status.read) records read, not \(read)" }
        for (stage, log) in zip(status.stages, disk.logs) {
            let letters = Dictionary(log.flatMap(\.commit.letters).map { ($0.category, UInt64(1)) }, uniquingKeysWith: +)
            guard letters == stage.failedBy else {
                return "\(stage.name) counts its dead letters as \(stage.failedBy), its log has \(letters)"
            }
        }
        guard status.atRisk == 0 else { return "\(status.atRisk) at risk at the end" }
        return nil
    }

    private func compare(_ expected: [Item]) -> String? {
        let sinkPlan = plan.stages[plan.stages.count - 1]
        let key: (Item) -> (UInt64, UInt64) = { ($0.id, $0.value) }
        let found = store.rows
        if sinkPlan.sink == .unordered {
            guard Set(found) == Set(expected) else { return "the sink has other records than expected" }
            return nil
        }
        let retries = sinkPlan.deeds.contains { if case .transient = $0 { true } else { false } }
        if retries {
            return found.sorted { key($0) < key($1) } == expected.sorted { key($0) < key($1) }
                ? nil
                : "the sink has \(found.count) records, expected \(expected.count); missing \(Set(expected).subtracting(found).count), too many \(Set(found).subtracting(expected).count)"
        }
        if found == expected { return nil }
        let first = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        return
            "the sink has \(found.count) records, expected \(expected.count); first difference at \(first.map { "\($0)" } ?? "the end"); set \(Set(found) == Set(expected) ? "equal" : "different")"
    }
}
