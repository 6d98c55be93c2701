// A pause: what it waits for, and workers that leave meanwhile.

/// Somebody who wants to know when nothing is in hand any more.
struct PauseRequest {
    var request: UInt64
    /// Has heard that it takes a moment.
    var isTold = false
}

extension Scheduler {
    func pauseAsked(release: Bool, request: UInt64) {
        if pauseReason == nil { note(.paused("as asked")) }
        pauseReason = "as asked"
        if release { isReleasing = true }
        if request != 0 { pauseRequests.append(PauseRequest(request: request)) }
    }

    func unpauseAsked() {
        if pauseReason != nil { note(.resumed) }
        pauseReason = nil
        for waiting in pauseRequests {
            actions.append(.reply(waiting.request, ok: false, message: "somebody has resumed the job meanwhile", isLast: true))
        }
        pauseRequests = []
        guard isReleasing else { return }
        isReleasing = false
        // Nobody has died: those that come now take nobody's place.
        for stage in stages { stage.newPlaces = max(0, stage.wantedWorkers - stage.workers.count { $0.isServing }) }
    }

    /// Whether the workers of a stage are to be gone. One that another build is to take over is left alone until it has.
    func isReleased(_ stage: StageState) -> Bool { isReleasing && stage.swap?.isProbation ?? true }

    /// Lets workers leave where a pause asks for it, and answers when the pause has come to rest.
    func settlePause() {
        guard pauseReason != nil, mode == .running else { return }
        if isReleasing { for stage in stages where isReleased(stage) { release(stage) } }
        let isAtRest = isQuiet && (!isReleasing || stages.allSatisfy { !isReleased($0) || $0.workers.isEmpty })
        for index in pauseRequests.indices {
            let request = pauseRequests[index].request
            if isAtRest {
                let words = isReleasing ? "paused, and its workers have left" : "paused"
                actions.append(.reply(request, ok: true, message: words + "; `stagehost resume` goes on", isLast: true))
            } else if !pauseRequests[index].isTold {
                pauseRequests[index].isTold = true
                actions.append(.reply(request, ok: true, message: "pausing: what is in hand is finished first", isLast: false))
            }
        }
        if isAtRest { pauseRequests = [] }
    }

    /// What a worker has done and no log has yet would have to be done again.
    private func release(_ stage: StageState) {
        guard stage.unsynced.isEmpty, !stage.isWithinBatch else { return }
        for worker in stage.workers where worker.outstanding.isEmpty { leave(worker) }
    }
}
