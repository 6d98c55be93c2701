import StageModel

// Records that were in hand when hosts of the job died. One such death says nothing: somebody has killed the host. After
// several, the record is tried apart: with nothing else in hand, in any stage, so that another death speaks of it alone.
// After some more, of which the last was such a trial, it is set aside and not tried again.

extension Scheduler {
    /// Applies what earlier hosts have left behind to a batch that has just come to the stage.
    func takeUp(_ interruptions: [UInt32: Interruption], of work: Work, in stage: StageState) {
        guard !work.isRecomputed, !work.isFinish else { return }
        // Those with the same past stay together: what has been tried apart, and killed, has a past of its own.
        var suspects: [UInt64: IndexRanges] = [:]
        for (input, interruption) in interruptions.sorted(by: { $0.key < $1.key }) where work.unresolved.contains(input) {
            work.interruptions[input] = interruption
            if interruption.isVerdict {
                convict(input, interruption, of: work, in: stage)
            } else if interruption.isSuspect {
                suspects[UInt64(interruption.early) << 32 | UInt64(interruption.late), default: IndexRanges()].insert(input)
            }
        }
        for (_, group) in suspects.sorted(by: { $0.key > $1.key }) { setApart(group, of: work) }
        if stage.isAtomic { work.putInOrder() }
    }

    private func convict(_ input: UInt32, _ interruption: Interruption, of work: Work, in stage: StageState) {
        let cause = DeathCause.host(times: interruption.count)
        note(.poisonFound(stage: stage.index, batch: work.batch, input: input, cause))
        setAside(
            input, of: work, in: stage, category: cause.category, message: "it takes the host along: \(cause.sentence)",
            evidence: interruption.evidence, attempts: interruption.count)
    }

    /// A few are tried one by one; many in as many groups, to be divided further if the host dies of one.
    private func setApart(_ group: IndexRanges, of work: Work) {
        for index in work.portions.indices { work.portions[index].ranges.subtract(group) }
        work.portions.removeAll { $0.ranges.isEmpty }
        work.apart.formUnion(group)
        let size = (group.count + Self.groupsApart - 1) / Self.groupsApart
        var part = IndexRanges()
        for input in group.indexes {
            part.insert(input)
            guard part.count == size else { continue }
            work.portions.append(Portion(ranges: part, isSearch: true))
            part = IndexRanges()
        }
        if !part.isEmpty { work.portions.append(Portion(ranges: part, isSearch: true)) }
    }

    /// Whether a record is being tried apart: then nothing else is handed out.
    var isTrialUnderWay: Bool {
        // A worker that is gone has nothing in hand any more, whatever it had at the last.
        guard let trial, stages[trial.worker.stage].workers.contains(where: { $0 === trial.worker }) else { return false }
        return trial.worker.outstanding.contains { $0.id == trial.dispatch }
    }

    /// Whether a portion can be handed out now as far as trials are concerned: no other record is in hand, and the logs
    /// above have the batch, so that after a death of the host its numbers mean the same records again.
    func mayTry(_ portion: Portion, of work: Work, in stage: StageState) -> Bool {
        guard work.isApart(portion) else { return true }
        return stages.allSatisfy { other in
            (other.index >= stage.index || other.appending[work.batch] == nil)
                && other.workers.allSatisfy { $0.outstanding.allSatisfy { $0.kind == .read || $0.kind == .sync } }
        }
    }
}
