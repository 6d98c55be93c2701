import StageModel

@testable import StageScheduler

// What a plugin does with records.

extension Worker {
    func begin(_ run: Run) {
        run.lastBeat = world.now
        if dies() { return die(.signal(11)) }
        if world.isRetryDue(stage, plan.retries) {
            runs.removeAll { $0 === run }
            endedWell = false
            reply(run.dispatch, .retry, Outcome(), milliseconds: world.chance.happens(0.5) ? 20 : 0)
            return serve()
        }
        if !run.isReplay, world.chance.happens(plan.rejects) {
            for index in run.left {
                world.ledger.rejected.insert(Letter(stage: stage, id: run.items[Int(index)].id))
            }
            runs.removeAll { $0 === run }
            endedWell = false
            world.count("rejected")
            reply(run.dispatch, .reject, Outcome())
            return serve()
        }
        if world.isFatalDue(plan.fatals) {
            runs.removeAll { $0 === run }
            endedWell = false
            reply(run.dispatch, .fatal, Outcome())
            return serve()
        }
        if facts.flags.contains(.recordByRecord) {
            step(run)
        } else {
            later(pause) { [self] in whole(run, from: 0) }
        }
    }

    /// A plugin that takes the batch as a whole.
    private func whole(_ run: Run, from start: Int) {
        for position in start..<run.left.count {
            let item = run.items[Int(run.left[position])]
            if isSlow(item, run, { self.whole(run, from: position + 1) }) || isFatal(item) { return }
        }
        for index in run.left { work(on: index, run) }
        end(run)
    }

    private func step(_ run: Run) {
        guard let index = run.left.first else { return end(run) }
        run.begun = index
        later(pause) { [self] in
            let item = run.items[Int(index)]
            if isSlow(item, run, { self.finishStep(index, run) }) || isFatal(item) { return }
            finishStep(index, run)
        }
    }

    private func finishStep(_ index: UInt32, _ run: Run) {
        work(on: index, run)
        run.left.removeFirst()
        run.begun = nil
        if let timeout = plan.policy.timeoutNanoseconds, world.now - run.lastBeat > timeout / 4 { beat(run) }
        if world.chance.happens(plan.givesPartials), !run.left.isEmpty { sendPartial(run) }
        step(run)
    }

    private func beat(_ run: Run) {
        run.lastBeat = world.now
        tell(.heartbeat(id, run.dispatch))
    }

    /// Takes its time, and says so.
    private func isSlow(_ item: Item, _ run: Run, _ body: @escaping () -> Void) -> Bool {
        guard world.plan.deed(of: item, at: stage) == .slow, let timeout = plan.policy.timeoutNanoseconds else {
            return false
        }
        func wait(_ left: Int) {
            guard left > 0 else { return body() }
            later(timeout / 2) { [self] in
                beat(run)
                wait(left - 1)
            }
        }
        beat(run)
        wait(4)
        return true
    }

    /// Dies, hangs or takes all memory, if the record makes it.
    private func isFatal(_ item: Item) -> Bool {
        switch world.plan.deed(of: item, at: stage) {
        case .poison: die(world.chance.one(of: [.signal(11), .signal(6), .exit(0), .exit(3), .garbage("nonsense")]))
        case .flaky where world.isFirstTime(stage, item): die(.signal(11))
        case .hang: break
        case .balloon: tell(.memory(id, bytes: 2 << 30))
        default: return false
        }
        return true
    }

    private func work(on index: UInt32, _ run: Run) {
        let item = run.items[Int(index)]
        run.outcome.covered.insert(index)
        if build == .failsMore, !run.isReplay, world.chance.happens(0.5) {
            world.ledger.failedByBuild.insert(Letter(stage: stage, id: item.id))
            run.outcome.failures.append(RecordFailure(input: index, kind: .permanent, message: "this build cannot"))
            return
        }
        switch world.plan.deed(of: item, at: stage) {
        case .permanent:
            run.outcome.failures.append(RecordFailure(input: index, kind: .permanent, message: "bad"))
            return
        case .transient(let times) where world.failsAgain(stage, item, times):
            run.someComeAgain = true
            run.outcome.failures.append(
                RecordFailure(
                    input: index, kind: .transient, retryAfterMilliseconds: world.chance.happens(0.3) ? 30 : 0,
                    message: "busy"))
            return
        default: break
        }
        if !run.isReplay {
            let counts = plan.keepsResults
            world.expect(
                !counts || !world.ledger.isCommitted(item, stage), "stage \(stage) works again on a committed record")
            world.ledger.succeeded(item, stage, counts: counts)
            run.untold.append(item)
        }
        if plan.policy.kind == .sink {
            run.written.append(item)
            switch plan.sink {
            case .truncating: world.store.append(item)
            case .writeThrough, .unordered:
                world.store.append(item)
                world.store.sync()
            case .buffering, .lateTransactional: buffer.append((run.batch, item))
            case .transactional: break
            }
            return
        }
        let results = world.plan.results(of: item, at: stage, state: sum)
        if plan.isStateful { sum = sum &+ item.value }
        if !results.isEmpty {
            run.outcome.passed += 1
            if !run.isReplay { run.output += results.map { (index, $0) } }
        }
    }

    func takeOutcome(_ run: Run) -> Outcome {
        var outcome = run.outcome
        told += run.untold
        run.untold = []
        run.outcome = Outcome()
        if !run.output.isEmpty { outcome.output = Block(run.output) }
        run.output = []
        return outcome
    }

    func sendPartial(_ run: Run) {
        tell(.partial(id, run.dispatch, takeOutcome(run)))
    }

    func end(_ run: Run) {
        var outcome = takeOutcome(run)
        if plan.isStateful, world.chance.happens(run.wantsCheckpoint ? plan.snapshots : 0.05) {
            outcome.checkpoint = Checkpoint(sum: sum)
        }
        if plan.policy.kind == .sink {
            if plan.sink == .transactional { world.store.commit(run.written, batch: run.batch) }
            if plan.sink == .truncating || plan.sink == .writeThrough {
                outcome.checkpoint = Checkpoint(position: world.store.rows.count)
            }
        }
        runs.removeAll { $0 === run }
        endedWell =
            !run.someComeAgain
            && (plan.policy.kind != .sink || !plan.functions.contains(.sync) || outcome.checkpoint != nil)
        reply(run.dispatch, .ok, outcome)
        if let soft = plan.policy.softMemoryBytes {
            residentBytes += soft / 4
            tell(.memory(id, bytes: residentBytes))
        }
        serve()
    }
}
