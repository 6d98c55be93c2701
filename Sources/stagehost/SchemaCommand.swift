import StageCommand
import StageConfig

/// `stagehost schema`: a JSON Schema of pipeline files, with the options of the plugins that are found.
enum SchemaCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        let locator = Surroundings.locator(for: arguments, pipelineDirectory: nil)
        var plugins: [(name: String, description: String, configSchema: JSONValue?)] = []
        for found in locator.available() {
            switch PluginProbe.describe(found.path) {
            case .success(let plugin):
                plugins.append((found.name, plugin.description, plugin.configSchema.flatMap { BlobText.json(Array($0.utf8)) }))
            case .failure(let refusal): Console.error("warning: left out: \(refusal.message)")
            }
        }
        Screen.show(PipelineSchema.make(plugins: plugins))
        return .complete
    }
}
