import Foundation
import Testing

/// Pipelines, plugins and records that a document shows are what it says they are.
@Suite struct DocumentExampleTests {
    @Test(arguments: try Document.all(with: "json5"))
    func everyPipelineIsValid(_ document: Document) throws {
        let job = try Job("{}")
        if document.text.contains("plugin: \"shout\"") { try Self.addShout(to: job) }
        for block in document.blocks(in: "json5") {
            for (index, pipeline) in Self.pipelines(of: block.text, "\(document.path):\(block.line)").enumerated() {
                let file = "shown-\(block.line)-\(index).json5"
                try job.write(file, pipeline)
                let result = try job.command("validate", file)
                #expect(result.code == 0, "\(document.path):\(block.line): \(result.output)")
            }
        }
    }

    /// The plugin that pages have their readers compile.
    private static func addShout(to job: Job) throws {
        let compiler = try #require(Programs.find("gcc", "cc", "clang"), "no C compiler on PATH: install gcc or clang")
        try job.write("plugins/.keep", "")
        let built = try Programs.run(
            compiler,
            ["-shared", "-fPIC", "-I", Programs.repository + "/Sources/CStage/include", "-o", job.path("plugins/libstage-shout.so"),
             Programs.repository + "/examples/plugins/c/shout.c"])
        try #require(built.code == 0, "\(built.output)")
    }

    /// A pipeline as it is; keys of one, and each of some stages, in a small one.
    private static func pipelines(of text: String, _ place: String) -> [String] {
        if text.contains("stages:") { return [text] }
        guard text.hasPrefix("{") else { return [pipeline(keys: text, stages: [])] }
        // Each begins at the beginning of a line, and a comma stands between two.
        let stages = text.trimmingCharacters(in: .newlines).replacing("\n{", with: "\n\n{").components(separatedBy: "\n\n")
        #expect(stages.dropLast().allSatisfy { $0.hasSuffix(",") }, "\(place): no comma between two stages")
        return stages.map { pipeline(keys: "", stages: [$0.trimmingCharacters(in: [","])]) }
    }

    private static func pipeline(keys: String, stages: [String]) -> String {
        let all = stages.joined(separator: ",\n")
        let needsSource = !all.contains("plugin: \"read-"), needsSink = !all.contains("plugin: \"write-")
        let parts = [needsSource ? Stages.read.replacing("\"read\"", with: "\"first\"") : nil, stages.isEmpty ? nil : all,
                     needsSink ? Stages.write.replacing("\"write\"", with: "\"last\"") : nil]
        let lines = keys.isEmpty ? "" : keys.trimmingCharacters(in: [",", "\n"]) + ","
        return "{ \(lines)\nstages: [\n\(parts.compactMap { $0 }.joined(separator: ",\n"))\n] }"
    }

    @Test(arguments: try Document.all(with: "json"))
    func everyRecordIsJSON(_ document: Document) {
        for block in document.blocks(in: "json") where jsonObject(block.text) == nil {
            for line in block.text.split(separator: "\n") {
                #expect(jsonObject(String(line)) != nil, "\(document.path):\(block.line): \(line)")
            }
        }
    }

    /// What looks like JSON says so, and is held to it.
    @Test(arguments: try Document.all())
    func noRecordStandsUnchecked(_ document: Document) {
        for block in document.blocks(in: "") where block.text.hasPrefix("{") {
            Issue.record("\(document.path):\(block.line): a block of JSON without its language")
        }
    }

    @Test(arguments: try Document.all(with: "c"))
    func everyPluginInCCompiles(_ document: Document) throws {
        guard let compiler = Programs.find("gcc", "cc", "clang") else {
            withKnownIssue("no C compiler on PATH: not tested") { Issue.record("no C compiler") }
            return
        }
        let job = try Job("{}")
        for block in document.blocks(in: "c") {
            try job.write("shown.c", block.text)
            let words = ["-fsyntax-only", "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", Programs.repository + "/Sources/CStage/include"]
            let built = try Programs.run(compiler, words + [job.path("shown.c")])
            #expect(built.code == 0, "\(document.path):\(block.line): \(built.output)")
        }
    }

    /// In the eyes of the compiler, with the module StageKit that was built for these tests. What imports nothing is the inside of a
    /// function that may throw.
    @Test(arguments: try Document.all(with: "swift"))
    func everyPluginInSwiftTypechecks(_ document: Document) throws {
        guard let compiler = Programs.find("swiftc") else {
            withKnownIssue("no swiftc on PATH: not tested") { Issue.record("no swiftc") }
            return
        }
        let job = try Job("{}")
        let folder = Programs.folder + "/CStage.build"
        for block in document.blocks(in: "swift") {
            let whole = block.text.contains("import ")
            try job.write("shown.swift", whole ? block.text : "import StageKit\nfunc shown() throws {\n\(block.text)\n}\n")
            let built = try Programs.run(
                compiler,
                ["-typecheck", "-parse-as-library", "-swift-version", "6", "-I", Programs.folder + "/Modules", "-I", folder,
                 "-module-cache-path", job.path("cache"), job.path("shown.swift")])
            #expect(built.code == 0, "\(document.path):\(block.line): \(built.output)")
        }
    }
}
