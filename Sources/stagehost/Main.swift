import Glibc
import StageCommand

/// Hands the command line to the command that it names.
@main
enum Main {
    static let version = "0.1.0"

    static func main() {
        exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    private static func run(_ words: [String]) -> ExitCode {
        switch CommandLineParser().parse(words) {
        case .help(let text):
            Console.output(text)
            return .complete
        case .version:
            Console.output("stagehost \(version)\n")
            return .complete
        case .failure(let error):
            Console.error(error.rendered())
            return .usage
        case .command(let parsed):
            return dispatch(parsed)
        }
    }

    private static func dispatch(_ parsed: ParsedCommand) -> ExitCode {
        switch parsed.command.name {
        case "run": return RunCommand.run(parsed)
        case "resume": return ResumeCommand.run(parsed)
        case "pause": return PauseCommand.run(parsed)
        case "stop": return StopCommand.run(parsed)
        case "restart": return RestartCommand.run(parsed)
        case "jobs": return JobsCommand.run(parsed)
        case "status": return StatusCommand.run(parsed)
        case "watch": return WatchCommand.run(parsed)
        case "metrics": return MetricsCommand.run(parsed)
        case "report": return ReportCommand.run(parsed)
        case "schema": return SchemaCommand.run(parsed)
        case "checkpoints": return CheckpointsCommand.run(parsed)
        case "events": return EventsCommand.run(parsed)
        case "logs": return LogsCommand.run(parsed)
        case "failures": return FailuresCommand.run(parsed)
        case "retry": return RetryCommand.run(parsed)
        case "discard": return DiscardCommand.run(parsed)
        case "repro": return ReproCommand.run(parsed)
        case "verify": return VerifyCommand.run(parsed)
        case "remove": return RemoveCommand.run(parsed)
        case "plugins": return PluginsCommand.run(parsed)
        case "plugins show": return PluginsShowCommand.run(parsed)
        case "validate": return ValidateCommand.run(parsed, describe: PluginProbe.describe)
        case "config": return ConfigCommand.run(parsed)
        case "completions": return CompletionsCommand.run(parsed)
        case "man": return ManCommand.run(parsed, version: version)
        default:
            Console.error("error: `stagehost \(parsed.command.name)` is in the table of commands but is not dispatched")
            return .internalError
        }
    }
}
