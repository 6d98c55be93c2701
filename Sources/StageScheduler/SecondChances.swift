import StageModel

// Dead letters that are tried again. They come in batches of their own: a batch of the source without a record, which is empty
// until the stage where its letters failed; there the letters are its input, and from there on it is a batch like any other. So
// its number is new, it has its place in the order of each log, and a death of everything finds it like the others.
//
// While the source goes on such a batch gets the source's next number. Behind the source's last batch come the finish
// batches of the stages, then those of letters; a stage has *void* batches at the numbers of the finishes below it, so that
// no log has a gap.

/// A batch of letters that are tried again.
package struct RetryBatch: Sendable, Equatable {
    /// Where the letters failed, and come in.
    package var stage: Int
    package var records: UInt32

    package init(stage: Int, records: UInt32) {
        self.stage = stage
        self.records = records
    }
}

/// Letters that somebody wants tried again, and that are dead until they have a batch.
struct RetryWish {
    var stage: Int
    var letters: LetterNumbers
    var request: UInt64
    var begun: UInt64 = 0
    /// Not dead any more, or of another stage.
    var refused: UInt64 = 0
}

extension Scheduler {
    // MARK: - Numbers

    /// The last number that there is for a stage; nil while the source has not ended.
    func finalInput(of stage: StageState) -> UInt64? {
        guard let lastBatch else { return nil }
        return lastRetry >= lastBatch + UInt64(stages.count) ? lastRetry : lastBatch + UInt64(stage.index)
    }

    /// Whether nothing more will come for a stage.
    func hasTakenAll(_ stage: StageState) -> Bool { finalInput(of: stage).map { stage.nextInput > $0 } ?? false }

    /// Whether the number is that of the finish of a stage below: there is nothing to do.
    func isVoid(_ batch: UInt64, of stage: StageState) -> Bool {
        guard let lastBatch else { return false }
        return batch > lastBatch + UInt64(stage.index) && batch < lastBatch + UInt64(stages.count)
    }

    /// Whether a stage gets the batch from the one above it.
    func comesFromAbove(_ batch: UInt64, to stage: StageState) -> Bool {
        !isFinish(batch, of: stage) && !isVoid(batch, of: stage)
    }

    // MARK: - Wishes

    func retryAsked(stage index: Int, letters: LetterNumbers, request: UInt64) {
        guard stages.indices.contains(index), !letters.isEmpty else {
            return reply(request, true, "no letters to try again")
        }
        guard mode == .running else { return reply(request, false, "the job is ending; give the command again when it has ended") }
        retryWishes.append(RetryWish(stage: index, letters: letters, request: request))
    }

    /// Gives the next letters their batches, at a moment when the source stands between two of its own.
    func beginRetries() {
        guard started, mode == .running, isEveryPluginKnown, beginningRetry == nil else { return }
        while let wish = retryWishes.first, let refusal = refusal(of: wish) {
            retryWishes.removeFirst()
            reply(wish.request, false, refusal)
        }
        guard let wish = retryWishes.first else { return }
        let source = stages[0]
        guard lastRetry < source.nextInput else { return }
        let first: UInt64
        if let lastBatch {
            first = max(lastBatch + UInt64(stages.count), lastRetry + 1)
        } else {
            guard awaitsRetry(source) else { return }
            first = source.nextInput
        }
        beginningRetry = first
        actions.append(
            .beginRetry(
                stage: wish.stage, letters: wish.letters, firstBatch: first, lastBatch: lastBatch,
                records: policy.batchRecords, bytes: policy.batchBytes))
    }

    /// Whether the source waits for letters to get the next number, and nothing is on its way that could get it.
    private func awaitsRetry(_ source: StageState) -> Bool {
        holdsReads(source) && source.workers.allSatisfy { $0.outstanding.isEmpty || $0.phase == .dying }
    }

    /// Whether the source must not read on, because the next number is for letters.
    func holdsReads(_ source: StageState) -> Bool {
        beginningRetry != nil || !retryWishes.isEmpty && source.nextInput > recoveredLast && skipLeft == 0
    }

    private func refusal(of wish: RetryWish) -> String? {
        let name = stages[wish.stage].policy.name
        if wish.stage == 0 {
            return "what the source \"\(name)\" could not read cannot be tried again alone: mend its input, and start over with `run --fresh`"
        }
        guard lastBatch != nil else { return nil }
        let done = stages[wish.stage...].first { $0.isStateful && $0.facts?.functions.contains(.finish) ?? false }
        return done.map {
            "stage \"\($0.policy.name)\" sums up its whole input, and the input has ended: letters of \($0 === stages[wish.stage] ? "it" : "\"\(name)\"") cannot be tried again; mend the cause, and start over with `run --fresh`"
        }
    }

    /// Letters have their batches, and that is written down for good.
    func retryBegun(first: UInt64, counts: [UInt32], rest: LetterNumbers, refused: UInt64, _ categories: [String: UInt64]) {
        guard beginningRetry == first, var wish = retryWishes.first else { return }
        beginningRetry = nil
        leaveDead(categories, stages[wish.stage])
        for (offset, count) in counts.enumerated() {
            enter(RetryBatch(stage: wish.stage, records: count), at: first + UInt64(offset))
            wish.begun += UInt64(count)
        }
        wish.refused += refused
        wish.letters = rest
        guard rest.isEmpty else {
            retryWishes[0] = wish
            return
        }
        retryWishes.removeFirst()
        var words = "\(wish.begun) \(wish.begun == 1 ? "letter" : "letters") of stage \"\(stages[wish.stage].policy.name)\" tried again"
        if wish.refused > 0 { words += "; \(wish.refused) were dead no more" }
        reply(wish.request, true, words)
    }

    /// The letters leave the dead: they are on their way again, like records that were just read.
    private func enter(_ retry: RetryBatch, at batch: UInt64) {
        let stage = stages[retry.stage]
        retries[batch] = retry
        lastRetry = max(lastRetry, batch)
        let count = min(UInt64(retry.records), stage.counts.failed, stage.counts.inputs)
        stage.counts.inputs -= count
        stage.counts.failed -= count
        if var swap = stage.swap {
            swap.before.inputs -= min(count, swap.before.inputs)
            swap.before.failed -= min(count, swap.before.failed)
            stage.swap = swap
        }
        note(.lettersRetried(stage: stage.index, batch: batch, letters: UInt64(retry.records)))
    }

    /// Letters of these categories are dead no more.
    private func leaveDead(_ categories: [String: UInt64], _ stage: StageState) {
        for (category, count) in categories {
            let left = (stage.failedBy[category] ?? 0) - min(count, stage.failedBy[category] ?? 0)
            stage.failedBy[category] = left == 0 ? nil : left
        }
    }

    /// Dead letters that are to be tried again do not count against the limits any more.
    func failedForGood(_ stage: StageState) -> UInt64 {
        let waiting = retryWishes.reduce(UInt64(0)) { $1.stage == stage.index ? $0 + min($1.letters.count, stage.counts.failed) : $0 }
        return stage.counts.failed - min(waiting, stage.counts.failed)
    }

    func refuseRetries(_ why: String) {
        for wish in retryWishes { reply(wish.request, false, why) }
        retryWishes = []
    }

    // MARK: - The batches

    /// Lets a batch without a record of the source pass by it: one of letters, or a void one.
    ///
    /// - Returns: Whether the batch is one of these.
    func passBySource(_ batch: UInt64, _ source: StageState) -> Bool {
        guard batch <= lastRetry, retries[batch] != nil || isVoid(batch, of: source) else { return false }
        for worker in source.workers where worker.position == batch - 1 { worker.position = batch }
        source.nextInput = batch + 1
        if source.checkpoint != nil { source.checkpointBatch = batch }
        if comesFromAbove(batch, to: stages[1]) { source.finished[batch] = Finished(payloads: [], records: 0) }
        append(
            Commit(
                stage: 0, batch: batch, isWhole: true, inputs: 0, covered: IndexRanges(), passed: 0, filtered: 0, failed: 0,
                outputs: 0, output: [], letters: [], input: [], checkpoint: source.checkpoint, metrics: [:], isFinish: false),
            of: source)
        return true
    }

    /// Takes a void batch, once the stage above has it.
    func takeVoid(_ batch: UInt64, _ stage: StageState) -> Bool {
        let above = stages[stage.index - 1]
        return above.committed.contains(batch) || above.appending[batch] != nil
    }

    /// The letters that a batch brings to a stage: nil while they are being read; `.some(nil)`: it brings none.
    func lettersFor(_ batch: UInt64, _ stage: StageState) -> Finished?? {
        guard let retry = retries[batch], retry.stage == stage.index else { return .some(nil) }
        if let letters = retryInputs[batch] { return letters }
        if fetchingRetries.insert(batch).inserted { actions.append(.fetchRetry(batch: batch)) }
        return nil
    }

    func retryFetched(_ batch: UInt64, _ payloads: [Payload]) {
        guard fetchingRetries.remove(batch) != nil, let retry = retries[batch] else { return }
        let records = payloads.reduce(UInt64(0)) { $0 + $1.recordCount }
        guard records == UInt64(retry.records) else {
            return fail(.broken("batch \(batch) brings \(retry.records) letters, but \(records) of them can be read"))
        }
        retryInputs[batch] = Finished(payloads: payloads, records: records)
    }

    // MARK: - Discarding

    func discardAsked(stage index: Int, letters: LetterNumbers, request: UInt64) {
        guard stages.indices.contains(index), !letters.isEmpty else { return reply(request, true, "no letters to discard") }
        guard !mode.isEnding else { return reply(request, false, "the job is ending; give the command again when it has ended") }
        discarding += 1
        actions.append(.discard(stage: index, letters: letters, request: request))
    }

    func discarded(stage index: Int, letters: UInt64, refused: UInt64, _ categories: [String: UInt64], request: UInt64) {
        guard stages.indices.contains(index) else { return }
        discarding -= min(discarding, 1)
        let stage = stages[index]
        leaveDead(categories, stage)
        let count = min(letters, stage.counts.failed)
        stage.counts.failed -= count
        stage.discarded += count
        if var swap = stage.swap {
            swap.before.failed -= min(count, swap.before.failed)
            stage.swap = swap
        }
        if count > 0 { note(.lettersDiscarded(stage: index, letters: count)) }
        var words = "\(letters) \(letters == 1 ? "letter" : "letters") of stage \"\(stage.policy.name)\" discarded"
        if refused > 0 { words += "; \(refused) were dead no more" }
        reply(request, true, words)
    }
}
