import StageCommand
import StageConfig
import StageReport

/// `stagehost plugins`: what a name can stand for.
enum PluginsCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        let locator = Surroundings.locator(for: arguments, pipelineDirectory: nil)
        let plugins = locator.available().map { ($0, PluginProbe.describe($0.path)) }
        if arguments.has("json") {
            Screen.show(.array(plugins.map(json)))
            return .complete
        }
        guard !plugins.isEmpty else {
            Console.error("no plugins in " + locator.folders.joined(separator: ", "))
            return .complete
        }
        var table = TextTable([.init("name"), .init("kind"), .init("version"), .init("description"), .init("path")])
        for (found, described) in plugins {
            switch described {
            case .success(let plugin):
                table.add([found.name, plugin.kind.rawValue, plugin.version, plugin.description, found.path])
            case .failure: table.add([found.name, "-", "-", "refused: see below", found.path])
            }
        }
        Screen.show(table.lines(width: nil))
        for (_, described) in plugins {
            if case .failure(let refusal) = described { Console.error("refused: \(refusal.message)") }
        }
        return .complete
    }

    private static func json(_ found: PluginLocator.Found, _ described: Result<PluginDescription, PluginRefusal>)
        -> JSONValue
    {
        var plugin: PluginDescription?
        var refusal: String?
        switch described {
        case .success(let description): plugin = description
        case .failure(let reason): refusal = reason.message
        }
        func text(_ value: String?) -> JSONValue { value.map(JSONValue.string) ?? .null }
        return .object([
            .init("name", .string(found.name)), .init("kind", text(plugin?.kind.rawValue)),
            .init("id", text(plugin?.id)), .init("version", text(plugin?.version)),
            .init("description", text(plugin?.description)), .init("path", .string(found.path)),
            .init("refused", text(refusal)),
        ])
    }
}
