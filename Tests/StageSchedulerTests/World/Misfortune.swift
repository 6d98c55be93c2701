import StageModel

@testable import StageScheduler

// What happens to a run from outside, and what plugins do now and then.

extension World {
    /// Something that goes wrong now and then, where failures are wanted.
    func misfortune(_ probability: Double, _ kind: Chaos = .failures) -> Bool {
        plan.chaos.contains(kind) && chance.happens(probability)
    }

    func strike() {
        if plan.chaos.contains(.kills), killed < plan.kills, chance.happens(0.01), let victim = victim() {
            killed += 1
            victim.die(.signal(chance.happens(0.7) ? 9 : 11), isAccident: true)
        }
        if plan.chaos.contains(.hangs), killed < plan.kills + 6, chance.happens(0.005), let victim = victim() {
            killed += 1
            count("stopped")
            victim.stop(for: UInt64(chance.below(20_000)) * 1_000_000)
        }
        if deathsOfHost < plan.hostDeaths, chance.happens(0.004) { killHost() }
        if plan.chaos.contains(.operators), chance.happens(0.005) { operate() }
        if plan.chaos.contains(.swaps), restartsAsked < plan.restarts, chance.happens(0.01) {
            let stage = chance.below(plan.stages.count)
            let builds = plan.stages[stage].builds.count
            restart(stage, build: chance.happens(0.2) ? nil : chance.below(builds))
            // And another while that one is under way.
            if chance.happens(0.2) { restart(stage, build: chance.below(builds)) }
        }
        for (index, stage) in scheduler.stages.enumerated() where stage.isHeld && chance.happens(0.02) {
            count("held")
            restart(index, build: chance.happens(0.5) ? nil : 0)
        }
        if plan.chaos.contains(.storage), chance.happens(isStalled ? 0.1 : 0.002) {
            if isStalled {
                stallEnds()
            } else {
                isStalled = true
                count("disk full")
                feed(.storageStalled("no room"))
            }
        }
        if plan.chaos.contains(.storage), chance.happens(isShort ? 0.1 : 0.002) {
            isShort.toggle()
            feed(.availableMemory(bytes: isShort ? 0 : 1 << 30))
        }
        if isPaused || isStalled || isShort, heap.next == nil { resume() }
        if chance.happens(0.01) { disk.sync() }
    }

    private func victim() -> Worker? {
        let victims = workers.filter(\.isAlive)
        return victims.isEmpty ? nil : chance.one(of: victims)
    }

    private func killHost() {
        deathsOfHost += 1
        checkRisk()
        riskTaken += atRisk
        if plan.chaos.contains(.powerLoss), !plan.surprisesSink, chance.happens(0.5) {
            powerWasLost = true
            count("power lost")
            begin { world in
                world.disk.losePower(&world.chance)
                world.store.losePower(&world.chance)
            }
        } else {
            count("host killed")
            begin { $0.disk.crash(&$0.chance, everySynced: $0.job.sync == .everyBatch) }
        }
    }

    /// Where nothing can go on by itself: whether somebody comes who helps.
    func somebodyHelps() -> Bool {
        guard let held = scheduler.stages.first(where: \.isHeld) else { return false }
        restart(held.index, build: 0)
        return true
    }

    private func restart(_ stage: Int, build: Int?) {
        restartsAsked += 1
        let request = UInt64(restartsAsked)
        openRequests.insert(request)
        count("restart to \(build.map { "\(plan.stages[stage].builds[$0])" } ?? "the same")".prefix { $0 != "(" })
        earlyDeaths[stage] = []
        feed(.restart(stage: plan.stages[stage].policy.name, build: build, request: request))
    }

    private func operate() {
        switch chance.below(9) {
        case 8: changePolicy()
        case 0 where drains < 20:
            drains += 1
            if scheduler.mode == .running, !isStalled { drainingSince = now }
            feed(.drain(reason: "asked to"))
        case 1 where deathsOfHost < plan.hostDeaths:
            deathsOfHost += 1
            drainingSince = nil
            feed(.abandon)
        case 2...4:
            isPaused = true
            // Numbers that no restart has.
            pausesAsked += 1
            feed(.pause(release: chance.happens(0.5), request: Self.firstPause + UInt64(pausesAsked)))
        default: resume()
        }
    }

    static let firstPause: UInt64 = 1 << 32

    /// A pause has come to rest, or it is over: then nobody has anything in hand, or has left altogether.
    func pauseAnswered(_ ok: Bool) {
        guard ok else { return }
        count(scheduler.isReleasing ? "paused, workers released" : "paused")
        for stage in scheduler.stages {
            expect(stage.workers.allSatisfy { $0.outstanding.isEmpty || !$0.isAlive }, "a pause with something in hand")
            expect(stage.unsynced.isEmpty || !stage.syncsItself || !scheduler.canSync(stage), "a pause before a sync")
            guard scheduler.isReleasing, stage.swap == nil else { continue }
            expect(stage.workers.isEmpty, "workers were to leave, and have not")
        }
    }

    /// Other rates, limits, pauses, retries, failure limits and numbers of workers.
    private func changePolicy() {
        let windows = job.stages.map(\.window)
        for index in job.stages.indices {
            job.stages[index].rate.recordsPerSecond = chance.one(of: [nil, 100, 2_000])
            job.stages[index].rate.burst = nil
            job.stages[index].workers = chance.between(1, 4)
            job.stages[index].standby = chance.between(0, 2)
            // Without effect, also on later hosts: see `policyChanged`.
            job.stages[index].window = chance.between(2, 8)
            job.stages[index].retry.backoffNanoseconds = UInt64(chance.between(1, 500)) * 1_000_000
        }
        if chance.happens(0.3) {
            job.limits = []
            for index in job.stages.indices { job.stages[index].limit = nil }
        }
        let asked = job
        for (index, window) in windows.enumerated() { job.stages[index].window = window }
        feed(.policyChanged(asked))
    }

    private func resume() {
        if isShort { feed(.availableMemory(bytes: 1 << 30)) }
        isShort = false
        if isPaused { feed(.unpause) }
        isPaused = false
        if isStalled { stallEnds() }
    }

    private func stallEnds() {
        isStalled = false
        drainingSince = nil
        let host = hosts
        while missedWrites > 0, host == hosts {
            missedWrites -= 1
            write()
        }
        if missedFlush, host == hosts {
            missedFlush = false
            flush()
        }
        if host == hosts { feed(.storageRecovered) }
    }

    func heard(_ note: Note) {
        switch note {
        case .workerDied(_, _, let cause, _, _): count("died: \(cause.name)")
        case .poisonFound: count("poison found")
        case .unexplainedDeath: count("unexplained death")
        case .swapRolledBack:
            // What a sink of the other build had not synced is done again.
            riskTaken += atRisk
            count("rolled back")
        case .pluginSwapped(_, _, let isNew): count(isNew ? "swapped" : "hot restart")
        case .stageGaveUp: count("gave up")
        default: break
        }
    }

    // MARK: - What plugins remember

    func isFirstTime(_ stage: Int, _ item: Item) -> Bool {
        firstTimes.insert(Letter(stage: stage, id: item.id)).inserted
    }

    func failsAgain(_ stage: Int, _ item: Item, _ times: Int) -> Bool {
        let letter = Letter(stage: stage, id: item.id)
        tried[letter, default: 0] += 1
        return tried[letter, default: 0] <= times
    }

    func isRetryDue(_ stage: Int, _ probability: Double) -> Bool {
        guard chance.happens(probability), retriesGiven[stage, default: 0] < 8 else { return false }
        retriesGiven[stage, default: 0] += 1
        return true
    }

    /// A plugin says that it cannot go on: a few times in a world.
    func isFatalDue(_ probability: Double) -> Bool {
        guard chance.happens(probability), fatalAnswers < 6 else { return false }
        fatalAnswers += 1
        return true
    }
}
