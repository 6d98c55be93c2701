import StageCommand
import Testing

@Test func `the table has no two commands, options or letters of one name`() {
    #expect(Set(CommandTable.all.map(\.name)).count == CommandTable.all.count)
    for command in CommandTable.all {
        #expect(Set(command.allOptions.map(\.long)).count == command.allOptions.count, "\(command.name)")
        let letters = command.allOptions.compactMap(\.short)
        #expect(Set(letters).count == letters.count, "\(command.name)")
        let firstOptional = command.arguments.firstIndex { !$0.isRequired } ?? command.arguments.count
        #expect(command.arguments[firstOptional...].allSatisfy { !$0.isRequired }, "\(command.name)")
    }
}

@Test func `every command has an example that it understands itself`() {
    let parser = CommandLineParser(commands: CommandTable.all)
    for command in CommandTable.all {
        #expect(!command.examples.isEmpty, "\(command.name)")
        for example in command.examples {
            let line = example.command.replacing("source <(", with: "").replacing(")", with: "")
            let words = line.split(separator: " ").map(String.init).prefix { $0 != "|" && $0 != ">" }
            guard case .command(let parsed) = parser.parse(Array(words.dropFirst())) else {
                Issue.record("\(example.command) is not understood")
                continue
            }
            #expect(words.first == "stagehost" && parsed.command.name == command.name)
        }
    }
}

@Test func `exit codes are those of the documentation`() {
    #expect(ExitCode.allCases.map(\.rawValue) == [0, 3, 4, 64, 65, 66, 69, 70, 73, 74, 75, 78])
}

@Test func `help looks as it always has`() throws {
    try Golden.expect(Help.overview(commands: CommandTable.all), "overview.txt")
    try Golden.expect(CommandTable.all.map(Help.short).joined(separator: "\n---\n"), "help-short.txt")
    try Golden.expect(CommandTable.all.map(Help.long).joined(separator: "\n---\n"), "help-long.txt")
}

@Test func `help fits a hundred columns`() {
    for command in CommandTable.all {
        for line in Help.long(command).split(separator: "\n") where !line.hasPrefix("  stagehost") {
            #expect(line.count <= 100, "\(command.name): \(line)")
        }
    }
}

@Test func `the manual and the completions look as they always have`() throws {
    try Golden.expect(ManPage.text(commands: CommandTable.all, version: "1.2.3"), "man.txt")
    for shell in Completions.Shell.allCases {
        try Golden.expect(Completions.script(for: shell, commands: CommandTable.all), "completions.\(shell.rawValue)")
    }
}

@Test func `every option of every command is in the manual and in all completions`() {
    let manual = ManPage.text(commands: CommandTable.all, version: "1")
    let scripts = Completions.Shell.allCases.map { Completions.script(for: $0, commands: CommandTable.all) }
    for option in CommandTable.all.flatMap(\.options) {
        #expect(manual.contains("\\-\\-" + option.long.replacing("-", with: "\\-")))
        for script in scripts { #expect(script.contains("-\(option.long)") || script.contains("-l \(option.long)")) }
    }
}
