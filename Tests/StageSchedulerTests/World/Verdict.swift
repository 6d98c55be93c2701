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
        // A stage that gives up leaves what it has begun.
        if !powerWasLost, tally["gave up"] == nil, ledger.repeated > riskTaken {
            return "\(ledger.repeated) records were done again, \(riskTaken) were said to be at risk"
        }
        return nil
    }

    /// Whether a record is rightly a dead letter.
    private func judge(_ letter: DeadLetter, _ item: Item, _ stage: Int) -> String? {
        let stagePlan = plan.stages[stage]
        let name = Letter(stage: stage, id: item.id)
        let deed = plan.deed(of: item, at: stage)
        let killers = ["crash", "exit", "garbage", "timeout", "memory"]
        let isRight: Bool
        if killers.contains(letter.category) {
            switch deed {
            case .poison where ["crash", "exit", "garbage"].contains(letter.category): isRight = true
            case .hang where letter.category == "timeout": isRight = true
            case .balloon where letter.category == "memory": isRight = true
            default:
                // In hand at two deaths that were not its fault, or at five kills from outside: nobody can tell.
                isRight = ledger.deaths[name, default: 0] >= 2 || ledger.kills[name, default: 0] >= 5
            }
        } else if letter.category == "permanent" {
            isRight = deed == .permanent || ledger.rejected.contains(name) || ledger.failedByBuild.contains(name)
        } else if case .transient(let times) = deed {
            isRight =
                letter.category == "transient"
                && (times >= Int(stagePlan.policy.retry.attempts) || !stagePlan.policy.retry.on.contains(.transient))
        } else {
            isRight = false
        }
        guard isRight else {
            return
                "stage \(stage) set a record aside as \(letter.category) that does \(deed), with \(ledger.deaths[name, default: 0]) deaths and \(ledger.kills[name, default: 0]) kills"
        }
        return nil
    }

    /// A record that kills costs two deaths where breadcrumbs tell of it, if nothing else happens.
    private func searches() -> String? {
        guard hosts == 1, plan.chaos.isDisjoint(with: [.kills, .swaps]), tally["died: protocol"] == nil else { return nil }
        for (letter, deaths) in ledger.deaths where deaths > 2 {
            let stage = plan.stages[letter.stage]
            let isAlone =
                stage.flags.contains(.recordByRecord) && stage.policy.threads == 1 && stage.policy.retry.on == RetryPolicy().on
            if isAlone, ledger.accidents[letter] == nil { return "\(deaths) deaths of one record at stage \(letter.stage)" }
        }
        return nil
    }

    private func sums() -> String? {
        let status = scheduler.status
        guard status.read == UInt64(plan.range.count) else { return "\(status.read) records read, not \(plan.range.count)" }
        for (stage, log) in zip(status.stages, disk.logs) {
            let letters = Dictionary(log.flatMap(\.commit.letters).map { ($0.category, UInt64(1)) }, uniquingKeysWith: +)
            guard letters == stage.failedBy else {
                return "\(stage.name) counts its dead letters as \(stage.failedBy), its log has \(letters)"
            }
        }
        guard status.atRisk == 0 else { return "\(status.atRisk) at risk at the end" }
        return searches()
    }

    private func compare(_ expected: [Item]) -> String? {
        let sinkPlan = plan.stages[plan.stages.count - 1]
        let key: (Item) -> (UInt64, UInt64) = { ($0.id, $0.value) }
        // Innocent records that were in hand at two deaths when a sink was asked again for what it had: it has them.
        let sink = plan.stages.count - 1
        let unlucky = { (item: Item) in
            !sinkPlan.sink.hasPosition && self.ledger.deaths[Letter(stage: sink, id: item.id), default: 0] >= 2
        }
        let found = store.rows.filter { !unlucky($0) }
        let expected = expected.filter { !unlucky($0) }
        if sinkPlan.sink == .unordered {
            let missing = Set(expected).subtracting(found)
            let others = Set(found).subtracting(expected)
            return missing.isEmpty && others.isEmpty
                ? nil : "the sink lacks \(missing.count) records, and has \(others.count) that it should not have"
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
