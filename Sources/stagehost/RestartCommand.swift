import LinuxIO
import StageCommand
import StageConfig
import StageControl
import StageModel
import StageRuntime

/// `stagehost restart JOB STAGE`: new workers for a stage of a running job, also with another build of its plugin. For a job that
/// does not run, another build is kept for the next run.
enum RestartCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            let stage = arguments.argument("STAGE")
            let index = try job.stage(named: stage)
            let plugin = try pluginFile(arguments)
            if let reply = try HostLine(job).tell(.restart(stage: stage, plugin: plugin), isWish: false) {
                return reply.isOK ? .complete : reply.isDenial ? .interrupted : .pluginRefused
            }
            guard let plugin else {
                throw CommandFailure(
                    "stage \"\(stage)\" cannot be restarted: no host runs job \"\(job.name)\"",
                    help: "`stagehost resume \(job.name)` starts it, with new workers", .interrupted)
            }
            Screen.show([try keep(plugin, for: index, of: try StoredJob.named(arguments))])
            return .complete
        }
    }

    /// The host has a working directory of its own: it gets the path from the root.
    private static func pluginFile(_ arguments: ParsedCommand) throws(CommandFailure) -> String? {
        guard let file = arguments.string("plugin") else { return nil }
        if let path = absolutePath(file), Surroundings.fileExists(path) { return path }
        let folder = file.contains("/") ? parentFolder(of: file) : "."
        let name = file.split(separator: "/").last.map(String.init) ?? file
        let libraries = Surroundings.files(in: folder).filter { $0.hasSuffix(".so") }
        throw CommandFailure(
            "there is no plugin \(file)", found: fileExists(file) ? "something that is no file" : nil,
            expected: "the file of a build: libstage-NAME.so",
            help: Suggestion.question(for: name, among: libraries) ?? "give its path with --plugin", .pluginRefused)
    }

    /// Writes down that the next run is to begin with a build.
    ///
    /// - Returns: What there is to say.
    private static func keep(_ plugin: String, for index: Int, of job: StoredJob) throws(CommandFailure) -> String {
        switch job.rest {
        case .complete:
            throw CommandFailure("job \"\(job.name)\" is complete: there is nothing to restart", .interrupted)
        case .stopped: throw .stopped(job.name)
        case .paused, .unfinished: break
        }
        let stage = try job.requirePipeline().stages[index]
        let refusal = "stage \"\(stage.name.value)\" cannot go on with \(plugin)"
        let description: PluginDescription
        switch PluginProbe.describe(plugin) {
        case .success(let described): description = described
        case .failure(let problem): throw CommandFailure(refusal, found: problem.message, .pluginRefused)
        }
        guard description.kind.rawValue == job.kind(index).name else {
            throw CommandFailure(
                refusal, found: "a \(description.kind.rawValue)", expected: "a \(job.kind(index).name)", .pluginRefused)
        }
        if let use = job.plugin(of: stage), let copy = job.keptCopy(of: use),
            case .success(let old) = PluginProbe.describe(copy), old.id != description.id
        {
            throw CommandFailure(
                refusal, found: "\"\(description.id)\"", expected: "a build of \"\(old.id)\"",
                help: "another plugin needs another pipeline", .pluginRefused)
        }
        let taken = try orFail(job.folder) { () throws(SystemError) in try JobDirectory.take(job.folder) }
        guard let directory = taken, var record = JobRecord(folder: job.folder),
            let position = record.plugins.firstIndex(where: { $0.stage == stage.name.value })
        else {
            throw CommandFailure(
                "stage \"\(stage.name.value)\" cannot be restarted now: job \"\(job.name)\" is just beginning, or has never run",
                help: "give the command again when it runs", .interrupted)
        }
        return try orFail(job.folder) { () throws(SystemError) in
            let build = try directory.keepPlugin(plugin, durable: true)
            let words = record.plugins[position].begin(with: build, description.version)
            try record.write(to: job.folder, durable: true)
            return "\(job.name): the next run begins with \(words); `stagehost resume \(job.name)` goes on"
        }
    }
}
