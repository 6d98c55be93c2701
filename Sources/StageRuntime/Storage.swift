import Glibc
import LinuxIO
import StageLog
import StageModel
import StageScheduler
import Synchronization

/// The storage thread: entries go into logs and letters into theirs, in the order in which they were handed over; syncs are made for many at once.
///
/// The host thread hands over commands and collects replies; neither ever waits for the other. A command that meets a
/// full disk is tried again until there is room, and those behind it wait.
final class Storage: @unchecked Sendable {
    enum Command {
        case append(Commit, build: PluginBuild)
        case fetch(stage: Int, batch: UInt64)
        case fetchCheckpoint(WorkerID, stage: Int, batch: UInt64)
        case loaded(stage: Int, isStateful: Bool)
        /// Tell a worker that what it has sent ahead, and came before this, is in the log.
        case acknowledge(Page, slot: Int, count: UInt32)
        case flush
        case beginRetry(
            stage: Int, letters: LetterNumbers, firstBatch: UInt64, lastBatch: UInt64?, records: UInt32, bytes: UInt64)
        case fetchRetry(batch: UInt64)
        case discard(stage: Int, letters: LetterNumbers, request: UInt64)
        /// From the thread that syncs.
        case synced(SyncRound)
    }

    /// Syncs of all logs, made together, and what the logs had committed when they began.
    struct SyncRound: Sendable {
        /// By number of the log; that of the letters is -1. Upper stages come first, so that no log claims a batch that
        /// one above could lose.
        var syncs: [(log: Int, PendingSync)]
        var failures: [LogError?] = []
        var committed: [CommittedSet]
    }

    enum Reply {
        case appended(stage: Int, batch: UInt64)
        case partAppended(stage: Int, batch: UInt64)
        case fetched(stage: Int, batch: UInt64, [Payload])
        case checkpoint(WorkerID, stage: Int, CheckpointPayload?)
        case flushed
        case retryBegun(first: UInt64, LetterDesk.Begun)
        case retryFetched(batch: UInt64, [Payload])
        case discarded(stage: Int, LetterDesk.Discarded, request: UInt64)
        case stalled(String)
        case recovered
        case failed(LogError)
    }

    private struct Shared {
        var commands: [Command] = []
        var isStopping = false
        var replies: [Reply] = []
    }

    private let shared = Mutex(Shared())
    private let wakeStorage: WakeUp
    /// Readable when there are replies.
    let wakeHost: WakeUp

    // Below: only the storage thread, once it runs.
    private let logs: JobLogs
    private let letters: LetterLog
    private let sync: SyncPolicy
    private let keep: Bool
    private var dirtySince: UInt64?
    /// A round of syncs is under way beside this thread: results must not wait for the disk to get into the log.
    private var isSyncing = false
    private var credit = collectingNanoseconds * takesAtOnce
    private var lastTaken = monotonicNanoseconds()
    private static let collectingNanoseconds: UInt64 = 4_000_000
    private static let takesAtOnce: UInt64 = 16
    private var thread: Thread?

    init(logs: JobLogs, letters: LetterLog, sync: SyncPolicy, keep: Bool) throws(SystemError) {
        self.logs = logs
        self.letters = letters
        self.sync = sync
        self.keep = keep
        wakeStorage = try WakeUp()
        wakeHost = try WakeUp()
    }

    // MARK: - The host's side

    func start() throws(SystemError) { thread = try Thread.start { self.run() } }

    func submit(_ commands: [Command]) {
        let first = shared.withLock { shared in
            defer { shared.commands.append(contentsOf: commands) }
            return shared.commands.isEmpty
        }
        if first { wakeStorage.signal() }
    }

    func takeReplies() -> [Reply] {
        wakeHost.clear()
        return shared.withLock { shared in
            let replies = shared.replies
            shared.replies = []
            return replies
        }
    }

    /// Ends the thread after what was handed over is done, as far as the disk lets it.
    func stop() {
        shared.withLock { $0.isStopping = true }
        wakeStorage.signal()
        thread.take()?.join()
    }

    // MARK: - The storage thread

    private var desk: LetterDesk { LetterDesk(logs: logs, letters: letters) }

    private func run() {
        while true {
            collect()
            let (commands, isStopping) = shared.withLock { shared in
                let commands = shared.commands
                shared.commands = []
                return (commands, shared.isStopping)
            }
            if commands.isEmpty, isStopping, !isSyncing { break }
            perform(commands)
            syncIfDue()
            waitForCommands()
        }
        // A sealed log vouches for all of itself: what is damaged later is told from what a crash tore off.
        attempt { () throws(LogError) in
            if sync != .never { try syncAll() }
            try letters.log.seal()
            try logs.ledger.seal()
            for log in logs.logs { try log.seal() }
        }
    }

    /// Waits a moment before more commands are taken, once they have come one after the other for a while: what is collected
    /// goes to the disk in larger pieces, and wakes two threads once.
    private func collect() {
        guard sync != .everyBatch, shared.withLock({ !$0.commands.isEmpty && !$0.isStopping }) else { return }
        let now = monotonicNanoseconds()
        credit = min(credit + (now - lastTaken), Self.collectingNanoseconds * Self.takesAtOnce)
        lastTaken = now
        if credit < Self.collectingNanoseconds {
            usleep(UInt32((Self.collectingNanoseconds - credit) / 1_000))
            lastTaken = monotonicNanoseconds()
            credit = Self.collectingNanoseconds
        }
        credit -= Self.collectingNanoseconds
    }

    private func waitForCommands() {
        let isEmpty = shared.withLock { $0.commands.isEmpty && (!$0.isStopping || isSyncing) }
        guard isEmpty else { return }
        var timeout: Int32 = -1
        if let dirtySince, !isSyncing, case .interval(let interval) = sync {
            let due = dirtySince + interval
            let now = monotonicNanoseconds()
            timeout = due > now ? Int32(clamping: (due - now) / 1_000_000 + 1) : 0
        }
        var wait = pollfd(fd: wakeStorage.descriptor.number, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&wait, 1, timeout)
        wakeStorage.clear()
    }

    /// Appends what stands at the beginning of `commands`, the entries of a log together, upper stages first: no log claims a batch
    /// that one above lacks.
    ///
    /// - Returns: What stands behind it.
    private func append(_ commands: ArraySlice<Command>, lettersAreSafe: Bool, _ replies: inout [Reply]) -> ArraySlice<Command> {
        var commits = logs.logs.map { _ in [Commit]() }
        var rest = commands
        while case .append(let commit, _) = rest.first {
            rest.removeFirst()
            if commit.letters.isEmpty || lettersAreSafe { commits[commit.stage].append(commit) }
        }
        let seconds = UInt32(clamping: time(nil))
        for var commits in commits where !commits.isEmpty {
            var done = 0
            while done < commits.count {
                let isDone = attempt { () throws(LogError) in try logs.append(commits, done: &done, seconds: seconds) }
                if !isDone { commits.remove(at: done) }
            }
            if done > 0, dirtySince == nil { dirtySince = monotonicNanoseconds() }
            for commit in commits[..<done] {
                replies.append(
                    commit.isWhole
                        ? .appended(stage: commit.stage, batch: commit.batch)
                        : .partAppended(stage: commit.stage, batch: commit.batch))
            }
        }
        return rest
    }

    private func perform(_ commands: [Command]) {
        var replies: [Reply] = []
        let lettersAreSafe = storeLetters(of: commands)
        var rest = commands[...]
        while true {
            rest = append(rest, lettersAreSafe: lettersAreSafe, &replies)
            guard let command = rest.popFirst() else { break }
            switch command {
            case .append: break  // none is left at the beginning
            case .fetch(let stage, let batch):
                attempt { () throws(LogError) in
                    replies.append(.fetched(stage: stage, batch: batch, try logs.output(of: batch, stage: stage)))
                }
            case .fetchCheckpoint(let worker, let stage, let batch):
                attempt { () throws(LogError) in
                    replies.append(.checkpoint(worker, stage: stage, try logs.checkpoint(of: batch, stage: stage)))
                }
            case .synced(let round):
                isSyncing = false
                attempt { () throws(LogError) in try finish(round) }
            case .acknowledge(let page, let slot, let count): page.acknowledge(slot: slot, count: count)
            case .beginRetry(let stage, let wanted, let first, let last, let records, let bytes):
                attempt { () throws(LogError) in
                    let begun = try desk.begin(
                        wanted, stage: stage, firstBatch: first, lastBatch: last, records: records, bytes: bytes)
                    replies.append(.retryBegun(first: first, begun))
                }
            case .fetchRetry(let batch):
                attempt { () throws(LogError) in replies.append(.retryFetched(batch: batch, try desk.input(of: batch))) }
            case .discard(let stage, let wanted, let request):
                attempt { () throws(LogError) in
                    replies.append(.discarded(stage: stage, try desk.discard(wanted, stage: stage), request: request))
                }
            case .loaded(let stage, let isStateful): logs.isStateful[stage] = isStateful
            case .flush:
                if sync != .never { attempt { () throws(LogError) in try syncAll() } }
                replies.append(.flushed)
            }
        }
        if sync == .everyBatch, dirtySince != nil { attempt { () throws(LogError) in try syncAll() } }
        reply(replies)
    }

    /// Writes the letters of all commits and makes them durable, before any entry claims their failures.
    ///
    /// An entry may reach the disk at any moment after it was written: when its segment is sealed, or because the system
    /// writes it back. After a power loss a claim without its letter would be a record that is lost without a trace.
    private func storeLetters(of commands: [Command]) -> Bool {
        var areSafe = true
        var areThere = false
        for case .append(let commit, let build) in commands where !commit.letters.isEmpty {
            areThere = true
            let seconds = UInt32(clamping: time(nil))
            let commit = commit.naming(framesOf: build.path)
            areSafe =
                attempt { () throws(LogError) in try letters.append(commit, digest: build.digest, ledger: logs.ledger, seconds: seconds) } && areSafe
        }
        guard areThere, areSafe, sync != .never else { return areSafe }
        return attempt { () throws(LogError) in try letters.sync() }
    }

    private func syncIfDue() {
        guard let dirtySince, !isSyncing, case .interval(let interval) = sync,
            monotonicNanoseconds() >= dirtySince + interval
        else { return }
        attempt { () throws(LogError) in try beginSync() }
    }

    private func beginSync() throws(LogError) {
        var round = SyncRound(syncs: [], committed: logs.committedNow)
        if let sync = try letters.log.beginSync() { round.syncs.append((-1, sync)) }
        for (index, log) in logs.logs.enumerated() {
            if let sync = try log.beginSync() { round.syncs.append((index, sync)) }
        }
        dirtySince = nil
        isSyncing = true
        let perform: @Sendable () -> Void = { [round] in
            var done = round
            done.failures = round.syncs.map { $0.1.perform() }
            self.submit([.synced(done)])
        }
        // Where there is no room for another thread, results wait for the disk.
        if (try? Thread.start(perform)) == nil { perform() }
    }

    private func finish(_ round: SyncRound) throws(LogError) {
        for (sync, failure) in zip(round.syncs, round.failures) {
            let log = sync.log < 0 ? letters.log : logs.logs[sync.log]
            try log.finishSync(sync.1, failure: failure)
        }
        if !keep { try logs.retire(round.committed) }
    }

    private func syncAll() throws(LogError) {
        try letters.sync()
        try logs.sync()
        dirtySince = nil
        if !keep { try logs.retire(logs.committedNow) }
    }

    /// Does something until the disk has room for it; anything but a full disk is reported and not tried again.
    @discardableResult
    private func attempt(_ body: () throws(LogError) -> Void) -> Bool {
        var isStalled = false
        while true {
            do throws(LogError) {
                try body()
                if isStalled { reply([.recovered]) }
                return true
            } catch {
                guard error.code == .full else {
                    reply([.failed(error)])
                    return false
                }
                if !isStalled { reply([.stalled("no room on the disk: \(error)")]) }
                isStalled = true
                if shared.withLock({ $0.isStopping }) { return false }
                var none = pollfd(fd: -1, events: 0, revents: 0)
                _ = unsafe poll(&none, 1, 250)
            }
        }
    }

    private func reply(_ replies: [Reply]) {
        guard !replies.isEmpty else { return }
        shared.withLock { $0.replies.append(contentsOf: replies) }
        wakeHost.signal()
    }
}
