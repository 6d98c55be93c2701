import StageModel

// How fast things may go: the rate of a stage, the limits that stages share, and what throttling answers do to both.

/// A limit that several stages share.
final class SharedLimit {
    let throttle: Throttle
    var concurrency: Int?

    init(_ policy: LimitPolicy) {
        throttle = Throttle(policy.rate)
        concurrency = policy.concurrency
    }
}

extension Scheduler {
    private func sharedLimit(of stage: StageState) -> SharedLimit? { stage.policy.limit.flatMap { limits[$0] } }

    /// How many records of a portion may be handed out now. 0: none; `pacedUntil` says when, if time alone will tell.
    func allowance(_ portion: Portion, of work: Work, _ stage: StageState) -> Int {
        let count = portion.ranges.count
        guard stage.throttle.rate != nil || stage.policy.limit != nil else { return count }
        // What depends on being handed out in one piece goes in one piece, and the time for it comes off afterwards.
        let whole = stage.isAtomic || portion.isSearch || work.isReplay
        var most = room(for: count, whole: whole, of: stage)
        guard most > 0, let limit = sharedLimit(of: stage), let concurrency = limit.concurrency else { return most }
        let inHand = recordsInHand(sharing: stage.policy.limit)
        if whole { return inHand == 0 || inHand + count <= concurrency ? most : 0 }
        // In pieces so small that all workers have something.
        let share = max(1, concurrency / max(1, stage.wantedWorkers * stage.policy.threads))
        most = min(most, share, concurrency - inHand)
        return max(0, most)
    }

    /// Whether a source may read: it may for each batch whose predecessor has been paid for.
    func mayRead(_ stage: StageState) -> Bool { room(for: 1, whole: true, of: stage) > 0 }

    private func room(for count: Int, whole: Bool, of stage: StageState) -> Int {
        var most = count
        for throttle in [stage.throttle, sharedLimit(of: stage)?.throttle].compactMap({ $0 }) {
            let room = throttle.room(for: most, whole: whole, at: now)
            guard room > 0 else {
                stage.pacedUntil = throttle.due(for: most, whole: whole, at: now)
                return 0
            }
            most = min(most, room)
        }
        return most
    }

    private func recordsInHand(sharing name: String?) -> Int {
        stages.lazy.filter { $0.policy.limit == name }.reduce(0) { sum, stage in
            stage.workers.reduce(sum) { sum, worker in worker.outstanding.reduce(sum) { $0 + $1.ranges.count } }
        }
    }

    func handedOut(_ records: Int, of stage: StageState) {
        stage.throttle.take(records, at: now)
        sharedLimit(of: stage)?.throttle.take(records, at: now)
    }

    func passed(_ records: Int, of stage: StageState, sentAt: Moment) {
        for throttle in [stage.throttle, sharedLimit(of: stage)?.throttle].compactMap({ $0 }) {
            tell(throttle.passed(records, sentAt: sentAt, at: now), throttle, of: stage)
        }
    }

    /// Answers ask for a pause: everything that shares the rate slows down.
    func throttled(_ stage: StageState, records: Int = 1, sentAt: Moment) {
        let throttle = sharedLimit(of: stage)?.throttle ?? stage.throttle
        tell(throttle.refused(records, sentAt: sentAt, at: now), throttle, of: stage)
    }

    private func tell(_ change: Throttle.Change, _ throttle: Throttle, of stage: StageState) {
        switch change {
        case .none: break
        case .slower: if let rate = throttle.rate { note(.stageSlowed(stage: stage.index, recordsPerSecond: rate)) }
        case .notSlowedAnyMore: note(.stageNotSlowed(stage: stage.index))
        }
    }

    /// Whether a batch that is wanted again later says something of the rate: only where there is one. The pause alone
    /// is enough elsewhere.
    func hasRate(_ stage: StageState) -> Bool {
        stage.throttle.isConfigured || sharedLimit(of: stage)?.throttle.isConfigured ?? false
    }

    /// The rate that counts for a stage: the lower of its own and that of its limit.
    func rateStatus(of stage: StageState) -> RateStatus? {
        let throttles = [stage.throttle, sharedLimit(of: stage)?.throttle].compactMap { $0 }
        guard let slowest = throttles.filter({ $0.rate != nil }).min(by: { $0.rate ?? 0 < $1.rate ?? 0 }),
            let now = slowest.rate
        else { return nil }
        return RateStatus(
            recordsPerSecond: now, full: slowest.policy.recordsPerSecond, isSlowed: slowest.isSlowed,
            refusals: slowest.refusals)
    }

    // MARK: - Other numbers while the job runs

    /// Takes over what may change while the job runs.
    func policyChanged(_ new: JobPolicy) {
        guard new.stages.map(\.name) == policy.stages.map(\.name) else { return }
        policy.failures = new.failures
        policy.budget = new.budget
        policy.limits = new.limits
        policy.memoryReserveBytes = new.memoryReserveBytes
        if new.memoryReserveBytes == nil { availableMemoryMeasured(.max) }
        var known = limits
        limits = [:]
        for limit in new.limits {
            let shared = known.removeValue(forKey: limit.name) ?? SharedLimit(limit)
            shared.throttle.change(limit.rate, at: now)
            shared.concurrency = limit.concurrency
            limits[limit.name] = shared
        }
        for (stage, policy) in zip(stages, new.stages) {
            var policy = policy
            policy.kind = stage.policy.kind
            policy.durable = stage.policy.durable
            policy.ordered = stage.policy.ordered
            policy.threads = stage.policy.threads
            // What is held beyond a smaller one would take the room for the batch that all below it wait for.
            policy.window = stage.policy.window
            policyChanged(policy, of: stage)
            stage.throttle.change(policy.rate, at: now)
        }
    }

    // MARK: - The memory of the machine

    /// Takes note of what is free. Once short, it must have an eighth more than the reserve.
    func availableMemoryMeasured(_ bytes: UInt64) {
        guard let reserve = policy.memoryReserveBytes else {
            if memoryReason != nil { note(.resumed) }
            memoryReason = nil
            return
        }
        if memoryReason == nil, bytes < reserve {
            let words = "the machine has \(bytes >> 20) MiB of free memory, less than memory_reserve: \(reserve >> 20) MiB"
            memoryReason = words
            note(.paused(words))
        } else if memoryReason != nil, bytes >= reserve + reserve / 8 {
            memoryReason = nil
            note(.resumed)
        }
    }
}
