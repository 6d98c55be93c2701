import StageModel

// Who killed the worker. A record is blamed when it was alone in hand at a death and had been in hand at one before:
// a death that does not repeat is nobody's fault. Deaths inside a search say something about records, not about the
// stage, and do not count against its restart intensity.

extension Scheduler {
    func workerExited(_ id: WorkerID, _ death: Death, at now: Moment) {
        guard let worker = worker(id) else { return }
        let stage = stages[worker.stage]
        stage.workers.removeAll { $0 === worker }
        if stage.syncing?.worker == id { stage.syncing = nil }
        let wasAskedToLeave = worker.phase == .leaving && death.cause == .exit(0) && worker.outstanding.isEmpty
        let wasKilledInPeace = worker.phase == .dying && worker.killedFor == nil
        if wasAskedToLeave || wasKilledInPeace || mode.isEnding {
            giveBack(worker.outstanding, of: stage)
            return
        }
        let cause = worker.killedFor ?? death.cause
        let wasReady = worker.wasReady
        stage.crashes += 1
        note(
            .workerDied(
                stage: stage.index, id, cause, batch: worker.outstanding.first.flatMap { $0.batch == 0 ? nil : $0.batch },
                evidence: death.evidence))
        stage.replayable.forEach { $0.inHand = 0 }
        var inSearch = false
        let begun = Set(death.breadcrumbs.map(\.dispatch))
        for request in worker.outstanding {
            guard let work = request.work, !work.isReplay else { continue }
            work.inHand -= 1
            // What had not been begun knows nothing of the death.
            guard begun.contains(request.id) || request.startedAt != nil && death.breadcrumbs.isEmpty else {
                giveBack(request, to: work, of: stage)
                continue
            }
            work.attempt += 1
            let suspects = death.breadcrumbs.first { $0.dispatch == request.id }?.begun ?? IndexRanges()
            if blame(request, work, stage, suspects: suspects, cause, death.evidence) { inSearch = true }
        }
        for work in Array(stage.works) { completeIfDone(work, of: stage) }
        if isExternal(cause), wasReady {
            // A SIGKILL that nobody here sent is no sign of a fault in the plugin, once it has been opened.
            stage.consecutiveDeaths += 1
            pauseBeforeRestart(of: stage, at: now)
        } else if !inSearch {
            countDeath(of: stage, at: now, because: "its worker died: \(cause.sentence)")
        }
        if stage.verdictsInARow >= Self.verdictLimit, stage.verdictBatches.count >= 2 {
            giveUp(
                stage,
                "\(stage.verdictsInARow) records in a row killed the worker and none passed: it is the plugin (or its configuration), not the data; last: \(cause.sentence)"
            )
        }
    }

    /// Records in a row that may be found to kill workers, in two batches at least, before the plugin is blamed.
    static var verdictLimit: Int { 10 }

    private func isExternal(_ cause: DeathCause) -> Bool { cause == .signal(9) }

    private func giveBack(_ requests: [Dispatch], of stage: StageState) {
        for request in requests {
            guard let work = request.work else { continue }
            work.inHand -= 1
            if !work.isReplay { giveBack(request, to: work, of: stage) }
        }
    }

    private func giveBack(_ request: Dispatch, to work: Work, of stage: StageState) {
        let ranges = stage.isAtomic ? askedFor(request, work, stage) : request.ranges.intersecting(work.unresolved)
        guard work.isFinish || !ranges.isEmpty else { return }
        work.portions.insert(Portion(ranges: ranges, isSearch: request.isSearch), at: 0)
    }

    /// In an atomic stage what partial frames have said does not stand.
    private func askedFor(_ request: Dispatch, _ work: Work, _ stage: StageState) -> IndexRanges {
        work.unresolved.subtracting(inHandOrWaiting(work, of: stage))
    }

    /// Decides what becomes of the records of a request whose worker died on it. Returns whether this death was part of
    /// a search.
    private func blame(
        _ request: Dispatch, _ work: Work, _ stage: StageState, suspects: IndexRanges, _ cause: DeathCause,
        _ evidence: String
    ) -> Bool {
        let wasSearching = work.deathCount > 0
        work.deathCount += 1
        if work.isFinish {
            work.portions = [Portion(ranges: IndexRanges())]
            return false
        }
        let left =
            stage.isAtomic ? askedFor(request, work, stage) : request.ranges.intersecting(work.unresolved)
        guard !left.isEmpty else { return wasSearching }
        var suspects = suspects.intersecting(left)
        if suspects.isEmpty { suspects = left }
        for input in suspects.indexes { work.deaths[input, default: 0] += 1 }
        let proof = isExternal(cause) ? Self.externalDeathsThatProve : Self.deathsThatProve
        if suspects.count == 1, let input = suspects.first, left.count == 1, work.deaths[input] ?? 0 >= proof {
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
        return wasSearching
    }

    /// Deaths with a record in hand, alone at the last, after which it is to blame.
    private static var deathsThatProve: UInt32 { 2 }
    /// The same for a SIGKILL from outside, which may well have had nothing to do with the record.
    private static var externalDeathsThatProve: UInt32 { 5 }

    /// So many suspects are tried one by one; more are halved.
    private static var aloneAtMost: Int { 2 }

    private func condemn(_ input: UInt32, of work: Work, in stage: StageState, _ cause: DeathCause, _ evidence: String) {
        var signal: Int32?
        if case .signal(let number) = cause { signal = number }
        note(.poisonFound(stage: stage.index, batch: work.batch, input: input, cause))
        setAside(
            input, of: work, in: stage, category: cause.category, message: "it kills the worker: \(cause.sentence)",
            signal: signal, evidence: evidence)
        work.verdicts += 1
        stage.verdictsInARow += 1
        stage.verdictBatches.insert(work.batch)
        // The first death is explained now, too: it was this record, not the stage.
        if !stage.deaths.isEmpty { stage.deaths.removeLast() }
        stage.consecutiveDeaths = 0
    }

    /// A search that found nobody: the deaths stay unexplained, and are shown as such.
    func searchWentOn(_ work: Work, _ stage: StageState) {
        guard work.isComplete, work.verdicts == 0 else { return }
        stage.unexplained += 1
        note(.unexplainedDeath(stage: stage.index, batch: work.batch))
    }

    /// Counts a death against the restart intensity, and sets the pause before the next start.
    func countDeath(of stage: StageState, at now: Moment, because reason: String) {
        let policy = stage.policy.restart
        stage.deaths.append(now)
        stage.deaths.removeAll { now.since($0) > policy.withinNanoseconds }
        stage.consecutiveDeaths += 1
        guard stage.deaths.count <= policy.maximum else {
            giveUp(
                stage,
                "\(stage.deaths.count) deaths within \(policy.withinNanoseconds / 1_000_000_000) s, more than \(policy.maximum): \(reason)"
            )
            return
        }
        pauseBeforeRestart(of: stage, at: now)
    }

    /// The first restart comes at once; each further one without progress in between waits longer.
    private func pauseBeforeRestart(of stage: StageState, at now: Moment) {
        guard stage.consecutiveDeaths > 1 else { return }
        let policy = stage.policy.restart
        var pause = Double(policy.backoffNanoseconds)
        for _ in 2..<max(2, min(stage.consecutiveDeaths, 64)) { pause *= policy.factor }
        pause = min(pause, Double(policy.maximumBackoffNanoseconds)) * (0.9 + 0.2 * random.unit())
        stage.restartAt = now.advanced(by: UInt64(pause))
    }

    private func giveUp(_ stage: StageState, _ message: String) {
        guard !stage.hasGivenUp, !stage.isHeld else { return }
        stage.giveUpMessage = message
        note(.stageGaveUp(stage: stage.index, message: message))
        switch stage.policy.onGiveUp {
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
