/// Every command of stagehost, in the order of the help.
///
/// To switch a command on, change its `isAvailable`.
package enum CommandTable {
    package static let program = "stagehost"
    package static let summary = "run pipelines of native stages that may crash, and lose nothing"

    package static let all: [CommandSpec] = running + reading + mending + describing

    /// The commands that can be used.
    package static var available: [CommandSpec] { all.filter(\.isAvailable) }

    private static let running: [CommandSpec] = [
        CommandSpec(
            "run", "Run a pipeline, or go on with its unfinished job",
            details: """
                The same command again goes on where the job was, also after a crash of everything; when the job is done \
                it says so. Ctrl-C drains and says how to resume; a second one leaves at once. SIGUSR1 shows the status, \
                SIGHUP reads the pipeline file again: workers, rates, limits and retries may change while the job runs.
                """,
            arguments: [.pipeline],
            options: [
                OptionSpec("job", "j", "ID", help: "Name of the job (default: the name of the pipeline)"),
                .stateDirectory, .set, .pluginPath,
                OptionSpec("fresh", help: "Start over: throw the job's progress away"),
                OptionSpec("skip", nil, "N", form: .count, help: "Skip the first N records"),
                OptionSpec("limit", nil, "N", form: .count, help: "End after N records"),
                .timeLimit,
                OptionSpec("keep", help: "Keep log segments that nobody needs any more"),
                OptionSpec("metrics", nil, "FILE", form: .file, help: "Write metrics there, every two seconds"),
                .quiet, .verbose,
            ],
            examples: [
                CommandExample("stagehost run index.json5", "run it, or go on with it"),
                CommandExample(
                    "stagehost run index.json5 --set stages.terms.workers=4", "with four workers in one stage"),
                CommandExample("stagehost run index.json5 --job trial --limit 100", "a trial of 100 records"),
            ], isAvailable: true),
        CommandSpec(
            "resume", "Go on with a paused, interrupted or failed job", arguments: [.job],
            options: [.stateDirectory, .set, .timeLimit, .quiet, .verbose],
            examples: [CommandExample("stagehost resume index", "go on where it was")], isAvailable: true),
        CommandSpec(
            "pause", "Let a job finish what it has in hand, and wait",
            details: "Ends when nothing is in hand any more. A pause outlives the job's host; `resume` ends it.", arguments: [.job],
            options: [OptionSpec("release", help: "Let the workers leave, too"), .stateDirectory],
            examples: [
                CommandExample("stagehost pause index", "pause until `stagehost resume index`"),
                CommandExample("stagehost pause index --release", "give back what the workers hold"),
            ],
            isAvailable: true),
        CommandSpec(
            "stop", "End a job for good", details: "A stopped job cannot be resumed; `run --fresh` starts it over.",
            arguments: [.job], options: [.stateDirectory],
            examples: [CommandExample("stagehost stop index", "drain and end it")], isAvailable: true),
        CommandSpec(
            "restart", "Restart a stage while its job runs",
            details: """
                New workers are ready before the old ones leave: no batch is lost and none is done twice. With --plugin \
                a new build takes over; if it does worse than the old one in its first batches, the old one comes back. \
                Later runs go on with it until the pipeline's plugin changes. For a job that does not run, the build is kept \
                for its next run. To go back, give the pipeline's plugin.
                """,
            arguments: [.job, .stage], options: [.plugin, .stateDirectory],
            examples: [
                CommandExample("stagehost restart index terms", "restart its workers"),
                CommandExample(
                    "stagehost restart index terms --plugin build/libstage-count-terms.so", "with a repaired build"),
            ], isAvailable: true),
    ]

    private static let reading: [CommandSpec] = [
        CommandSpec(
            "jobs", "List the jobs", options: [.json, .stateDirectory],
            examples: [CommandExample("stagehost jobs", "all jobs with their state")], isAvailable: true),
        CommandSpec(
            "status", "Show how a job is doing", arguments: [.job], options: [.json, .stateDirectory],
            examples: [CommandExample("stagehost status index --json", "for a program to read")], isAvailable: true),
        CommandSpec(
            "watch", "Show a job as it runs",
            details: "Ends when the job's host ends, or with q. Where the output is no terminal, it is a line every few seconds.",
            arguments: [.job], options: [.stateDirectory],
            examples: [CommandExample("stagehost watch index", "the live table, from any terminal")],
            isAvailable: true),
        CommandSpec(
            "checkpoints", "Show what each stage has committed", arguments: [.job, .anyStage],
            options: [.json, .stateDirectory],
            examples: [
                CommandExample("stagehost checkpoints index", "of all stages"),
                CommandExample("stagehost checkpoints index tally --json", "of one, with its state"),
            ], isAvailable: true),
        CommandSpec(
            "events", "Show what happened in a job", arguments: [.job],
            options: [
                .json, .follow, OptionSpec("stage", nil, "STAGE", help: "Only events of this stage"), .stateDirectory,
            ],
            examples: [CommandExample("stagehost events index --follow", "as they come")], isAvailable: true),
        CommandSpec(
            "logs", "Show what the plugin of a stage wrote", arguments: [.job, .stage],
            options: [
                .follow, OptionSpec("lines", "n", "N", form: .count, default: "all", help: "The last N lines"),
                .stateDirectory,
            ],
            examples: [CommandExample("stagehost logs index terms --follow", "as it comes")], isAvailable: true),
        CommandSpec(
            "metrics", "Print the metrics of a job",
            details: "In the text format of Prometheus, which its textfile collector reads, or in OpenMetrics text.",
            arguments: [.job], options: [OptionSpec("openmetrics", help: "In OpenMetrics text"), .stateDirectory],
            examples: [
                CommandExample("stagehost metrics index", "once, to the standard output"),
                CommandExample("stagehost metrics index | promtool check metrics", "checked by Prometheus's own tool"),
            ], isAvailable: true),
        CommandSpec(
            "report", "Print the report of a job",
            details: "At the end of each run the same stands in its directory, as report.json and report.html.",
            arguments: [.job],
            options: [
                .json, OptionSpec("html", nil, "FILE", form: .file, help: "Write it as a page instead"), .stateDirectory,
            ],
            examples: [
                CommandExample("stagehost report index", "for people"),
                CommandExample("stagehost report index --html report.html", "as a page"),
            ], isAvailable: true),
    ]

    private static let mending: [CommandSpec] = [
        CommandSpec(
            "failures", "List the dead letters of a job", arguments: [.job],
            options: OptionSpec.letterFilters + [
                OptionSpec("summary", help: "Group them by category and message"),
                OptionSpec("export", nil, "FILE", form: .file, help: "Write them as JSON lines to a file"),
                OptionSpec("limit", nil, "N", form: .count, help: "At most N of them"), .json,
                .stateDirectory,
            ],
            examples: [
                CommandExample("stagehost failures index --summary", "what failed, at a glance"),
                CommandExample("stagehost failures index --category crash --json", "those that killed a worker"),
            ], isAvailable: true),
        CommandSpec(
            "retry", "Try dead letters again",
            details: """
                They go through the stage where they failed, and on to the sink. What fails again is a dead letter again, with \
                its history. If no host has the job, this command goes on with it, as `resume` does.
                """,
            arguments: [.job],
            options: OptionSpec.letterFilters + [
                OptionSpec("limit", nil, "N", form: .count, help: "At most N of them"),
                OptionSpec("plugin", nil, "FILE", form: .file, help: "Use this build of the plugin of --stage from now on"),
                OptionSpec("dry-run", help: "Only say which"), .set, .timeLimit, .stateDirectory, .quiet, .verbose,
            ],
            examples: [
                CommandExample("stagehost retry index", "all of them"),
                CommandExample("stagehost retry index --stage terms --plugin ./libstage-terms.so", "after a repair"),
            ],
            isAvailable: true),
        CommandSpec(
            "discard", "Give dead letters up for good",
            details: "They are listed no more and cannot be tried again; the status counts them as discarded.", arguments: [.job],
            options: OptionSpec.letterFilters + [
                OptionSpec("limit", nil, "N", form: .count, help: "At most N of them"),
                OptionSpec("dry-run", help: "Only say which"), .stateDirectory,
            ],
            examples: [CommandExample("stagehost discard index --key docs/broken.md", "those of one document")],
            isAvailable: true),
        CommandSpec(
            "repro", "Run one dead letter again, alone, to find out why",
            details: """
                The record, the build of the plugin that failed on it, the configuration and the state that was there, in a worker \
                of its own. The job is not touched. Exits 0 if the record passes, 4 if it fails or the worker dies.
                """,
            arguments: [.job, .letter],
            options: [
                OptionSpec("gdb", help: "Under gdb"), OptionSpec("valgrind", help: "Under valgrind"), .plugin,
                OptionSpec("export", nil, "DIR", form: .folder, help: "Write a folder that runs by itself"),
                OptionSpec("sink", help: "Also a sink: what it does to the outside is done again"),
                .stateDirectory,
            ],
            examples: [
                CommandExample("stagehost repro index 17", "letter 17"),
                CommandExample("stagehost repro index 17 --gdb", "in a debugger"),
                CommandExample("stagehost repro index 17 --export bug", "as a folder with a run.sh"),
            ],
            isAvailable: true),
        CommandSpec(
            "verify", "Check every log of a job", arguments: [.job],
            options: [OptionSpec("repair", help: "Keep every whole entry of a damaged log"), .json, .stateDirectory],
            examples: [CommandExample("stagehost verify index", "say what is whole, torn or damaged")],
            isAvailable: true),
        CommandSpec(
            "remove", "Delete a job and all it has stored", arguments: [.job],
            options: [.stateDirectory],
            examples: [CommandExample("stagehost remove index", "its logs, its letters, its copies of plugins")], isAvailable: true),
    ]

    private static let describing: [CommandSpec] = [
        CommandSpec(
            "validate", "Check a pipeline file",
            details: "Says everything that is wrong with it, with the place and what to write instead.",
            arguments: [.pipeline], options: [.set, .pluginPath, .json],
            examples: [CommandExample("stagehost validate index.json5", "say what is wrong, or nothing")],
            isAvailable: true),
        CommandSpec(
            "config", "Show every value of a pipeline and where it came from",
            details: "A flag stands above the environment, the environment above the file, the file above the default.",
            arguments: [.pipeline], options: [.set, .json],
            examples: [
                CommandExample("stagehost config index.json5", "as a table"),
                CommandExample("stagehost config index.json5 --set batch.records=500 --json", "what a flag would do"),
            ], isAvailable: true),
        CommandSpec(
            "plugins", "List the plugins that a name can stand for", options: [.pluginPath, .json],
            examples: [CommandExample("stagehost plugins", "with kind, version and description")], isAvailable: true),
        CommandSpec(
            "plugins show", "Show what a plugin is and what it can be told",
            arguments: [ArgumentSpec("PLUGIN", "The name of a plugin, or its file", form: .file)],
            options: [.pluginPath, .json],
            examples: [
                CommandExample("stagehost plugins show read-lines", "by name"),
                CommandExample("stagehost plugins show ./libstage-mine.so", "by file"),
            ], isAvailable: true),
        CommandSpec(
            "schema", "Print a JSON Schema of pipeline files, for editors", options: [.pluginPath],
            examples: [CommandExample("stagehost schema > pipeline.schema.json", "with the options of all plugins")],
            isAvailable: true),
        CommandSpec(
            "completions", "Print completions for a shell",
            arguments: [ArgumentSpec("SHELL", "bash, zsh or fish", form: .choice(["bash", "zsh", "fish"]))],
            examples: [
                CommandExample("source <(stagehost completions bash)", "in ~/.bashrc"),
                CommandExample("stagehost completions fish > ~/.config/fish/completions/stagehost.fish", "for fish"),
            ], isAvailable: true),
        CommandSpec(
            "man", "Print the manual page",
            examples: [CommandExample("stagehost man | man -l -", "read it")], isAvailable: true),
    ]
}
