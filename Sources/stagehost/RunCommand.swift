import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageLog
import StageReport
import StageRuntime
import StageScheduler

/// `stagehost run PIPELINE`
enum RunCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        let loaded = PipelineLoading.load(arguments)
        PipelineLoading.report(loaded.diagnostics)
        guard let pipeline = loaded.pipeline else { return loaded.failure }
        let job = arguments.string("job") ?? pipeline.name.value
        guard JobFolder.isValidName(job) else {
            Console.error("error: \"\(job)\" cannot be the name of a job\n = expected: 1 to 100 letters, digits, '.', '_' or '-', not beginning with '.'\n = help: give another with --job")
            return .usage
        }
        var plugins: [PluginLocator.Found] = []
        let locator = Surroundings.locator(for: arguments, pipelineDirectory: pipeline.directory)
        for stage in pipeline.stages {
            switch locator.locate(stage.plugin.value, at: stage.plugin.place) {
            case .success(let found): plugins.append(found)
            case .failure(let problem):
                Console.error(problem.rendered())
                return .pluginRefused
            }
        }
        let folder = JobFolder.path(job, arguments)
        do throws(RunFailure) {
            return try run(job, pipeline, plugins, folder, arguments)
        } catch {
            Console.error(error.text)
            return error.code
        }
    }

    private static func run(
        _ job: String, _ pipeline: Pipeline, _ plugins: [PluginLocator.Found], _ folder: String,
        _ arguments: ParsedCommand
    ) throws(RunFailure) -> ExitCode {
        let directory = try take(folder, job)
        let isNew = try begin(directory, job, pipeline, arguments)
        var record = JobRecord(folder: folder) ?? JobRecord(job: job, created: Timestamp.now())
        if isNew {
            record.skip = UInt64(arguments.count("skip") ?? 0)
            record.limit = arguments.count("limit").map { UInt64($0) }
        }
        let policy = RunSetup.policy(pipeline, limit: record.limit, skip: record.skip)
        var setup = HostSetup(
            job: job, policy: policy, stages: [], folder: pipeline.directory, jobFolder: folder,
            workerProgram: RunSetup.workerProgram)
        setup.keepsLogs = pipeline.keep.value
        setup.runIdentity = record.run
        record.plugins = []
        try orFail(folder) { () throws(SystemError) in
            for (stage, plugin) in zip(pipeline.stages, plugins) {
                let kept = try directory.keepPlugin(plugin.path)
                setup.stages.append(
                    StageSetup(
                        policy: policy.stages[setup.stages.count], plugin: kept.path, configuration: stage.withJSON))
                record.plugins.append(
                    .init(stage: stage.name.value, name: plugin.name, path: plugin.path, digest: kept.digest))
            }
            try writeFileAtomically(JobRecord.pipelinePath(folder), Array(pipeline.document.utf8), durable: false)
            record.endState = nil
            record.endMessage = nil
            try record.write(to: folder)
            try directory.clearPages()
        }

        let logs: JobLogs
        let letters: LetterLog
        let recovery: JobRecovery
        do throws(LogError) {
            logs = try JobLogs(folder: folder + "/" + JobLayout.logs, policies: policy.stages)
            letters = try LetterLog(folder: folder + "/" + JobLayout.letters)
            recovery = try logs.recovery()
        } catch {
            throw RunFailure(error, job: job)
        }
        for report in logs.reports { Console.error("recovered: \(report)") }
        if recovery.isComplete {
            record.endState = "complete"
            try? record.write(to: folder)
            Console.output("\(job): complete, nothing to do (`--fresh` starts over)\n")
            return .complete
        }

        let events = EventFile(
            path: folder + "/" + JobLayout.events, stages: pipeline.stages.map(\.name.value),
            intervalNanoseconds: pipeline.progressInterval.value.nanoseconds)
        let display = RunDisplay(
            job: job, stages: zip(pipeline.stages, plugins).map { ($0.name.value, $1.name) }, events: events,
            statusPath: folder + "/" + JobLayout.status, isQuiet: arguments.has("quiet"),
            isVerbose: arguments.has("verbose"))
        announce(recovery, events, job, isQuiet: arguments.has("quiet"))
        let end: RunEnd
        do throws(SystemError) {
            let host = try Host(
                setup: setup, logs: logs, letters: letters, recovery: recovery, observer: display,
                timeLimitNanoseconds: pipeline.timeLimit.value?.nanoseconds)
            end = try host.run()
        } catch {
            throw RunFailure("\(error)", .inputOutput)
        }
        return finish(end, display, events, &record, folder, job, arguments)
    }

    private static func take(_ folder: String, _ job: String) throws(RunFailure) -> JobDirectory {
        do throws(SystemError) {
            if let directory = try JobDirectory.take(folder) { return directory }
        } catch {
            throw RunFailure("the job directory cannot be made: \(error)", .cannotCreate)
        }
        throw RunFailure(
            "job \"\(job)\" is running in another process\n = found: a lock on \(folder)/\(JobLayout.lock)\n = help: wait for it, stop it with Ctrl-C there, or give this one another name with --job",
            .cannotCreate)
    }

    /// Compares with the pipeline that the job began with, or begins it.
    ///
    /// - Returns: Whether the job is new.
    private static func begin(
        _ directory: borrowing JobDirectory, _ job: String, _ pipeline: Pipeline, _ arguments: ParsedCommand
    ) throws(RunFailure) -> Bool {
        let folder = directory.path
        if arguments.has("fresh") {
            do throws(SystemError) { try directory.clear() } catch {
                throw RunFailure("the job cannot be cleared: \(error)", .inputOutput)
            }
        }
        guard let bytes = try? readSmallFile(JobRecord.pipelinePath(folder)) else { return true }
        let resolution = Pipeline.read(
            document: String(decoding: bytes, as: UTF8.self), name: JobRecord.pipelinePath(folder))
        guard let old = resolution.pipeline else {
            PipelineLoading.report(resolution.diagnostics)
            throw RunFailure("the job's own pipeline cannot be read", .damagedData)
        }
        let problems = Pipeline.incompatibilities(old: old, new: pipeline)
        guard problems.isEmpty else {
            PipelineLoading.report(problems)
            throw RunFailure(
                "job \"\(job)\" was begun with another pipeline\n = help: `--fresh` starts it over, `--job NAME` begins another one beside it",
                .configuration)
        }
        return false
    }

    private static func announce(_ recovery: JobRecovery, _ events: EventFile, _ job: String, isQuiet: Bool) {
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
                "checkpoint_recovered", stage: events.stages[index], [.init("batch", .count(stage.committed.through))])
        }
        if !isQuiet {
            Console.error(
                "\(job): going on; \(HumanNumbers.count(read)) records read, \(HumanNumbers.count(written)) written before")
        }
    }

    private static func finish(
        _ end: RunEnd, _ display: RunDisplay, _ events: EventFile, _ record: inout JobRecord, _ folder: String,
        _ job: String, _ arguments: ParsedCommand
    ) -> ExitCode {
        let (state, message, code) = end.verdict
        events.write(
            "job_finished",
            [.init("state", .string(state)), .init("message", message.isEmpty ? .null : .string(message))])
        events.flush()
        record.endState = state
        record.endMessage = message.isEmpty ? nil : message
        try? record.write(to: folder)
        if !arguments.has("quiet"), let status = display.last {
            let lines = ProgressText.summary(status, seconds: display.elapsedSeconds)
            Console.output(lines.joined(separator: "\n") + "\n")
            if status.failed > 0, code == .complete {
                Console.output("\(status.failed) dead letters: `stagehost failures \(job)` lists them\n")
            }
        }
        switch code {
        case .complete: break
        case .interrupted: Console.error("\(job): \(message); the same command goes on")
        default: Console.error("error: \(job): \(message)\n = help: what is committed is kept; mend the cause and give the same command again")
        }
        return code
    }
}

/// Why a run could not begin.
struct RunFailure: Error {
    var text: String
    var code: ExitCode

    init(_ message: String, _ code: ExitCode) {
        text = "error: \(message)"
        self.code = code
    }

    init(_ error: LogError, job: String) {
        switch error.code {
        case .damaged, .foreign, .unsupported, .missing: code = .damagedData
        default: code = .inputOutput
        }
        let place = error.offset.map { " at byte \($0)" } ?? ""
        text =
            "error: a log of job \"\(job)\" is damaged: \(error.file)\(place)\n = found: \(error.found)\n = expected: \(error.expected)\n = help: `stagehost verify \(job)` shows what is whole; `--repair` keeps every whole entry"
        if code == .inputOutput { text = "error: \(error)" }
    }
}

/// Runs something that touches the file system; its failure is one to create or write.
func orFail(_ subject: String, _ body: () throws(SystemError) -> Void) throws(RunFailure) {
    do throws(SystemError) { try body() } catch { throw RunFailure("\(error)", .cannotCreate) }
}

extension RunEnd {
    /// The job's state, the words for it, and the exit code.
    var verdict: (state: String, message: String, code: ExitCode) {
        switch self {
        case .complete: ("complete", "", .complete)
        case .interrupted(let reason): ("interrupted", reason, .interrupted)
        case .tooManyFailures(let reason): ("failed", "too many failures: \(reason)", .tooManyFailures)
        case .gaveUp(_, let message): ("failed", "a stage gave up: \(message)", .stageGaveUp)
        case .refused(_, let message): ("failed", message, .pluginRefused)
        case .broken(let message): ("failed", message, .internalError)
        }
    }
}

extension JobRecovery {
    /// Whether the job is done, to its sink's last batch.
    var isComplete: Bool {
        guard let lastBatch, let sink = stages.last else { return false }
        return sink.committed.through >= lastBatch + UInt64(stages.count - 1)
    }
}
