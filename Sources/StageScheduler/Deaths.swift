import StageModel

// Who killed the worker. A record is blamed when it was alone in hand at a death and had been in hand at one before:
// a death that does not repeat is nobody's fault. Deaths inside a search say something about records, not about the
// stage, and count against its restart intensity only if the search finds nobody.

extension Scheduler {
    func workerExited(_ id: WorkerID, _ death: Death) {
        guard let worker = worker(id) else { return }
        let stage = stages[worker.stage]
        stage.workers.removeAll { $0 === worker }
        if stage.syncing == id { stage.syncing = nil }
        let wasAskedToLeave = worker.phase == .leaving && death.cause == .exit(0) && worker.outstanding.isEmpty
        let wasKilledInPeace = worker.phase == .dying && worker.killedFor == nil
        if wasAskedToLeave || wasKilledInPeace || mode.isEnding {
            for request in worker.outstanding {
                guard let work = request.work else { continue }
                work.inHand -= 1
                giveBack(request, to: work, of: stage)
            }
            return
        }
        let cause = worker.killedFor ?? death.cause
        stage.crashes += 1
        note(
            .workerDied(
                stage: stage.index, id, cause,
                batch: worker.outstanding.first.flatMap { $0.batch == 0 ? nil : $0.batch },
                evidence: death.evidence))
        if now.since(worker.since) >= stage.policy.restart.resetAfterNanoseconds { stage.consecutiveDeaths = 0 }
        let action = stage.policy.onDeath[cause.name] ?? .poison
        var inSearch = false
        let batchHadDied = worker.outstanding.contains { $0.work.map { $0.deathCount > 0 } ?? false }
        let begun = worker.outstanding.count { request in
            death.breadcrumbs.isEmpty
                ? request.startedAt != nil : death.breadcrumbs.contains { $0.dispatch == request.id }
        }
        for request in worker.outstanding {
            guard let work = request.work else { continue }
            work.inHand -= 1
            let crumb = death.breadcrumbs.first { $0.dispatch == request.id }
            // What had not been begun knows nothing of the death.
            guard action != .restart, !work.isReplay, !work.isFinish, crumb != nil || request.startedAt != nil && death.breadcrumbs.isEmpty
            else {
                giveBack(request, to: work, of: stage)
                continue
            }
            work.attempt += 1
            let suspects = crumb?.begun ?? IndexRanges()
            if blame(request, work, stage, suspects: suspects, alone: begun == 1, cause, death.evidence) {
                inSearch = true
            }
        }
        for work in Array(stage.works) { completeIfDone(work, of: stage) }
        if action == .stop || action == .hold {
            return giveUp(stage, "its worker died: \(cause.sentence)", action == .hold ? .hold : .stop)
        }
        if !worker.wasReady, incomingFailed(worker, of: stage, "it died while it was opened: \(cause.sentence)") { return }
        if !isExternal(cause), diedOnProbation(worker, of: stage, batchHadDied: batchHadDied, cause.sentence) { return }
        if isExternal(cause), worker.wasReady {
            // A SIGKILL that nobody here sent is no sign of a fault in the plugin, once it has been opened.
            pauseBeforeRestart(of: stage)
        } else if !inSearch {
            countDeath(of: stage, because: "its worker died: \(cause.sentence)")
        }
        if stage.verdictsInARow >= Self.verdictLimit, stage.verdictBatches.count >= 2
            || stage.isAtomic && stage.verdictsInARow >= Self.verdictLimitInOrder
        {
            giveUp(
                stage,
                "\(stage.verdictsInARow) records in a row killed the worker and none passed: it is the plugin (or its configuration), not the data; last: \(cause.sentence)"
            )
        }
    }

    private func isExternal(_ cause: DeathCause) -> Bool { cause == .signal(9) }

    /// Puts what a request was about back to the front of what waits.
    func giveBack(_ request: Dispatch, to work: Work, of stage: StageState) {
        let ranges = request.ranges.intersecting(work.unresolved)
        guard work.isFinish || !ranges.isEmpty else { return }
        work.portions.insert(Portion(ranges: ranges, isSearch: request.isSearch), at: 0)
    }

    /// Decides what becomes of the records of a request whose worker died on it. Returns whether records can be to
    /// blame.
    private func blame(
        _ request: Dispatch, _ work: Work, _ stage: StageState, suspects: IndexRanges, alone: Bool,
        _ cause: DeathCause, _ evidence: String
    ) -> Bool {
        let left = request.ranges.intersecting(work.unresolved)
        guard !left.isEmpty else { return false }
        var suspects = suspects.intersecting(left)
        if suspects.isEmpty { suspects = left }
        if isExternal(cause) {
            for input in suspects.indexes { work.kills[input, default: 0] += 1 }
        } else {
            work.deathCount += 1
            for input in suspects.indexes { work.deaths[input, default: 0] += 1 }
        }
        if alone, left.count == 1, let input = left.first, isGuilty(input, of: work, cause) {
            condemn(input, of: work, in: stage, cause, evidence)
            return true
        }
        let rest = left.subtracting(suspects)
        if !rest.isEmpty { work.portions.append(Portion(ranges: rest)) }
        if suspects.count <= Self.aloneAtMost {
            for input in suspects.indexes {
                work.portions.append(Portion(ranges: IndexRanges(CollectionOfOne(input)), isSearch: true))
            }
        } else {
            let (lower, upper) = suspects.halves()
            work.portions.append(Portion(ranges: lower, isSearch: true))
            work.portions.append(Portion(ranges: upper, isSearch: true))
        }
        return true
    }

    /// A kill from outside says little: an operator, a script, the kernel short of memory. It takes more of them.
    private func isGuilty(_ input: UInt32, of work: Work, _ cause: DeathCause) -> Bool {
        isExternal(cause)
            ? work.kills[input] ?? 0 >= Self.killsToBlame : work.deaths[input] ?? 0 >= Self.deathsToBlame
    }

    private func condemn(_ input: UInt32, of work: Work, in stage: StageState, _ cause: DeathCause, _ evidence: String)
    {
        var signal: Int32?
        if case .signal(let number) = cause { signal = number }
        note(.poisonFound(stage: stage.index, batch: work.batch, input: input, cause))
        setAside(
            input, of: work, in: stage, category: cause.category, message: "it kills the worker: \(cause.sentence)",
            signal: signal, evidence: evidence)
        work.verdicts += 1
        // A batch of which something has passed speaks for the plugin.
        if work.resolvedInputs == work.failed {
            stage.verdictsInARow += 1
            stage.verdictBatches.insert(work.batch)
        }
        stage.consecutiveDeaths = 0
    }

    /// A batch that workers died on is done. A search that found nobody leaves its deaths unexplained: they are shown as
    /// such, and count.
    func closeSearch(of work: Work, _ stage: StageState) {
        guard work.deathCount > 0, work.verdicts == 0 else { return }
        stage.unexplained += 1
        note(.unexplainedDeath(stage: stage.index, batch: work.batch))
        work.deathCount = 0
        countDeath(
            of: stage, because: "its worker died on batch \(work.batch), but on no record of it twice", pause: false)
    }

    /// Counts a death against the restart intensity, and sets the pause before the next start.
    func countDeath(of stage: StageState, because reason: String, pause: Bool = true) {
        let policy = stage.policy.restart
        stage.deaths.append(now)
        stage.deaths.removeAll { now.since($0) > policy.withinNanoseconds }
        guard stage.deaths.count <= policy.maximum else {
            giveUp(
                stage,
                "\(stage.deaths.count) deaths within \(policy.withinNanoseconds / 1_000_000_000) s, more than \(policy.maximum): \(reason)"
            )
            return
        }
        if pause { pauseBeforeRestart(of: stage) }
    }

    /// The first restart comes at once; each further one without progress in between waits longer.
    private func pauseBeforeRestart(of stage: StageState) {
        let policy = stage.policy.restart
        stage.consecutiveDeaths += 1
        guard stage.consecutiveDeaths > 1 else { return }
        var length = Double(policy.backoffNanoseconds)
        for _ in 2..<max(2, min(stage.consecutiveDeaths, 64)) { length *= policy.factor }
        length = min(length, Double(policy.maximumBackoffNanoseconds)) * (1 + policy.jitter * (2 * random.unit() - 1))
        stage.restartAt = now.advanced(by: UInt64(length))
    }

    private func giveUp(_ stage: StageState, _ message: String, _ how: GiveUpPolicy? = nil) {
        guard !stage.hasGivenUp, !stage.isHeld else { return }
        stage.giveUpMessage = message
        note(.stageGaveUp(stage: stage.index, message: message))
        switch how ?? stage.policy.onGiveUp {
        case .hold: stage.isHeld = true
        case .stop:
            stage.hasGivenUp = true
            fail(.gaveUp(stage: stage.index, message: message))
        }
    }
}

extension DeathCause {
    /// For people: "killed by signal 11 (SIGSEGV)".
    package var sentence: String {
        switch self {
        case .signal(let number): "killed by signal \(number) (\(signalName(number)))"
        case .exit(let code): "it exited with code \(code) on its own"
        case .timeout: "no answer within its timeout"
        case .memory: "above its memory limit"
        case .garbage(let what): "it sent garbage: \(what)"
        case .lost(let why): why
        }
    }
}

/// The name of a signal on Linux.
package func signalName(_ number: Int32) -> String {
    let names: [Int32: String] = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
        9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
        24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
    ]
    return names[number] ?? "signal \(number)"
}
