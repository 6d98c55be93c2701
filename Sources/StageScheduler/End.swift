import StageModel

// How a run ends: complete, drained, or because something cannot go on.

extension Scheduler.Mode {
    var isEnding: Bool {
        switch self {
        case .ending, .over: true
        case .running, .draining: false
        }
    }
}

extension RunEnd {
    /// A job that is done nevertheless is complete.
    var isHarmless: Bool {
        switch self {
        case .interrupted, .overBudget: true
        default: false
        }
    }
}

extension Scheduler {
    /// Ends the run for a reason of its own: what is in hand is finished and kept, nothing new begins.
    func fail(_ end: RunEnd) {
        switch mode {
        case .running: mode = .draining(end, since: now)
        case .draining(.interrupted, let since): mode = .draining(end, since: since)
        case .draining, .ending, .over: break
        }
    }

    func beginDrain(_ end: RunEnd) {
        guard mode == .running else { return }
        if case .interrupted(let reason) = end { note(.draining(reason)) }
        mode = .draining(end, since: now)
    }

    func abandon() {
        for stage in stages { for worker in stage.workers { kill(worker, for: nil) } }
        for stage in stages { endSwap(of: stage, isComplete: false) }
        if !mode.isEnding { mode = .ending(.interrupted("left at once"), since: now) }
    }

    func checkFailureLimits() {
        guard mode == .running else { return }
        guard stages.contains(where: { $0.counts.failed > 0 }) else { return }
        let counts = stages.map(judged)
        // Of all records that have an outcome, in the stage that has dealt with most: a splitter makes many of one.
        let records = (counts.dropFirst().map(\.inputs).max() ?? 0) + (counts.first?.failed ?? 0)
        if let reason = exceeded(policy.failures, failed: counts.reduce(0) { $0 + $1.failed }, of: records) {
            fail(.tooManyFailures(reason))
        }
        for (stage, counts) in zip(stages, counts) {
            if let reason = exceeded(stage.policy.failures, failed: counts.failed, of: counts.inputs) {
                fail(.tooManyFailures("stage \"\(stage.policy.name)\": \(reason)"))
            }
        }
    }

    /// Counts of a stage since its failures were last forgiven.
    private func judged(_ stage: StageState) -> Counts {
        var counts = stage.counts
        counts.failed = failedForGood(stage)
        guard policy.forgiven.indices.contains(stage.index) else { return counts }
        let forgiven = policy.forgiven[stage.index]
        counts.inputs -= min(counts.inputs, forgiven.inputs)
        counts.failed -= min(counts.failed, forgiven.failed)
        return counts
    }

    private func exceeded(_ policy: FailurePolicy, failed: UInt64, of records: UInt64) -> String? {
        if let maximum = policy.maximum, failed > maximum {
            return "\(failed) dead letters, more than failures.max = \(maximum)"
        }
        if let rate = policy.maximumRate, records >= policy.minimumSample, Double(failed) > rate * Double(records) {
            return "\(failed) of \(records) records failed, more than failures.max_rate = \(rate)"
        }
        return nil
    }

    /// Whether a drain, or a pause in which workers leave, waits for the rest of a batch.
    func isFinishing(_ stage: StageState) -> Bool {
        let brings =
            switch mode {
            case .draining: pauseReason == nil
            case .running: isReleased(stage) && memoryReason == nil
            case .ending, .over: false
            }
        guard brings, stallReason == nil, !stage.hasGivenUp, !stage.isHeld else { return false }
        if case .draining(.refused(stage.index, _), _) = mode { return false }
        return stage.isWithinBatch && stage.workers.contains { $0.canServe }
    }

    private var isAllDone: Bool {
        hasTakenAll(sink) && retryWishes.isEmpty && discarding == 0 && sink.works.isEmpty && sink.unsynced.isEmpty
            && stages.allSatisfy { $0.appending.isEmpty }
    }

    /// Nothing is in hand, and all that was done is in the logs.
    var isQuiet: Bool {
        beginningRetry == nil && discarding == 0 && stages.allSatisfy { stage in
            stage.workers.allSatisfy { $0.outstanding.isEmpty || $0.phase == .dying } && stage.appending.isEmpty
                && stage.syncing == nil && !canSync(stage) && !isFinishing(stage)
        }
    }

    func checkEnd() {
        switch mode {
        case .running:
            if isAllDone { end(.complete) }
        case .draining(let reason, let since):
            let isOver = now.since(since) > policy.drainGraceNanoseconds
            if isAllDone, reason.isHarmless {
                end(.complete)
            } else if isQuiet {
                end(reason)
            } else if isOver {
                for stage in stages {
                    for worker in stage.workers where !worker.outstanding.isEmpty || stage.isAtomic {
                        kill(worker, for: nil)
                    }
                }
            }
        case .ending(let reason, _):
            guard stages.allSatisfy({ $0.workers.isEmpty && $0.appending.isEmpty }) else { return }
            if !isFlushed {
                guard !flushing else { return }
                flushing = true
                actions.append(.flush)
                return
            }
            let end = reason == .complete ? checked() : reason
            mode = .over(end)
            actions.append(.finished(end))
        case .over: break
        }
    }

    /// Begins the end: idle workers leave in peace.
    private func end(_ reason: RunEnd) {
        for stage in stages { endSwap(of: stage, isComplete: reason == .complete) }
        refuseRetries("the job ended first: its other letters are dead still")
        mode = .ending(reason, since: now)
        isFlushed = false
        for stage in stages { for worker in stage.workers { leave(worker) } }
        checkEnd()
    }

    /// The sums of a completed job: nothing lost (P1).
    private func checked() -> RunEnd {
        for stage in stages {
            let counts = stage.counts
            guard counts.inputs == counts.passed + counts.filtered + counts.failed + stage.discarded else {
                return .broken(
                    "the counts of stage \"\(stage.policy.name)\" do not add up: in \(counts.inputs), passed on \(counts.passed), filtered \(counts.filtered), failed \(counts.failed), discarded \(stage.discarded)"
                )
            }
        }
        for (above, below) in zip(stages, stages.dropFirst()) where above.counts.outputs != below.counts.inputs {
            return .broken(
                "stage \"\(above.policy.name)\" put out \(above.counts.outputs) records, but \"\(below.policy.name)\" took in \(below.counts.inputs)"
            )
        }
        return .complete
    }

    /// When the next `timer` event is due; nil: only when something happens.
    ///
    /// All that was due at the last event has been looked at then: what could not be done waits for something else
    /// to happen, not for the clock. So a deadline is never reported twice.
    package func nextDeadline(after now: Moment) -> Moment? {
        var next: Moment?
        func consider(_ moment: Moment?) {
            guard let moment, moment > self.now else { return }
            next = min(next ?? moment, moment)
        }
        if case .draining(_, let since) = mode { consider(since.advanced(by: policy.drainGraceNanoseconds + 1)) }
        for stage in stages {
            for worker in stage.workers { consider(deadline(of: worker)) }
            guard !mode.isEnding else { continue }
            if let since = stage.unsyncedSince { consider(since.advanced(by: syncInterval)) }
            consider(stage.syncNotBefore)
            guard mode == .running || isFinishing(stage) else { continue }
            if mode == .running {
                consider(stage.restartAt)
                consider(stage.standbyNotBefore)
            }
            consider(stage.notBefore)
            consider(stage.pacedUntil)
            for work in stage.works {
                for portion in work.portions { consider(portion.notBefore) }
            }
            for work in stage.replayable {
                for portion in work.portions { consider(portion.notBefore) }
            }
        }
        if mode == .running { consider(idleUntil) }
        return next.map { max($0, now) }
    }
}
