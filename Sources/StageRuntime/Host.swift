import Glibc
package import LinuxIO
package import StageConfig
import StageControl
package import StageLog
package import StageModel
package import StageScheduler
import StageWire

/// The event loop: one thread that waits for pipes, processes, signals, time and the storage thread, tells the scheduler
/// what happened and does what it says. Handlers are short; none waits.
package final class Host {
    /// Tokens of the poller that belong to no worker; workers count from 1, with two bits for the channel.
    private enum Token {
        static let timer: UInt64 = 0
        static let signals: UInt64 = 1
        static let storage: UInt64 = 2
        static let tick: UInt64 = 3
    }

    private static let tickNanoseconds: UInt64 = 100_000_000
    /// Frames taken from one worker before the others have their turn.
    private static let framesInARow = 16
    /// Payloads that are made while no more is read, and rooms larger than what was put into them.
    private static let payloadMemoryBeyondBudget = 8 << 20
    /// What a worker that hangs has to say where; and to write a core besides.
    private static let abortGraceNanoseconds: UInt64 = 250_000_000
    private static let coreGraceNanoseconds: UInt64 = 20_000_000_000
    /// Ticks after a death at which is looked for processes that it has left behind.
    private static let strayTicks = 20

    /// Signals that end a host, and those that ask something of it: a host that only begins must not die of the latter.
    private static let drains = [SIGINT, SIGTERM]
    package static let questions = [SIGHUP, SIGUSR1]

    private var setup: HostSetup
    private let scheduler: Scheduler
    private let storage: Storage
    private let poller: Poller
    private let timer: MonotonicTimer
    private let tick: MonotonicTimer
    private let signals: SignalReader
    private weak var observer: (any HostObserver)?
    private var workers: [UInt64: WorkerProcess] = [:]
    private var textFiles: [StageTextFile]
    /// The builds of each stage's plugin, in the order in which they were brought in; 0 is the one to begin with.
    private var builds: [[PluginBuild]]
    /// The number of the build that serves each stage.
    private var serving: [Int]
    private let environment: [String]
    private var pending: [Event] = []
    /// For the storage thread, at the end of this turn.
    private var handed: [Storage.Command] = []
    /// Workers that wait to hear that what they sent ahead is in the log.
    private var acknowledgements: [(WorkerProcess, slot: Int)] = []
    private var armed: UInt64?
    private var ending: RunEnd?
    private var interrupts = 0
    private let hadTerminal = isatty(STDERR_FILENO) == 1
    private var startedAt: UInt64
    private var timeLimitAt: UInt64?
    /// Of a batch that is tried again: what earlier attempts at its records left behind.
    private var resumes: [ResumeKey: [UInt32: [UInt8]]] = [:]
    /// What the logs cannot do any more, where that is why the run has ended.
    package private(set) var storageError: LogError?
    private var desk: ControlDesk?
    private var mark: HostMark?
    private var check: PluginCheck
    private var memoryKills = MemoryKills()
    private var strayTicksLeft = 0
    private var ticks = 0
    /// An operator has ended the job: it is not to be resumed.
    package internal(set) var isStoppedForGood = false

    /// Where large payloads travel; nil: through the pipes.
    private let payloads: PayloadMemory?
    /// What the blocks of an answer take, by stage: what it is given room for next.
    private var roomBytes: [Int]

    private struct ResumeKey: Hashable {
        var stage: Int
        var batch: UInt64
    }

    /// The build that serves each stage.
    package var servingBuilds: [PluginBuild] { zip(builds, serving).map { $0[$1] } }

    /// A build by its number.
    package func build(_ stage: Int, _ number: Int) -> PluginBuild? {
        builds.indices.contains(stage) && builds[stage].indices.contains(number) ? builds[stage][number] : nil
    }

    package init(
        setup: HostSetup, logs: JobLogs, letters: LetterLog, recovery: JobRecovery, observer: (any HostObserver)?,
        timeLimitNanoseconds: UInt64? = nil
    ) throws(SystemError) {
        self.setup = setup
        self.observer = observer
        scheduler = Scheduler(policy: setup.policy, recovery: recovery)
        storage = try Storage(logs: logs, letters: letters, sync: setup.policy.sync, keep: setup.keepsLogs)
        payloads = PayloadMemory(size: setup.policy.memoryBudgetBytes + Self.payloadMemoryBeyondBudget)
        roomBytes = setup.stages.map { _ in 0 }
        poller = try Poller()
        timer = try MonotonicTimer()
        tick = try MonotonicTimer()
        signals = try SignalReader(Self.drains + Self.questions)
        signal(SIGPIPE, SIG_IGN)
        builds = setup.stages.map { [$0.build] + ($0.trial.map { [$0] } ?? []) }
        serving = setup.stages.map { _ in 0 }
        textFiles = setup.stages.map { StageTextFile(path: setup.jobFolder + "/" + JobLayout.textFile($0.policy.name)) }
        var inherited = environmentStrings().filter {
            !$0.hasPrefix("SWIFT_BACKTRACE=") && !$0.hasPrefix("STAGEHOST_HOST_PID=") && !$0.hasPrefix("STAGEHOST_RUN=")
        }
        // The worker reports its own crashes, far faster than the runtime's backtracer does.
        inherited += [
            "SWIFT_BACKTRACE=enable=no", "STAGEHOST_HOST_PID=\(getpid())", "STAGEHOST_RUN=\(setup.runIdentity)",
        ]
        environment = inherited
        check = PluginCheck(kinds: setup.stages.map(\.policy.kind), objections: setup.objections)
        startedAt = monotonicNanoseconds()
        if let timeLimitNanoseconds { timeLimitAt = startedAt + timeLimitNanoseconds }
    }

    /// Letters that the run is to try again, by stage. Before `run`.
    package func tryAgain(_ letters: [Int: LetterNumbers]) {
        for (stage, numbers) in letters.sorted(by: { $0.key < $1.key }) {
            pending.append(.retry(stage: stage, letters: numbers, request: Self.ownRequest))
        }
    }

    /// Stands for a request that came from no client.
    private static let ownRequest = UInt64.max
    /// Why letters that the run was to try again were not.
    package private(set) var refusals: [String] = []

    /// Runs the job to its end. Blocks.
    package func run() throws(SystemError) -> RunEnd {
        becomeSubreaper()
        try storage.start()
        defer { storage.stop() }
        try poller.add(timer.descriptor.number, .readable, token: Token.timer)
        try poller.add(signals.descriptor.number, .readable, token: Token.signals)
        try poller.add(storage.wakeHost.descriptor.number, .readable, token: Token.storage)
        try poller.add(tick.descriptor.number, .readable, token: Token.tick)
        tick.set(startedAt + Self.tickNanoseconds)
        let mark = try HostMark(folder: setup.jobFolder)
        self.mark = mark
        // Whoever ends in order has interrupted nobody.
        defer { try? JobDirectory.clearPages(of: setup.jobFolder) }
        desk = try ControlDesk(folder: setup.jobFolder, poller: poller)
        // Nobody waits for the answer to these.
        for stage in setup.stages where stage.trial != nil { pending.append(.restart(stage: stage.policy.name, build: 1, request: 0)) }
        // Before anything is begun: a short job would be over at the first tick.
        measureMachineMemory()
        pending.append(.start)
        var ready: [(token: UInt64, Readiness)] = []
        while true {
            handlePending()
            handOver()
            if let ending {
                observer?.ticked(scheduler.status, isLast: true)
                killAllStrays()
                if let storageError { return .broken("\(storageError)") }
                return ending
            }
            armTimer()
            ready.removeAll(keepingCapacity: true)
            try poller.wait(into: &ready, timeoutMilliseconds: -1)
            for (token, readiness) in ready { dispatch(token, readiness) }
        }
    }

    private func measureMachineMemory() {
        guard setup.policy.memoryReserveBytes != nil, let bytes = MachineMemory().availableBytes else { return }
        pending.append(.availableMemory(bytes: bytes))
    }

    private var now: Moment { Moment(nanoseconds: monotonicNanoseconds()) }

    // MARK: - Events in, actions out

    private func handlePending() {
        while !pending.isEmpty, ending == nil {
            let events = pending
            pending.removeAll(keepingCapacity: true)
            for event in events {
                for action in scheduler.handle(event, at: now) { perform(action) }
            }
        }
    }

    /// Gives the storage thread what this turn of the loop has for it: one lock and one wake-up, however much it is.
    private func handOver() {
        guard !handed.isEmpty else { return }
        storage.submit(handed)
        handed.removeAll(keepingCapacity: true)
    }

    private func armTimer() {
        let due = scheduler.nextDeadline(after: now)?.nanoseconds
        guard due != armed else { return }
        armed = due
        timer.set(due)
    }

    private func perform(_ action: Action) {
        switch action {
        case .start(let id, let stage, let index, let build): start(id, stage, index, build)
        case .open(let id, let stage, let checkpoint): open(id, stage, checkpoint)
        case .send(let id, let dispatch, let request): send(id, dispatch, request)
        case .sendNext(let id, let dispatch, let request): send(id, dispatch, request, follows: true)
        case .close(let id):
            guard let worker = workers[id.number] else { return }
            worker.close()
            flush(worker)
        case .kill(let id, let cause):
            guard let worker = workers[id.number] else { return }
            worker.page.cancel()
            end(worker, for: cause)
        case .fetch(let stage, let batch): handed.append(.fetch(stage: stage, batch: batch))
        case .append(let commit):
            handed.append(.append(commit, build: builds[commit.stage][commit.build]))
        case .beginRetry(let stage, let letters, let first, let last, let records, let bytes):
            handed.append(
                .beginRetry(
                    stage: stage, letters: letters, firstBatch: first, lastBatch: last, records: records, bytes: bytes))
        case .fetchRetry(let batch): handed.append(.fetchRetry(batch: batch))
        case .discard(let stage, let letters, let request):
            handed.append(.discard(stage: stage, letters: letters, request: request))
        case .flush: handed.append(.flush)
        case .note(let note):
            observer?.noted(note)
            keepBuild(of: note)
        case .reply(Self.ownRequest, let ok, let message, _):
            if !ok { refusals.append(message) }
        case .reply(let request, let ok, let message, let isLast):
            desk?.reply(to: request, ControlReply(ok: ok, message, last: isLast), poller)
        case .deny(let request, let message): desk?.reply(to: request, .denial(message), poller)
        case .finished(let end): ending = end
        }
    }

    private func start(_ id: WorkerID, _ stage: Int, _ index: Int, _ build: Int) {
        let setup = setup.stages[stage]
        do throws(SystemError) {
            let worker = try WorkerProcess(
                id: id, stage: stage, index: index, build: build, program: self.setup.workerProgram, plugin: builds[stage][build].path,
                pagePath: pagePath(id, stage), slots: setup.policy.threads, folder: self.setup.folder,
                environment: environment + setup.limits, payloads: payloads)
            worker.reader.tellsEmitted = self.setup.tellsEveryRecord
            workers[id.number] = worker
            try poller.add(worker.child.pidfd.number, .readable, token: worker.token(.process))
            try poller.add(worker.answers.number, .readable, token: worker.token(.answers))
            try poller.add(worker.text.number, .readable, token: worker.token(.text))
        } catch {
            if let worker = workers.removeValue(forKey: id.number) { worker.kill() }
            pending.append(.exited(id, Death(cause: .lost("the worker could not be started: \(error)"))))
        }
    }

    /// Kills a worker. One that hangs is asked to show where first, if it is known which of its threads does.
    private func end(_ worker: WorkerProcess, for cause: DeathCause?) {
        let setup = setup.stages[worker.stage]
        guard cause == .timeout, setup.dumpsCore || setup.policy.threads == 1 else { return worker.kill() }
        worker.abort(killAfter: setup.dumpsCore ? Self.coreGraceNanoseconds : Self.abortGraceNanoseconds)
    }

    private func pagePath(_ id: WorkerID, _ stage: Int) -> String {
        "\(setup.jobFolder)/\(JobLayout.pages)/\(setup.stages[stage].policy.name).\(id.number).page"
    }

    private func open(_ id: WorkerID, _ stage: Int, _ checkpoint: OpenCheckpoint) {
        switch checkpoint {
        case .none: open(id, stage, from: nil)
        case .payload(let payload): open(id, stage, from: payload as? CheckpointPayload)
        case .stored(let batch): handed.append(.fetchCheckpoint(id, stage: stage, batch: batch))
        }
    }

    private func open(_ id: WorkerID, _ stage: Int, from checkpoint: CheckpointPayload?) {
        guard let worker = workers[id.number] else { return }
        let setup = setup.stages[stage]
        var parameters = OpenParameters()
        parameters.workerIndex = UInt32(worker.index)
        parameters.workerCount = UInt32(setup.policy.workers + setup.policy.standby)
        parameters.threads = UInt32(setup.policy.threads)
        worker.open(
            stageName: setup.policy.name, configuration: setup.configuration, checkpoint: checkpoint,
            parameters: parameters)
        flush(worker)
    }

    private func send(_ id: WorkerID, _ dispatch: DispatchID, _ request: Request, follows: Bool = false) {
        guard let worker = workers[id.number] else { return }
        if case .process(let batch, _, _, _, _, _, _) = request {
            worker.inheritedResumes = resumes[ResumeKey(stage: worker.stage, batch: batch)] ?? [:]
        }
        let bytes = roomBytes[worker.stage]
        let room = bytes > 0 ? payloads?.room(bytes, part: worker.stage, of: roomBytes.count) : nil
        worker.ask(dispatch, request, follows: follows, room: room)
        flush(worker)
    }

    /// Writes what the pipe takes; watches it only while it is full.
    private func flush(_ worker: WorkerProcess) {
        let transfer = worker.sender.flush(to: worker.requests)
        let isBlocked = transfer == .wouldBlock
        guard isBlocked != worker.isWaitingToWrite else { return }
        worker.isWaitingToWrite = isBlocked
        if isBlocked {
            try? poller.add(worker.requests.number, .writable, token: worker.token(.requests))
        } else {
            poller.remove(worker.requests.number)
        }
    }

    // MARK: - What is ready

    private func dispatch(_ token: UInt64, _ readiness: Readiness) {
        switch token {
        case Token.timer:
            timer.clear()
            armed = nil
            pending.append(.timer)
        case Token.signals: takeSignals()
        case Token.storage: takeReplies()
        case Token.tick: ticked()
        case ControlDesk.firstToken...:
            guard let desk, !desk.isResting else { return }
            let begun = monotonicNanoseconds()
            for request in desk.ready(token, readiness, poller) { carryOut(request) }
            desk.took(monotonicNanoseconds() - begun, poller)
        default:
            guard let worker = workers[token >> 2], let channel = WorkerProcess.Channel(rawValue: token & 3) else { return }
            switch channel {
            case .process: ended(worker)
            case .requests: flush(worker)
            case .answers: readAnswers(of: worker, atMost: Self.framesInARow)
            case .text: if !worker.readText(into: textFiles[worker.stage]), worker.textIsClosed { poller.remove(worker.text.number) }
            }
        }
        // An event's actions come before the next thing that is ready: it may speak of what they change.
        handlePending()
        // Behind the entries of what they acknowledge.
        for (worker, slot) in acknowledgements {
            handed.append(.acknowledge(worker.page, slot: slot, count: worker.partialsReceived[slot] ?? 0))
        }
        acknowledgements.removeAll(keepingCapacity: true)
    }

    private func readAnswers(of worker: WorkerProcess, atMost limit: Int) {
        var left = limit
        worker.receiver.lookAgain()
        while left > 0, !worker.answersAreClosed {
            left -= 1
            switch worker.receiver.next(from: worker.answers) {
            case .frame(let frame):
                if frame.header.type == .partial {
                    let slot = Int(frame.header.count)
                    guard slot < setup.stages[worker.stage].policy.threads else {
                        misbehaved(worker, .garbage("a partial frame of slot \(slot), which there is none of"))
                        return
                    }
                    worker.partialsReceived[slot, default: 0] &+= 1
                    acknowledgements.append((worker, slot))
                }
                let wasLoaded = worker.reader.identity.facts != nil
                do throws(WireError) {
                    if let event = try worker.reader.event(from: frame, of: worker.id) {
                        keepResumes(of: worker, event)
                        if case .result = event { learnRoom(of: worker) }
                        if case .loaded = event {
                            if let event = check.event(for: event, of: worker) { pending.append(event) }
                        } else {
                            pending.append(event)
                        }
                    }
                } catch {
                    misbehaved(worker, .garbage("\(error)"))
                    return
                }
                if !wasLoaded, let facts = worker.reader.identity.facts {
                    builds[worker.stage][worker.build].version = worker.reader.identity.version
                    handed.append(.loaded(stage: worker.stage, isStateful: facts.flags.contains(.stateful)))
                }
            case .drained: return
            case .closed:
                closeAnswers(of: worker)
                worker.closedAt = monotonicNanoseconds()
            case .invalid(let error): misbehaved(worker, .garbage("\(error)"))
            case .failed(let error): misbehaved(worker, .lost("its pipe failed: \(error)"))
            }
        }
    }

    /// A quarter more than what was last needed; less only little by little.
    private func learnRoom(of worker: WorkerProcess) {
        let bytes = worker.reader.blocksBytes
        let needed = bytes < WireLimits.sharedBlocksFrom ? 0 : bytes + bytes / 4
        let last = roomBytes[worker.stage]
        roomBytes[worker.stage] = max(needed, last - last / 16 - 1, 0)
    }

    private func misbehaved(_ worker: WorkerProcess, _ cause: DeathCause) {
        closeAnswers(of: worker)
        pending.append(.misbehaved(worker.id, cause))
    }

    private func closeAnswers(of worker: WorkerProcess) {
        guard !worker.answersAreClosed else { return }
        worker.answersAreClosed = true
        poller.remove(worker.answers.number)
    }

    /// Keeps the resume bytes of records that are not done: a later attempt gets them, in whatever worker.
    private func keepResumes(of worker: WorkerProcess, _ event: Event) {
        guard case .heartbeat(_, let dispatch) = event, let latest = worker.reader.resumes[dispatch],
            let batch = worker.reader.questions[dispatch]?.batch
        else { return }
        resumes[ResumeKey(stage: worker.stage, batch: batch), default: [:]].merge(latest) { $1 }
    }

    /// A process has ended: what it had sent is handed in first, then its group is killed, then it is buried.
    private func ended(_ worker: WorkerProcess) {
        readAnswers(of: worker, atMost: .max)
        while worker.readText(into: textFiles[worker.stage]) {}
        worker.child.killGroup()
        guard let status = worker.child.reap() else { return }
        let death = worker.death(status) { memoryKills.hasRisen() }
        poller.remove(worker.child.pidfd.number)
        closeAnswers(of: worker)
        if !worker.textIsClosed { poller.remove(worker.text.number) }
        if worker.isWaitingToWrite { poller.remove(worker.requests.number) }
        workers[worker.id.number] = nil
        pending.append(.exited(worker.id, death))
        // First its batch goes to somebody else, then its traces are removed.
        handlePending()
        _ = unsafe unlink(pagePath(worker.id, worker.stage))
        strayTicksLeft = Self.strayTicks
        killOwnStrays()
    }

    /// Ends what workers have left behind, as far as it has become ours by now: as their subreaper, at the death of the process
    /// that it descends from, whatever group, session and environment it has given itself.
    private func killOwnStrays() {
        killStrays(except: Set(workers.values.map { $0.child.pid }))
    }

    /// SIGHUP is also what the processes of a terminal are sent when it is closed.
    private var terminalHasGone: Bool { hadTerminal && isatty(STDERR_FILENO) != 1 }

    /// Other numbers from now on. What belongs to a process from its start is so for those that are started from now on.
    private func change(_ policy: JobPolicy) {
        setup.policy = policy
        for (index, stage) in policy.stages.enumerated() where setup.stages.indices.contains(index) {
            setup.stages[index].policy = stage
        }
        pending.append(.policyChanged(policy))
    }

    private func takeSignals() {
        while let number = signals.next() {
            switch number {
            case SIGUSR1:
                observer?.show(scheduler.status)
                continue
            case SIGHUP where !terminalHasGone:
                if let policy = observer?.policyWanted() { change(policy) }
                continue
            default: break
            }
            interrupts += 1
            let name = signalName(number)
            pending.append(interrupts == 1 ? .drain(reason: "stopped by \(name)") : .abandon)
        }
    }

    private func takeReplies() {
        for reply in storage.takeReplies() {
            switch reply {
            case .appended(let stage, let batch):
                resumes[ResumeKey(stage: stage, batch: batch)] = nil
                pending.append(.appended(stage: stage, batch: batch))
            case .partAppended(let stage, let batch): pending.append(.partAppended(stage: stage, batch: batch))
            case .fetched(let stage, let batch, let payloads):
                pending.append(.fetched(stage: stage, batch: batch, payloads))
            case .checkpoint(let worker, let stage, let checkpoint): open(worker, stage, from: checkpoint)
            case .flushed: pending.append(.flushed)
            case .retryBegun(let first, let begun):
                pending.append(.retryBegun(first: first, counts: begun.counts, rest: begun.rest, refused: begun.refused,
                        categories: begun.categories))
            case .retryFetched(let batch, let payloads): pending.append(.retryFetched(batch: batch, payloads))
            case .discarded(let stage, let done, let request):
                pending.append(
                    .discarded(
                        stage: stage, letters: done.discarded, refused: done.refused, categories: done.categories,
                        request: request))
            case .stalled(let message): pending.append(.storageStalled(message))
            case .recovered: pending.append(.storageRecovered)
            case .failed(let error):
                // What cannot be written down must not go on: everything committed stays as it is.
                storageError = storageError ?? error
                ending = .broken("\(error)")
                for worker in workers.values { worker.kill() }
            }
        }
    }

    private func ticked() {
        tick.clear()
        let time = monotonicNanoseconds()
        tick.set(time + Self.tickNanoseconds)
        mark?.beat(time)
        if strayTicksLeft > 0 {
            strayTicksLeft -= 1
            killOwnStrays()
        }
        ticks += 1
        // A kill long ago is none of a worker that dies now.
        if ticks % 10 == 0 { _ = memoryKills.hasRisen() }
        for worker in workers.values {
            if let due = worker.killDue, time >= due { worker.kill() }
            if let bytes = worker.residentBytes { pending.append(.memory(worker.id, bytes: bytes)) }
            // A worker that lives on without its pipe is of no use; one that is just ending has its time to do so.
            if let closedAt = worker.closedAt, time - closedAt > 2 * Self.tickNanoseconds, !worker.isClosing {
                worker.closedAt = nil
                pending.append(.misbehaved(worker.id, .lost("it closed its data channel")))
            }
        }
        measureMachineMemory()
        if let timeLimitAt, time >= timeLimitAt {
            self.timeLimitAt = nil
            pending.append(.drain(reason: "time limit reached"))
        }
        desk?.tick(time, poller)
        observer?.ticked(scheduler.status, isLast: false)
    }

    /// Everything that is wrong with the plugins that the run began with, as far as the pipeline file is concerned.
    package var pluginProblems: [Diagnostic] { check.found }

    // MARK: - For the control socket

    var stageNames: [String] { setup.stages.map(\.policy.name) }

    func tell(_ event: Event) { pending.append(event) }

    func paused(_ isPaused: Bool) { observer?.paused(isPaused) }

    func requestNumber(for client: ControlClientID) -> UInt64 { desk?.number(for: client) ?? 0 }

    func answer(_ client: ControlClientID, _ ok: Bool, _ message: String, more: String? = nil) {
        answer(client, ControlReply(ok: ok, message, last: true), more: more)
    }

    func answer(_ client: ControlClientID, _ reply: ControlReply, more: String? = nil) {
        desk?.reply(to: client, more ?? reply.json, isLast: true, poller)
    }

    /// The status as one line of JSON.
    func statusText() -> String? { observer?.statusLine(scheduler.status) }

    /// Takes a library into the job directory, as a build of the stage's plugin.
    func keepBuild(_ path: String, of stage: Int) throws(SystemError) -> Int {
        let kept = try JobDirectory.keepPlugin(path, in: setup.jobFolder, durable: true)
        if let known = builds[stage].firstIndex(where: { $0.digest == kept.digest }) { return known }
        builds[stage].append(kept)
        return builds[stage].count - 1
    }

    /// Tells what has become of a build, for the runs to come.
    private func keepBuild(of note: Note) {
        let change: (stage: Int, build: Int, news: BuildNews)
        switch note {
        case .pluginSwapped(let stage, let build, isNew: true): change = (stage, build, .onProbation)
        case .probationPassed(let stage, let build): change = (stage, build, .serves)
        case .swapRolledBack(let stage, let build, _): change = (stage, build, .sentBack)
        default: return
        }
        serving[change.stage] = change.build
        observer?.changed(stage: change.stage, builds[change.stage][change.build], change.news)
    }
}
