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
        stage.tally.add(record(of: worker, death, cause))
        note(
            .workerDied(
                stage: stage.index, id, cause,
                batch: worker.outstanding.first.flatMap { $0.batch == 0 ? nil : $0.batch },
                evidence: death.evidence))
        if now.since(worker.since) >= stage.policy.restart.resetAfterNanoseconds { stage.consecutiveDeaths = 0 }
        let action = stage.policy.onDeath[cause.name] ?? .poison
        defer { answer = nil }
        var inSearch = false
        let batchHadDied = worker.outstanding.contains { $0.work.map { $0.deathCount > 0 } ?? false }
        // What a build on probation dies of is held against the build, and against nothing else.
        let endsProbation =
            isOnProbation(worker, of: stage) && !isExternal(cause) && !(batchHadDied && stage.swap?.hasWorked ?? false)
        let crumbs = breadcrumbs(of: death, cause)
        let begun = worker.outstanding.count { request in
            crumbs.map { $0.contains { $0.dispatch == request.id } } ?? (request.startedAt != nil)
        }
        for request in worker.outstanding {
            guard let work = request.work else { continue }
            work.inHand -= 1
            guard !endsProbation else {
                giveBack(request, to: work, of: stage)
                continue
            }
            work.build = worker.build
            let crumb = crumbs?.first { $0.dispatch == request.id }
            // What had not been begun knows nothing of the death.
            guard action != .restart, !work.isReplay, !work.isFinish, crumb != nil || crumbs == nil && request.startedAt != nil
            else {
                giveBack(request, to: work, of: stage)
                continue
            }
            work.attempt += 1
            answer = (id, now.since(request.answeredAt ?? request.startedAt ?? now))
            stage.tally.wait(for: work.batch)
            let suspects = crumb?.begun ?? IndexRanges()
            if blame(request, work, stage, suspects: suspects, alone: begun == 1, cause, death.evidence) {
                inSearch = true
            }
        }
        if endsProbation { stage.tally.blameBuild() }
        stage.tally.settleNewest()
        if inSearch { stage.suspectDeathsInARow += 1 }
        for work in Array(stage.works) { completeIfDone(work, of: stage) }
        // A verdict has cost two deaths: it must not be lost with the rest of the batch.
        if stage.isDurable, !stage.isAtomic {
            for work in stage.works where work.letters.count > work.loggedLetters { log(work, of: stage, whole: false) }
        }
        if endsProbation { return rollBack(stage, cause.sentence) }
        if !isExternal(cause) { stage.swap?.hasWorked = false }
        if action == .stop || action == .hold {
            return giveUp(stage, "its worker died: \(cause.sentence)", action == .hold ? .hold : .stop)
        }
        if !worker.wasReady { stage.deathsBeforeReady += 1 }
        if !worker.wasReady, incomingFailed(worker, of: stage, "it died while it was opened: \(cause.sentence)") { return }
        if isExternal(cause), worker.wasReady {
            // A SIGKILL that nobody here sent is no sign of a fault in the plugin, once it has been opened.
            pauseBeforeRestart(of: stage)
        } else if !inSearch {
            countDeath(of: stage, because: "its worker died: \(cause.sentence)")
            if !worker.outstanding.isEmpty { countFruitlessDeath(of: stage, cause) }
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

    /// What the worker left of the requests that it was in the middle of; nil when that says nothing. A request of which it
    /// left nothing had not been begun: one that was sent to a worker that had just died, say. But a worker that has said
    /// nonsense, or closed its pipes, may have finished requests whose results nobody has heard.
    private func breadcrumbs(of death: Death, _ cause: DeathCause) -> [Breadcrumb]? {
        switch cause {
        case .garbage, .lost: death.breadcrumbs.flatMap { $0.isEmpty ? nil : $0 }
        default: death.breadcrumbs
        }
    }

    /// What the tally keeps of a death.
    private func record(of worker: WorkerState, _ death: Death, _ cause: DeathCause) -> DeathRecord {
        let crumbs = (death.breadcrumbs ?? []).compactMap { crumb in
            worker.outstanding.first { $0.id == crumb.dispatch }.map { ($0, crumb.begun) }
        }
        let request = crumbs.first?.0 ?? worker.outstanding.first { $0.startedAt != nil }
        var record = DeathRecord(
            time: .now(now), cause: cause.name, message: cause.sentence, batch: request.flatMap { $0.batch == 0 ? nil : $0.batch },
            worker: worker.id.number)
        switch cause {
        case .signal(let number): record.signal = signalName(number)
        case .exit(let code): record.exitCode = code
        default: break
        }
        if let request {
            let begun = crumbs.first?.1 ?? IndexRanges()
            let suspects = begun.isEmpty ? request.ranges : begun
            if crumbs.count <= 1, suspects.count == 1 { record.index = suspects.first }
        }
        return record
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
        // What is wrong on the pipe was written some time ago: the worker has gone on to other records since.
        if case .garbage = cause { suspects = IndexRanges() }
        if suspects.isEmpty { suspects = left }
        if isExternal(cause) {
            for input in suspects.indexes { work.kills[input, default: 0] += 1 }
        } else {
            work.deathCount += 1
            for input in suspects.indexes { work.deaths[input, default: 0] += 1 }
        }
        if alone, left.count == 1, let input = left.first, isGuilty(input, of: work, in: stage, cause) {
            condemn(input, of: work, in: stage, cause, evidence)
            return true
        }
        let rest = left.subtracting(suspects)
        if !rest.isEmpty { work.portions.append(Portion(ranges: rest)) }
        if suspects.count <= Self.aloneAtMost {
            for input in suspects.indexes {
                let notBefore = alone && left.count == 1 ? pause(before: input, of: work, in: stage, cause) : nil
                work.portions.append(
                    Portion(ranges: IndexRanges(CollectionOfOne(input)), notBefore: notBefore, isSearch: true))
            }
        } else {
            // In front: one record is found before the next one is looked for.
            let (lower, upper) = suspects.halves()
            work.portions.insert(Portion(ranges: upper, isSearch: true), at: 0)
            work.portions.insert(Portion(ranges: lower, isSearch: true), at: 0)
        }
        return true
    }

    /// A kill from outside says little: an operator, a script, the kernel short of memory. It takes more of them.
    private func isGuilty(_ input: UInt32, of work: Work, in stage: StageState, _ cause: DeathCause) -> Bool {
        guard !isExternal(cause) else { return work.kills[input] ?? 0 >= Self.killsToBlame }
        let deaths = work.deaths[input] ?? 0
        let retry = stage.policy.retry
        return deaths >= (retry.on.contains(cause.retryCause) ? max(Self.deathsToBlame, retry.attempts) : Self.deathsToBlame)
    }

    /// A record that could be blamed already, and is tried again because the stage's `retry.on` says so, waits like one
    /// that has failed.
    private func pause(before input: UInt32, of work: Work, in stage: StageState, _ cause: DeathCause) -> Moment? {
        guard !isExternal(cause), stage.policy.retry.on.contains(cause.retryCause), let deaths = work.deaths[input],
            deaths >= Self.deathsToBlame
        else { return nil }
        stage.retries += 1
        note(
            .recordRetried(
                stage: stage.index, batch: work.batch, input: input, attempt: deaths + 1, message: cause.sentence))
        return now.advanced(by: backoff(stage.policy.retry, after: deaths - 1))
    }

    private func condemn(_ input: UInt32, of work: Work, in stage: StageState, _ cause: DeathCause, _ evidence: String)
    {
        var signal: Int32?
        if case .signal(let number) = cause { signal = number }
        stage.tally.explain(work.batch)
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
        stage.tally.close(work.batch)
        guard work.deathCount > 0, work.verdicts == 0 else { return }
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
        guard stage.deathsBeforeReady <= policy.maximum else {
            // However long each of them took: a plugin that hangs while it is loaded dies once a minute.
            giveUp(stage, "\(stage.deathsBeforeReady) workers in a row died before they were ready: \(reason)")
            return
        }
        guard stage.deaths.count <= policy.maximum else {
            giveUp(
                stage,
                "\(stage.deaths.count) deaths within \(policy.withinNanoseconds / 1_000_000_000) s, more than \(policy.maximum): \(reason)"
            )
            return
        }
        if pause { pauseBeforeRestart(of: stage) }
    }

    /// Deaths too far apart for the restart intensity still come to an end where all that a worker is given kills it, and there is no
    /// record to blame: a finish, or what a new worker is shown again.
    private func countFruitlessDeath(of stage: StageState, _ cause: DeathCause) {
        let progress = stage.counts.inputs &+ stage.committed.through &+ UInt64(stage.committed.beyond.count)
        stage.fruitlessDeaths = stage.progressAtDeath == progress ? stage.fruitlessDeaths + 1 : 1
        stage.progressAtDeath = progress
        guard stage.fruitlessDeaths > max(stage.policy.restart.maximum, 1) * Self.fruitlessFactor else { return }
        giveUp(stage, "\(stage.fruitlessDeaths) workers in a row died at work, and nothing new came into its log in between; last: \(cause.sentence)")
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

    func giveUp(_ stage: StageState, _ message: String, _ how: GiveUpPolicy? = nil) {
        guard !stage.hasGivenUp, !stage.isHeld else { return }
        stage.giveUpMessage = message
        note(.stageGaveUp(stage: stage.index, message: message))
        cancelSwap(of: stage, message)
        switch how ?? stage.policy.onGiveUp {
        case .hold: stage.isHeld = true
        case .stop:
            stage.hasGivenUp = true
            // Nobody's data has been near it.
            guard stage.facts != nil else {
                return fail(.refused(stage: stage.index, message: "its plugin cannot be loaded: \(message)"))
            }
            fail(.gaveUp(stage: stage.index, message: message))
        }
    }
}

extension DeathCause {
    /// The word by which `retry.on` speaks of it.
    fileprivate var retryCause: RetryCause {
        switch self {
        case .timeout: .timeout
        case .memory: .memory
        case .signal, .exit, .garbage, .lost, .host: .crash
        }
    }

    /// For people: "killed by signal 11 (SIGSEGV)".
    package var sentence: String {
        switch self {
        case .signal(let number): "killed by signal \(number) (\(signalName(number)))"
        case .exit(let code): "it exited with code \(code) on its own"
        case .timeout: "no answer within its timeout"
        case .memory: "above its memory limit"
        case .garbage(let what): "it sent garbage: \(what)"
        case .lost(let why): why
        case .host(let times): "the host died with it in hand \(times) \(times == 1 ? "time" : "times")"
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
