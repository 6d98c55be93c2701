import StageCommand
import StageConfig

/// `stagehost config PIPELINE`: every value with its origin.
enum ConfigCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        let loaded = PipelineLoading.load(arguments)
        PipelineLoading.report(loaded.diagnostics)
        guard let pipeline = loaded.pipeline else { return loaded.failure }
        let text = arguments.has("json") ? pipeline.listingJSON.json(indented: true) + "\n" : pipeline.listing
        Console.output(text)
        return .complete
    }
}
