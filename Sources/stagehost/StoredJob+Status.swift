import Glibc
import LinuxIO
import StageConfig
import StageControl
import StageLog
import StageModel
import StageReport
import StageRuntime
import StageScheduler

extension StoredJob {
    /// The job's status: of a running one from its host, else from the logs and from what its host wrote last.
    func status() throws(CommandFailure) -> StoredStatus {
        if let live = try liveStatus() { return live }
        return status(from: try snapshot())
    }

    /// How long a host has to answer. One that does not (it is stopped, it begins or ends) is not waited for.
    private static let patienceSeconds = 1.0

    /// What the job's host says now; nil when none runs, or it does not answer soon.
    func liveStatus() throws(CommandFailure) -> StoredStatus? {
        if let pipelineFailure { throw pipelineFailure }
        guard isRunning, let pipeline else { return nil }
        let live = hostStatus(timeoutSeconds: Self.patienceSeconds)
        guard let live, case .string(name)? = live["job"] else { return nil }
        return StoredStatus(
            job: name, live: live,
            stages: pipeline.stages.enumerated().map { index, stage in
                (stage.name.value, plugin(of: stage)?.name ?? stage.plugin.value, kind(index))
            })
    }

    func status(from snapshot: JobSnapshot?) -> StoredStatus {
        let word = lastWord
        let recovery = snapshot?.recovery
        var stages: [StoredStatus.Stage] = []
        for (index, stage) in (pipeline?.stages ?? []).enumerated() {
            let recovered = recovery?.stages[index]
            let through = recovered?.committed.through ?? 0
            let isDone = recovery?.finalInput(of: index).map { through >= $0 } ?? false
            let use = plugin(of: stage)
            stages.append(
                StoredStatus.Stage(
                    name: stage.name.value, plugin: use?.name ?? stage.plugin.value, digest: use?.digest, origin: use?.origin,
                    remark: use?.remark, kind: kind(index),
                    counts: recovered?.counts ?? Counts(), discarded: recovered?.discarded ?? 0,
                    metrics: recovered?.metrics ?? [:],
                    batches: through + UInt64(recovered?.committed.beyond.count ?? 0), committedThrough: through,
                    isDone: isDone))
        }
        let isComplete = recovery?.isComplete ?? false
        let state = state(isComplete: isComplete, word: word)
        return StoredStatus(
            job: name, state: state, message: isRunning || state == "complete" ? nil : record?.endMessage,
            isRunning: isRunning, sourceHasEnded: recovery?.lastBatch != nil, stages: stages, lastWord: word)
    }

    func kind(_ index: Int) -> StageKind {
        index == 0 ? .source : index == (pipeline?.stages.count ?? 0) - 1 ? .sink : .transform
    }

    /// The logs say whether a job is complete; a host that lives says how it is; a record that has no end is that of a
    /// host that was killed.
    private func state(isComplete: Bool, word: JSONValue?) -> String {
        if isRunning {
            if case .string(let said) = word?["state"], ["paused", "holding"].contains(said) { return said }
            return "running"
        }
        switch (record?.rest, record?.endState) {
        case (.stopped, _): return "stopped"
        case (.paused, _): return "paused"
        case (_, "failed"): return "failed"
        default: return isComplete ? "complete" : "interrupted"
        }
    }

    /// When something was last written down; nil: never.
    func updated(_ snapshot: JobSnapshot?) -> Int64? {
        let logged = snapshot?.logs.logs.map { Int64($0.lastWrite) }.max() ?? 0
        return max(logged, FileFacts(of: JobRecord.path(folder))?.modifiedSeconds ?? 0).asTime
    }
}

extension Int64 {
    /// Seconds since 1970; 0 is no time.
    fileprivate var asTime: Int64? { self > 0 ? self : nil }
}

extension JobRecovery {
    /// Whether the job is done, to its sink's last batch.
    var isComplete: Bool {
        guard let final = finalInput(of: stages.count - 1), let sink = stages.last else { return false }
        return sink.committed.through >= final
    }
}
