import LinuxIO
import StageCommand
import StageConfig

/// Reads and resolves the pipeline that a command names.
enum PipelineLoading {
    struct Loaded {
        /// nil when there are errors, or when the file could not be read.
        var pipeline: Pipeline?
        var diagnostics: [Diagnostic]
        /// What to exit with if there is no pipeline.
        var failure: ExitCode
    }

    static func load(_ arguments: ParsedCommand) -> Loaded {
        let overrides: [Override]
        switch arguments.overrides() {
        case .success(let list): overrides = list.map(fromHere)
        case .failure(let problem): return Loaded(diagnostics: [problem], failure: .usage)
        }
        switch PipelineFile.read(arguments.argument("PIPELINE")) {
        case .failure(let problem):
            return Loaded(diagnostics: [problem.diagnostic], failure: problem.isMissing ? .noInput : .inputOutput)
        case .success(let file):
            let resolution = Pipeline.resolve(
                file.source, directory: file.directory, overrides: overrides, environment: Surroundings.environment)
            return Loaded(
                pipeline: resolution.pipeline, diagnostics: resolution.diagnostics, failure: .configuration)
        }
    }

    /// A path in a flag starts from where the command is given, not from the pipeline file.
    private static func fromHere(_ override: Override) -> Override {
        guard override.flag.hasPrefix("--metrics "), !override.value.hasPrefix("/") else { return override }
        return Override(key: override.key, value: currentFolder() + "/" + override.value, flag: override.flag)
    }

    static func report(_ diagnostics: [Diagnostic]) {
        for diagnostic in diagnostics { Console.error(diagnostic.rendered()) }
    }
}
