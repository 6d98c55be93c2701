import StageConfig
import Testing

@Test func `diagnostics look as they always have`() throws {
    let text = """
        {
          bacth: { records: 10 },
          sync: 200,
        \tkeep: "yes",
          stages: [
            { name: "read",  plugin: "read-files", worker: 2, timeout: 10 },
            { name: "read", plugin: "x", memory: "512M", on: { SIGSEG: "poisn" }, limit: "api" },
            { plugin: "y", with: 5 },
          ],
        }
        """
    let resolution = try resolve(
        text, set: ["stages.raed.workers=4", "window=many"],
        environment: ["STAGEHOST_KEEP": "maybe", "STAGEHOST_SYNK": "1"])
    try Golden.expect(resolution.diagnostics.map { $0.rendered() + "\n" }.joined(separator: "\n"), "diagnostics.txt")
}

@Test func `errors of syntax look as they always have`() throws {
    let texts = [
        "{\n  name: \"a\"\n  stages: []\n}", "{ name: index }", "{ time: 5s }", "{ my-key: 1 }", "{ a: \"x\n }",
        "{ a: [1, 2",
        "{ a: 1, a: 2 }", "{ a: 0123 }", "{ a: NaN }", "{ a: 12345678901234567890 }",
    ]
    let rendered = try texts.map { try resolve($0).diagnostics.map { $0.rendered() + "\n" }.joined() }
    try Golden.expect(rendered.joined(separator: "\n"), "syntax.txt")
}

@Test func `text from outside cannot steer the terminal`() throws {
    let resolution = try resolve("{ \"\\u001b[2J\": \"\u{1B}[31m\u{202E}\", stages: 1 }")
    let text = resolution.diagnostics.map { $0.rendered() }.joined()
    #expect(!text.unicodeScalars.contains { $0.value == 0x1B || $0.value == 0x202E })
    #expect(text.contains("\\u{1b}"))
}

@Test func `a very long line is cut around the place`() throws {
    let text =
        "{ a: '\(String(repeating: "x", count: 100_000))', bad: 1, b: '\(String(repeating: "y", count: 100_000))' }"
    let resolution = try resolve(text)
    for diagnostic in resolution.diagnostics {
        #expect(diagnostic.rendered().split(separator: "\n").allSatisfy { $0.count < 400 })
    }
    let bad = try #require(resolution.errors.first { $0.message == "unknown key \"bad\"" })
    let lines = bad.rendered().split(separator: "\n")
    let caret = try #require(lines[4].firstIndex(of: "^")).utf16Offset(in: lines[4])
    #expect(lines[3].dropFirst(caret).hasPrefix("bad: 1"))
}

@Test func `a diagnostic is a JSON object for editors`() throws {
    let problem = try #require(try resolve("{stages: 5}").diagnostics.first)
    #expect(problem.json["line"] == .integer(1) && problem.json["column"] == .integer(10))
    #expect(problem.json["severity"] == .string("error") && problem.json["file"] == .string("jobs/test.json5"))
}

@Test func `a file is read, a missing one, a folder and a device are refused`() throws {
    #expect(try PipelineFile.read(#filePath).get().source.bytes.count > 100)
    for path in ["/nonexistent/x.json5", "/tmp", "/dev/null"] {
        guard case .failure(let problem) = PipelineFile.read(path) else {
            Issue.record("\(path) was read")
            continue
        }
        #expect(problem.isMissing && problem.diagnostic.message.contains(path))
    }
}
