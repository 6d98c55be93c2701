import StageCommand
import StageConfig
import Testing

private let everything = CommandLineParser(commands: CommandTable.all)

private func parsed(_ line: String) throws -> ParsedCommand {
    let outcome = everything.parse(line.split(separator: " ").map(String.init))
    guard case .command(let command) = outcome else {
        Issue.record("\(line): \(outcome)")
        throw UsageError("", help: "")
    }
    return command
}

private func problem(_ words: [String], _ parser: CommandLineParser = everything) throws -> UsageError {
    guard case .failure(let error) = parser.parse(words) else {
        Issue.record("\(words) was understood")
        throw UsageError("", help: "")
    }
    return error
}

@Test func `options may stand anywhere, in all their forms`() throws {
    let command = try parsed("run -qj trial --set a=1 p.json5 --set=b=2=3 --limit=10 --fresh --time-limit 55m")
    #expect(command.command.name == "run" && command.argument("PIPELINE") == "p.json5")
    #expect(command.has("quiet") && command.has("fresh") && !command.has("verbose"))
    #expect(command.string("job") == "trial" && command.strings("set") == ["a=1", "b=2=3"])
    #expect(command.count("limit") == 10 && command.count("skip") == nil)
    #expect(command.string("state-dir") == ".stagehost")
}

@Test func `after two dashes nothing is an option`() throws {
    let command = try parsed("validate --json -- --odd.json5")
    #expect(command.argument("PIPELINE") == "--odd.json5" && command.has("json"))
    #expect(try parsed("logs -n5 a b").count("lines") == 5)
    #expect(try parsed("validate -").argument("PIPELINE") == "-")
}

@Test func `a command of two words is found before that of one`() throws {
    #expect(try parsed("plugins show keep").command.name == "plugins show")
    #expect(try parsed("plugins --json").command.name == "plugins")
    #expect(try parsed("checkpoints job").optionalArgument("STAGE") == nil)
    #expect(try parsed("checkpoints job tally").optionalArgument("STAGE") == "tally")
}

@Test(arguments: [
    (["rnu", "x"], "did you mean \"run\"?"), (["status", "x", "--jsno"], "did you mean --json?"),
    (["status", "x", "-json"], "did you mean --json?"),
    (["run"], "write stagehost run [options] PIPELINE"), (["run", "a", "b"], "write stagehost run [options] PIPELINE"),
    (["run", "a", "--job"], "write --job ID"), (["run", "a", "--fresh=yes"], "write --fresh alone"),
    (["run", "a", "--limit", "ten"], "write --limit 100"), (["run", "a", "--limit", "-1"], "write --limit 100"),
    (["run", "a", "--limit", "99999999999999999999"], "write --limit 100"),
    (["run", "a", "--time-limit", "30"], "write --time-limit 55m, or 30s, or 1h30m"),
    (["run", "a", "--job", "x", "--job", "y"], "give it once"), (["run", "a", "--job="], "write --job ID"),
    (["completions", "bsh"], "did you mean \"bash\"?"), (["completions", "tcsh"], "one of bash, zsh, fish"),
    ([], "`stagehost --help` lists the commands"), (["elephant"], "`stagehost --help` lists the commands"),
    (["run", ""], "write stagehost run [options] PIPELINE"),
    (["run", "a", "-z"], "`stagehost run -h` lists the options"),
    (["--quiet"], "write stagehost COMMAND --quiet, or see `stagehost --help`"),
])
func `a wrong command line says what to write`(words: [String], help: String) throws {
    #expect(try problem(words).help == help)
}

@Test func `help and version are found in every form`() {
    for words in [
        ["--help"], ["-h"], ["help"], ["run", "-h"], ["run", "--help"], ["help", "run"], ["run", "x", "-qh"],
        ["plugins", "show", "-h"],
    ] {
        guard case .help(let text) = everything.parse(words) else {
            Issue.record("\(words) gave no help")
            continue
        }
        #expect(text.contains("Usage: stagehost"))
    }
    for word in ["--version", "-V", "version"] {
        guard case .version = everything.parse([word]) else {
            Issue.record("\(word) gave no version")
            continue
        }
    }
}

@Test func `a command that is not available is neither parsed nor shown`() throws {
    var hidden = CommandTable.all
    for index in hidden.indices where hidden[index].name == "status" { hidden[index].isAvailable = false }
    let shown = hidden.filter { $0.isAvailable }
    #expect(
        try problem(["status", "x"], CommandLineParser(commands: shown)).message == "there is no command \"status\"")
    #expect(!Help.overview(commands: shown).contains("\n  status "))
    #expect(CommandTable.available.map(\.name) == CommandTable.all.filter(\.isAvailable).map(\.name))
}

@Test func `flags that stand for a value of the pipeline become overrides`() throws {
    let overrides = try parsed("run p --set window=4 --keep --time-limit 5m --metrics m.prom").overrides().get()
    #expect(overrides.map(\.key) == ["window", "keep", "time_limit", "metrics"])
    let text = "{stages: [{name: 'a', plugin: 'a'}, {name: 'b', plugin: 'b'}]}"
    let resolution = Pipeline.resolve(SourceText(name: "p.json5", text: text), directory: "/", overrides: overrides)
    let pipeline = try #require(resolution.pipeline)
    #expect(pipeline.keep.value && pipeline.keep.origin == .flag("--keep"))
    #expect(pipeline.timeLimit.value == .seconds(300) && pipeline.timeLimit.origin == .flag("--time-limit 5m"))
    #expect(pipeline.metrics.value == "m.prom")
    #expect(throws: Diagnostic.self) { try parsed("run p --set window").overrides().get() }
}

@Test func `places come from flags, then the environment, then defaults`() throws {
    #expect(try parsed("jobs").stateDirectory(environment: [:]) == ".stagehost")
    #expect(try parsed("jobs").stateDirectory(environment: ["STAGEHOST_STATE_DIR": "/e"]) == "/e")
    #expect(try parsed("jobs --state-dir /f").stateDirectory(environment: ["STAGEHOST_STATE_DIR": "/e"]) == "/f")
    let command = try parsed("plugins --plugin-path /a:/b --plugin-path /c")
    #expect(
        command.pluginSearchPath(environment: ["STAGEHOST_PLUGIN_PATH": "/d::/e"]) == ["/a", "/b", "/c", "/d", "/e"])
}

@Test func `random words never crash the parser`() {
    let vocabulary = [
        "run", "plugins", "show", "--", "-", "--set", "--set=", "-q", "-qj", "--=", "---", "-=", "é", "", "--json=",
        "-n", "-n=3", "--limit",
    ]
    var state: UInt64 = 1
    for _ in 0..<5000 {
        var words: [String] = []
        for _ in 0..<5 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            words.append(vocabulary[Int(state >> 33) % vocabulary.count])
        }
        if case .failure(let error) = everything.parse(words) { #expect(!error.rendered().isEmpty) }
    }
}
