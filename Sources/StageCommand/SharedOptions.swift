/// Options that several commands have, written once.
extension OptionSpec {
    static let json = OptionSpec("json", help: "Print JSON for a program to read")
    static let stateDirectory = OptionSpec(
        "state-dir", nil, "DIR", form: .folder, default: ".stagehost", help: "Where jobs are kept (STAGEHOST_STATE_DIR)"
    )
    static let set = OptionSpec(
        "set", nil, "KEY=VALUE", repeated: true, help: "Set one value of the pipeline: stages.extract.workers=4")
    static let pluginPath = OptionSpec(
        "plugin-path", nil, "DIRS", form: .folder, repeated: true,
        help: "Look for plugins here first; several folders with colons (STAGEHOST_PLUGIN_PATH)")
    static let quiet = OptionSpec("quiet", "q", help: "Print errors only")
    static let verbose = OptionSpec("verbose", "v", help: "Print every event")
    static let follow = OptionSpec("follow", "f", help: "Go on as more arrives")
    static let timeLimit = OptionSpec(
        "time-limit", nil, "TIME", form: .duration, help: "Drain and exit 75 after this time: 55m")
    static let plugin = OptionSpec("plugin", nil, "FILE", form: .file, help: "Use this build of the plugin")

    /// Which dead letters a command is about.
    static let letterFilters = [
        OptionSpec("stage", nil, "STAGE", help: "Only those of this stage"),
        OptionSpec("category", nil, "NAME", help: "Only those of this category: permanent, crash, timeout"),
        OptionSpec("key", nil, "KEY", help: "Only those of records with this key"),
        OptionSpec("crashed-by", nil, "DIGEST", help: "Only those that this build of the plugin failed on"),
    ]
}

extension ArgumentSpec {
    static let pipeline = ArgumentSpec("PIPELINE", "The pipeline file", form: .file)
    static let job = ArgumentSpec("JOB", "The name of the job", form: .job)
    static let stage = ArgumentSpec("STAGE", "The name of the stage", form: .stage)
    static let anyStage = ArgumentSpec("STAGE", "Only this stage", form: .stage, isRequired: false)
    static let letter = ArgumentSpec("LETTER", "The number of the dead letter, as `failures` shows it")
}
