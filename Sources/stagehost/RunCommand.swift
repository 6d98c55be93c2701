import StageCommand
import StageConfig

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
        var runner = JobRunner(
            job: job, pipeline: pipeline, plugins: plugins, folder: JobFolder.path(job, arguments), arguments)
        runner.isFresh = arguments.has("fresh")
        runner.skip = UInt64(arguments.count("skip") ?? 0)
        runner.limit = arguments.count("limit").map { UInt64($0) }
        return CommandFailure.reported { () throws(CommandFailure) in try runner.run() }
    }
}
