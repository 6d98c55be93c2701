import StageCommand
import StageConfig

/// `stagehost validate PIPELINE`: everything that is wrong, with its place.
enum ValidateCommand {
    /// `describe` opens a plugin to ask what it is; without it, plugins are only looked for.
    static func run(_ arguments: ParsedCommand, describe: PluginDescriber? = nil) -> ExitCode {
        let loaded = PipelineLoading.load(arguments)
        var diagnostics = loaded.diagnostics
        var code = loaded.pipeline == nil ? loaded.failure : .complete
        if let pipeline = loaded.pipeline {
            let (problems, isRefusal) = checkPlugins(of: pipeline, arguments, describe)
            diagnostics += problems
            if !problems.isEmpty { code = isRefusal ? .pluginRefused : .configuration }
        }
        if arguments.has("json") {
            Console.output(JSONValue.array(diagnostics.map(\.json)).json(indented: true) + "\n")
            return code
        }
        PipelineLoading.report(diagnostics)
        if let pipeline = loaded.pipeline, code == .complete {
            let names = pipeline.stages.map(\.name.value).joined(separator: " → ")
            Console.output("\(pipeline.file): \(pipeline.stages.count) stages (\(names)), no errors\n")
        }
        return code
    }

    /// What is wrong with the plugins; a refusal is one that is missing or cannot be opened.
    private static func checkPlugins(of pipeline: Pipeline, _ arguments: ParsedCommand, _ describe: PluginDescriber?)
        -> (problems: [Diagnostic], isRefusal: Bool)
    {
        let locator = Surroundings.locator(for: arguments, pipelineDirectory: pipeline.directory)
        var problems: [Diagnostic] = []
        var isRefusal = false
        for (index, stage) in pipeline.stages.enumerated() {
            switch locator.locate(stage.plugin.value, at: stage.plugin.place) {
            case .failure(let problem):
                problems.append(problem)
                isRefusal = true
            case .success(let found):
                switch describe?(found.path) {
                case nil: break
                case .success(let description): problems += pipeline.check(description, forStageAt: index)
                case .failure(let refusal):
                    problems.append(Diagnostic(refusal.message, at: stage.plugin.place))
                    isRefusal = true
                }
            }
        }
        return (problems, isRefusal)
    }
}
