// What a job may cost.

extension Scheduler {
    /// Sums over all stages of what their plugins report, of this run and of earlier ones, by name.
    var costs: [String: Double] {
        stages.reduce(into: [:]) { sums, stage in sums.merge(stage.metrics) { $0 + $1 } }
    }

    /// Ends the run once a budget is used up. What is in hand is finished, and may still cost something.
    func checkBudget() {
        guard mode == .running, !policy.budget.isEmpty else { return }
        for (name, limit) in policy.budget.sorted(by: { $0.key < $1.key }) {
            let spent = stages.reduce(0) { $0 + ($1.metrics[name] ?? 0) }
            guard spent >= limit else { continue }
            return fail(.overBudget(name: name, spent: spent, limit: limit))
        }
    }
}
