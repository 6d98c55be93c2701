import LinuxIO
import StageCommand
import StageConfig
import StageReport

/// `stagehost plugins show PLUGIN`: everything that a plugin says of itself.
enum PluginsShowCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        let wanted = arguments.argument("PLUGIN")
        let found: PluginLocator.Found
        if wanted.hasSuffix(".so"), Surroundings.fileExists(wanted) {
            found = PluginLocator.Found(name: PluginLocator.name(of: wanted), path: wanted)
        } else {
            switch Surroundings.locator(for: arguments, pipelineDirectory: nil).locate(wanted) {
            case .success(let plugin): found = plugin
            case .failure(let problem):
                Console.error(problem.rendered())
                return .pluginRefused
            }
        }
        switch PluginProbe.read(found.path) {
        case .failure(let refusal):
            Console.error("error: \(refusal.message)")
            return .pluginRefused
        case .success(let plugin):
            let path = PipelineFile.absolute(found.path) ?? found.path
            if arguments.has("json") {
                Screen.show(json(found.name, path, plugin))
            } else {
                show(found.name, path, plugin)
            }
            return .complete
        }
    }

    private static func digest(_ path: String) -> String? {
        (try? readSmallFile(path, limit: 1 << 30)).map { LinuxIO.digest(of: $0) }
    }

    private static func options(_ plugin: PluginDescription) -> [ConfigSchema.Option] {
        guard let text = plugin.configSchema,
            case .success(let schema) = ConfigSchema.parse(text, plugin: plugin.id)
        else { return [] }
        return schema.options
    }

    private static func json(_ name: String, _ path: String, _ plugin: PluginProbe.Described) -> JSONValue {
        let facts = plugin.description
        var schema = JSONValue.null
        if let text = facts.configSchema,
            case .success(let node) = ConfigParser.parse(SourceText(name: "schema", text: text))
        {
            schema = node.plain
        }
        return .object([
            .init("name", .string(name)), .init("kind", .string(facts.kind.rawValue)), .init("id", .string(facts.id)),
            .init("version", .string(facts.version)), .init("description", .string(facts.description)),
            .init("path", .string(path)), .init("digest", digest(path).map(JSONValue.string) ?? .null),
            .init("flags", .array(facts.flags.names.map(JSONValue.string))),
            .init("max_workers", .integer(Int64(facts.maxWorkers))),
            .init("functions", .array(plugin.functions.map(JSONValue.string))),
            .init(
                "options",
                .array(
                    options(facts).map {
                        .object([
                            .init("name", .string($0.name)), .init("type", .string($0.type)),
                            .init("required", .boolean($0.isRequired)),
                            .init("default", $0.fallback.map(BlobText.json) ?? .null),
                            .init("description", .string($0.description)),
                        ])
                    })),
            .init("config_schema", schema),
        ])
    }

    private static func show(_ name: String, _ path: String, _ plugin: PluginProbe.Described) {
        let facts = plugin.description
        let workers = facts.flags.contains(.stateful) ? "1 (it keeps a state)" : facts.maxWorkers == 0 ? "any number" : "at most \(facts.maxWorkers)"
        let lines = [
            ("name", name), ("kind", facts.kind.rawValue), ("id", facts.id), ("version", facts.version),
            ("about", facts.description), ("file", path), ("digest", digest(path) ?? "-"),
            ("flags", facts.flags.names.isEmpty ? "-" : facts.flags.names.joined(separator: ", ")),
            ("workers", workers), ("calls", plugin.functions.joined(separator: ", ")),
        ]
        Screen.show(lines.map { "\($0.0):".padded(to: 10) + PrintableText.line($0.1) })
        let options = options(facts)
        guard !options.isEmpty else {
            Screen.show(["", facts.configSchema == nil ? "It does not say what `with` may hold." : "It has no options."])
            return
        }
        var table = TextTable([.init("option"), .init("type"), .init("default"), .init("description")])
        for option in options {
            table.add([
                option.name, option.type, option.isRequired ? "required" : option.fallback ?? "-", option.description,
            ])
        }
        Screen.show([""] + table.lines(width: Screen.width))
    }
}
