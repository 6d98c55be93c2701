import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageLog
import StageModel
import StageReport
import StageRuntime
import StageScheduler

/// Runs a job, new or taken up again: what `run` and `resume` have in common.
struct JobRunner {
    let job: String
    let pipeline: Pipeline
    private(set) var plugins: [PluginLocator.Found]
    let folder: String
    /// Where the pipeline file is looked for when it is to be read again.
    let file: String
    var isFresh = false
    /// Somebody asked for it to go on: a pause ends.
    var isResumed = false
    /// Dead letters that are to be tried again.
    var retried: LetterChoice?
    var skip: UInt64 = 0
    var limit: UInt64?
    var isQuiet = false
    var isVerbose = false

    init(job: String, pipeline: Pipeline, plugins: [PluginLocator.Found], folder: String, _ arguments: ParsedCommand) {
        self.job = job
        self.pipeline = pipeline
        // The folder of a relative path is that of this command, not of one that goes on later.
        self.plugins = plugins.map { .init(name: $0.name, path: PipelineFile.absolute($0.path) ?? $0.path) }
        self.folder = folder
        // Relative to the folder that it was in, should this command be given somewhere else.
        let name = pipeline.file.split(separator: "/").last.map(String.init) ?? pipeline.file
        file = pipeline.file.hasPrefix("/") ? pipeline.file : pipeline.directory + "/" + name
        isQuiet = arguments.has("quiet")
        isVerbose = arguments.has("verbose")
    }

    /// Another build of the plugin of a stage.
    mutating func use(_ path: String, for stage: Int) {
        guard plugins.indices.contains(stage) else { return }
        plugins[stage] = PluginLocator.Found(name: plugins[stage].name, path: path)
    }

    func run() throws(CommandFailure) -> ExitCode {
        SignalReader.hold(Host.questions)
        let directory = try take()
        try obeyWish()
        let isNew = try begin(directory)
        var record = JobRecord(folder: folder) ?? JobRecord(job: job, created: Timestamp.now())
        if isNew {
            record.skip = skip
            record.limit = limit
        }
        let running = RunningPipeline(pipeline, file: file, kept: JobRecord.pipelinePath(folder))
        var policy = RunSetup.policy(pipeline, limit: record.limit, skip: record.skip)
        policy.forgiven = record.forgiven
        var setup = HostSetup(
            job: job, policy: policy, stages: [], folder: pipeline.directory, jobFolder: folder,
            workerProgram: RunSetup.workerProgram)
        setup.keepsLogs = pipeline.keep.value
        setup.tellsEveryRecord = pipeline.recordLog.value == .all
        setup.runIdentity = record.run
        setup.objections = { running.check($1, forStageAt: $0) }
        // The lock is ours: whatever still runs for this job was left behind by a host that was killed.
        if !isNew { killProcesses(startedWith: "STAGEHOST_RUN=\(record.run)") }
        var remembered = RememberedBuilds(job: job)
        let before = record.plugins
        record.plugins = []
        let builds = try orFail(folder) { () throws(SystemError) in try directory.keepPlugins(plugins.map(\.path)) }
        for (stage, plugin) in zip(pipeline.stages, plugins) {
            guard let kept = builds[plugin.path] else { continue }
            var staged = StageSetup(policy: policy.stages[setup.stages.count], build: kept, configuration: stage.withJSON)
            staged.dumpsCore = stage.core.value
            var use = JobRecord.PluginUse(stage: stage.name.value, name: plugin.name, path: plugin.path, own: kept.digest)
            if let old = before.first(where: { $0.stage == use.stage }) { try remembered.apply(old, to: &use, &staged, directory) }
            setup.stages.append(staged)
            record.plugins.append(use)
        }
        var ledger: AttemptLedger?
        try orFail(folder) { () throws(SystemError) in
            try writeFileAtomically(JobRecord.pipelinePath(folder), Array(pipeline.document.utf8), durable: false)
            record.wish = nil
            record.endState = nil
            record.endMessage = nil
            try record.write(to: folder)
            ledger = try AttemptLedger(
                folder: folder, stages: setup.stages.map { .init(name: $0.policy.name, digest: ($0.trial ?? $0.build).digest) })
            try directory.clearPages()
        }

        if case .missing(let missing) = LogFolders(folder + "/" + JobLayout.logs, policy.stages) {
            throw CommandFailure(missingLog: missing, job: job)
        }
        let logs: JobLogs
        let letters: LetterLog
        var recovery: JobRecovery
        var lettersAgain: [Int: LetterNumbers] = [:]
        do throws(LogError) {
            logs = try JobLogs(folder: folder + "/" + JobLayout.logs, policies: policy.stages)
            letters = try LetterLog(folder: folder + "/" + JobLayout.letters)
            recovery = try logs.recovery()
            try LetterDesk(logs: logs, letters: letters).check()
            if let retried { lettersAgain = try retried.letters(LetterList(letters, claimedBy: logs, recovery)) }
            try RecoveredFailures.add(
                to: &recovery, of: pipeline.stages.map(\.name.value), folder: folder, letters: letters, logs: logs)
        } catch {
            throw CommandFailure(error, job: job)
        }
        for report in logs.reports { Console.error("recovered: \(report)") }
        try orFail(folder) { () throws(SystemError) in try ledger?.settle(&recovery) }
        if recovery.isComplete, lettersAgain.isEmpty {
            record.endState = "complete"
            try? record.write(to: folder)
            Console.output("\(job): complete, nothing to do (`--fresh` starts over)\n")
            return .complete
        }

        let names = pipeline.stages.map(\.name.value)
        for (index, tally) in StoredTally.read(StoredJob.lastWord(of: job, in: folder), stages: names).enumerated() { recovery.stages[index].tally = tally }
        let eventPath = folder + "/" + JobLayout.events
        let history = JobHistory.read(folder + "/" + JobLayout.history, events: eventPath, stages: names)
        let events = EventFile(
            path: eventPath, stages: names, pace: pipeline.progressInterval.value, records: pipeline.recordLog.value, history: history)
        let display = RunDisplay(
            job: job, stages: zip(names, plugins).map { ($0, $1.name) }, events: events, history: history,
            files: .init(
                status: folder + "/" + JobLayout.status, history: folder + "/" + JobLayout.history, metrics: pipeline.metricsPath),
            isQuiet: isQuiet, isVerbose: isVerbose)
        display.saved = Saved(recovery)
        if !isQuiet { for note in remembered.notes { Console.error("\(job): \(note)") } }
        announce(recovery, events)
        if let ledger, ledger.hostHasDied { announce(ledger, &recovery, events) }
        let end: RunEnd
        var isStopped = false
        var refusals: [String] = []
        let logError: LogError?
        do throws(SystemError) {
            let host = try Host(
                setup: setup, logs: logs, letters: letters, recovery: recovery, observer: display,
                timeLimitNanoseconds: pipeline.timeLimit.value?.nanoseconds)
            host.tryAgain(lettersAgain)
            display.onStatus = { [unowned host] in Self.keepVersions(host.servingBuilds, in: &record, folder) }
            events.digestOfBuild = { [unowned host] stage, build in host.build(stage, build)?.digest }
            display.onBuild = { stage, build, news in
                record.plugins[stage].take(build, news)
                do throws(SystemError) { try record.write(to: folder, durable: true) } catch {
                    Console.error("\(job): the build cannot be written down for later runs: \(error)")
                }
            }
            display.onReread = { [limit = record.limit, skip = record.skip] in
                running.reread(display, events).map { RunSetup.policy($0, limit: limit, skip: skip) }
            }
            display.onPause = { isPaused in
                record.wish = isPaused ? .pause : nil
                do throws(SystemError) { try record.write(to: folder, durable: true) } catch {
                    display.complain("\(job): the \(isPaused ? "pause" : "end of the pause") cannot be written down for later runs: \(error)")
                }
            }
            let ended = try host.run()
            refusals = host.refusals
            isStopped = host.isStoppedForGood
            if case .misconfigured = ended { PipelineLoading.report(host.pluginProblems) }
            end = ended
            Self.keepVersions(host.servingBuilds, in: &record, folder)
            logError = host.storageError
        } catch {
            throw CommandFailure("\(error)", .inputOutput)
        }
        let code = finish(
            end, logError.map { CommandFailure($0, job: job) }, display, events, &record, running.pipeline, isStopped: isStopped)
        for refusal in refusals { Console.error("error: job \"\(job)\": \(refusal)") }
        return code == .complete && !refusals.isEmpty ? .cannotCreate : code
    }

    /// Writes down which builds of the plugins are at work, once they have said so.
    private static func keepVersions(_ builds: [PluginBuild], in record: inout JobRecord, _ folder: String) {
        let before = record.plugins
        for (index, build) in builds.enumerated() where record.plugins.indices.contains(index) {
            if !build.version.isEmpty { record.plugins[index].version = build.version }
        }
        if record.plugins != before { try? record.write(to: folder) }
    }

    private func take() throws(CommandFailure) -> JobDirectory {
        do throws(SystemError) {
            if let directory = try JobDirectory.take(folder) { return directory }
        } catch {
            throw CommandFailure("the job directory cannot be made: \(error)", .cannotCreate)
        }
        throw CommandFailure(
            "job \"\(job)\" is running in another process\n = found: a lock on \(folder)/\(JobLayout.lock)\n = help: wait for it, stop it with Ctrl-C there, or give this one another name with --job",
            .cannotCreate)
    }

    /// A job that was stopped begins no more, and one that was paused not by itself.
    private func obeyWish() throws(CommandFailure) {
        guard !isFresh, let record = JobRecord(folder: folder) else { return }
        switch record.rest {
        case .stopped: throw .stopped(job)
        case .paused where !isResumed: throw .paused(job)
        default: return
        }
    }

    /// Compares with the pipeline that the job began with, or begins it.
    ///
    /// - Returns: Whether the job is new.
    private func begin(_ directory: borrowing JobDirectory) throws(CommandFailure) -> Bool {
        if isFresh {
            do throws(SystemError) { try directory.clear() } catch {
                throw CommandFailure("the job cannot be cleared: \(error)", .inputOutput)
            }
        }
        guard let bytes = try? readSmallFile(JobRecord.pipelinePath(folder)) else { return true }
        let resolution = Pipeline.read(
            document: String(decoding: bytes, as: UTF8.self), name: JobRecord.pipelinePath(folder))
        guard let old = resolution.pipeline else {
            PipelineLoading.report(resolution.diagnostics)
            throw CommandFailure("the job's own pipeline cannot be read", .damagedData)
        }
        let problems = Pipeline.incompatibilities(old: old, new: pipeline)
        guard problems.isEmpty else {
            // Nothing was made with the other pipeline, so nothing can be at odds with this one.
            if hasCommittedNothing(old) {
                try orFail(folder) { () throws(SystemError) in try directory.clear() }
                return true
            }
            PipelineLoading.report(problems)
            throw CommandFailure(
                "job \"\(job)\" was begun with another pipeline\n = help: `--fresh` starts it over, `--job NAME` begins another one beside it",
                .configuration)
        }
        return false
    }

    private func hasCommittedNothing(_ pipeline: Pipeline) -> Bool {
        let policies = RunSetup.policy(pipeline, limit: nil, skip: 0).stages
        guard let logs = try? JobLogs(folder: folder + "/" + JobLayout.logs, policies: policies, readOnly: true),
            let recovery = try? logs.recovery()
        else { return false }
        return recovery.stages.allSatisfy {
            $0.committed.through == 0 && $0.committed.beyond.isEmpty && $0.partials.isEmpty
        }
    }

    private func announce(_ recovery: JobRecovery, _ events: EventFile) {
        let committed = recovery.stages.reduce(UInt64(0)) { $0 + $1.committed.through }
        guard committed > 0 else {
            events.write("job_started", [.init("job", .string(job))])
            return
        }
        let read = recovery.stages[0].counts.inputs
        let written = recovery.stages[recovery.stages.count - 1].counts.passed
        events.write("job_resumed", [.init("job", .string(job)), .init("read", .count(read)), .init("written", .count(written))])
        for (index, stage) in recovery.stages.enumerated() {
            events.write(
                "checkpoint_recovered", stage: index,
                [.init("batch", .count(stage.committed.through)), .init("records", .count(stage.counts.inputs))])
        }
        if !isQuiet {
            Console.error(
                "\(job): going on; \(HumanNumbers.count(read)) records read, \(HumanNumbers.count(written)) written before")
        }
    }

    /// Says that the host before this one has died, what it had in hand, and what is made of that.
    private func announce(_ ledger: AttemptLedger, _ recovery: inout JobRecovery, _ events: EventFile) {
        let at = Timestamp.now()
        events.write("host_died", [.init("in_hand", .count(UInt64(ledger.found.reduce(0) { $0 + $1.suspects.count })))])
        for found in ledger.found {
            var death = DeathRecord(
                time: .earlier(at), cause: DeathCause.hostName, message: "its host died", batch: found.batch,
                worker: found.worker)
            if found.suspects.count == 1 { death.index = found.suspects.first }
            recovery.stages[found.stage].tally.add(death)
        }
        // This host may not live long either.
        defer { events.flush() }
        for (index, stage) in recovery.stages.enumerated() {
            let suspects = stage.interruptions.values.reduce(0) { $0 + $1.count { $0.value.isSuspect && !$0.value.isVerdict } }
            guard suspects > 0 else { continue }
            events.write("records_set_apart", stage: index, [.init("records", .count(UInt64(suspects)))])
            guard !isQuiet else { continue }
            let words = suspects == 1 ? "a record was" : "\(suspects) records were"
            Console.error(
                "\(job): stage \"\(events.stages[index])\": \(words) in hand when earlier hosts died; \(suspects == 1 ? "it is" : "each is") tried with nothing else in hand")
        }
    }

    private func finish(
        _ end: RunEnd, _ logFailure: CommandFailure?, _ display: RunDisplay, _ events: EventFile,
        _ record: inout JobRecord, _ pipeline: Pipeline, isStopped: Bool
    ) -> ExitCode {
        var (state, message, ordinary) = end.verdict(stages: events.stages)
        if isStopped, ordinary == .interrupted { state = "stopped" }
        let code = logFailure?.code ?? ordinary
        events.finishSamples()
        events.write(
            "job_finished",
            [.init("state", .string(state)), .init("message", message.isEmpty ? .null : .string(message))])
        display.writeHistory()
        record.endState = state
        record.endMessage = message.isEmpty ? nil : message
        // A pause outlives a host that was asked to end, but not the job.
        if isStopped || code != .interrupted { record.wish = nil }
        // Whoever goes on has seen them: the limits look at what comes from now on.
        if case .tooManyFailures = end, let status = display.last { record.forgiven = status.stages.map(\.counts) }
        try? record.write(to: folder)
        if let status = display.write(endState: state, message: record.endMessage) {
            ReportFiles.write(status, display.history, of: StoredJob(name: job, folder: folder, record, pipeline))
        }
        if !isQuiet, let status = display.last, status.read > 0 || code == .complete {
            let lines = ProgressText.summary(status, seconds: display.elapsedSeconds)
            Console.output((lines + [display.saved.line(stages: events.stages)].compactMap(\.self)).joined(separator: "\n") + "\n")
            if status.failed > 0, code == .complete {
                Console.output("\(status.failed) dead \(status.failed == 1 ? "letter" : "letters"): `stagehost failures \(job)` lists \(status.failed == 1 ? "it" : "them")\n")
            }
        }
        let goesOn =
            isStopped ? "`--fresh` starts it over"
            : record.wish == .pause ? "it is paused: `stagehost resume \(job)` goes on" : "the same command goes on"
        switch code {
        case _ where logFailure != nil: Console.error(logFailure?.text ?? message)
        case .complete: break
        case .interrupted where end.usedUpBudget != nil:
            Console.error(
                "\(job): \(message)\n = help: raise it in the pipeline file and give the same command again, or `stagehost resume \(job) --set budget.\(end.usedUpBudget ?? "NAME")=AMOUNT`")
        case .interrupted:
            Console.error("\(job): \(message); \(goesOn)")
        default: Console.error("error: \(job): \(message)\n = help: what is committed is kept; mend the cause and give the same command again")
        }
        if case .refused(let stage, _) = end { explainRefusal(of: stage) }
        return code
    }

    /// A plugin in the place of another kind: the file has the place of it.
    private func explainRefusal(of stage: Int) {
        guard plugins.indices.contains(stage),
            case .success(let description) = PluginProbe.describe(plugins[stage].path)
        else { return }
        PipelineLoading.report(pipeline.check(description, forStageAt: stage))
    }
}

extension RunEnd {
    fileprivate var usedUpBudget: String? {
        if case .overBudget(let name, _, _) = self { name } else { nil }
    }

    /// The job's state, the words for it, and the exit code.
    func verdict(stages: [String]) -> (state: String, message: String, code: ExitCode) {
        func named(_ stage: Int) -> String { stages.indices.contains(stage) ? "stage \"\(stages[stage])\"" : "a stage" }
        return switch self {
        case .complete: ("complete", "", .complete)
        case .interrupted(let reason): ("interrupted", reason, .interrupted)
        case .tooManyFailures(let reason): ("failed", "too many failures: \(reason)", .tooManyFailures)
        case .overBudget(let name, let spent, let limit):
            (
                "interrupted",
                "the budget is used up: \(HumanNumbers.amount(spent)) of \(HumanNumbers.amount(limit)) \(PrintableText.line(name, limit: 40))",
                .interrupted
            )
        case .gaveUp(let stage, let message): ("failed", "\(named(stage)) gave up: \(message)", .stageGaveUp)
        case .refused(let stage, let message): ("failed", "\(named(stage)): \(message)", .pluginRefused)
        case .broken(let message): ("failed", message, .internalError)
        case .misconfigured(let message): ("failed", message, .configuration)
        case .wrongInput(let message): ("failed", message, .damagedData)
        }
    }
}
