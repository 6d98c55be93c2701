import LinuxIO
import StageCommand
import StageConfig
import StageControl

/// `stagehost resume JOB`: goes on with a job from the pipeline that it keeps.
enum ResumeCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            // Other values need another host.
            let changesNothing = !arguments.has("set") && !arguments.has("time-limit")
            if changesNothing, let reply = try HostLine(job).tell(.resume, isWish: true) {
                return reply.isOK ? .complete : .interrupted
            }
            return try runner(for: job, arguments).run()
        }
    }

    /// Goes on with a job that no host has.
    static func runner(for job: StoredJob, _ arguments: ParsedCommand) throws(CommandFailure) -> JobRunner {
        let kept = try job.requirePipeline()
        let pipeline = try changed(kept, of: job, arguments)
        var plugins: [PluginLocator.Found] = []
        for stage in pipeline.stages { plugins.append(try plugin(of: stage, in: pipeline, job, arguments)) }
        var runner = JobRunner(job: job.name, pipeline: pipeline, plugins: plugins, folder: job.folder, arguments)
        runner.isResumed = true
        return runner
    }

    /// The pipeline with what `--set` and the like say.
    private static func changed(_ kept: Pipeline, of job: StoredJob, _ arguments: ParsedCommand) throws(CommandFailure)
        -> Pipeline
    {
        let overrides: [Override]
        switch arguments.overrides() {
        case .success(let list): overrides = list
        case .failure(let problem): throw CommandFailure(rendered: [problem], .usage)
        }
        guard !overrides.isEmpty else { return kept }
        let path = JobRecord.pipelinePath(job.folder)
        guard let bytes = try? readSmallFile(path),
            case .success(let root) = ConfigParser.parse(SourceText(name: path, bytes: bytes)),
            let document = root["pipeline"]
        else {
            throw CommandFailure(
                "the pipeline of job \"\(job.name)\" cannot be changed", help: "give `stagehost run PIPELINE` with these options",
                .configuration)
        }
        let source = SourceText(name: path, text: document.plain.json(indented: true))
        let resolution = Pipeline.resolve(source, directory: kept.directory, overrides: overrides)
        guard var pipeline = resolution.pipeline else { throw CommandFailure(rendered: resolution.errors, .configuration) }
        pipeline.file = kept.file
        return pipeline
    }

    /// The plugin that the stage was run with; the job's own copy of it where the original is gone.
    private static func plugin(
        of stage: StageSettings, in pipeline: Pipeline, _ job: StoredJob, _ arguments: ParsedCommand
    ) throws(CommandFailure) -> PluginLocator.Found {
        if let use = job.plugin(of: stage) {
            if Surroundings.fileExists(use.path) { return .init(name: use.name, path: use.path) }
            if let copy = job.keptCopy(digest: use.own, of: use.path) { return .init(name: use.name, path: copy) }
        }
        let locator = Surroundings.locator(for: arguments, pipelineDirectory: pipeline.directory)
        switch locator.locate(stage.plugin.value, at: stage.plugin.place) {
        case .success(let found): return found
        case .failure(let problem): throw CommandFailure(rendered: [problem], .pluginRefused)
        }
    }
}
