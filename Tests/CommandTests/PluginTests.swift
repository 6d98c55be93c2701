import Foundation
import Testing

/// Builds a shared library of C code.
private func library(_ sandbox: Sandbox, _ name: String, _ code: String) throws {
    try sandbox.write("\(name).c", code)
    try FileManager.default.createDirectory(at: sandbox.path("plugins"), withIntermediateDirectories: true)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
        "cc", "-shared", "-fPIC", "-o", sandbox.path("plugins/libstage-\(name).so").path, sandbox.path("\(name).c").path,
    ]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw TestFailure("no C compiler: install gcc or clang") }
}

@Test func `plugins lists what names stand for`() throws {
    let sandbox = try Sandbox()
    let plugins = try sandbox.stagehost("plugins", "--json").objects()
    let lines = try #require(plugins.first { $0["name"] as? String == "read-lines" })
    #expect(lines["kind"] as? String == "source" && lines["version"] as? String == "1.0.0")
    #expect(lines.isNull("refused") && (lines["path"] as? String)?.hasSuffix("libstage-read-lines.so") == true)
    #expect(!((lines["description"] as? String) ?? "").isEmpty)
    #expect(try sandbox.stagehost("plugins").output.contains("read-lines"))
}

@Test func `a plugin that crashes, hangs or says nothing is refused, and the others are listed`() throws {
    let sandbox = try Sandbox()
    try library(sandbox, "crashes", "__attribute__((constructor)) static void begin(void) { *(volatile int *)0 = 1; }")
    try library(sandbox, "hangs", "__attribute__((constructor)) static void begin(void) { for (;;) ; }")
    try library(sandbox, "silent", "int nothing;")
    let plugins = try sandbox.stagehost("plugins", "--plugin-path", "plugins", "--json").objects()
    func refusal(_ name: String) -> String {
        plugins.first { $0["name"] as? String == name }?["refused"] as? String ?? "not refused"
    }
    #expect(refusal("crashes").contains("SIGSEGV"))
    #expect(refusal("hangs").contains("hangs"))
    #expect(refusal("silent").contains("stage_plugin_v1"))
    #expect(plugins.contains { $0["name"] as? String == "write-lines" && $0.isNull("refused") })
    #expect(try sandbox.stagehost("plugins", "show", "plugins/libstage-silent.so").code == 69)
}

@Test func `plugins show tells everything of one plugin, by name and by file`() throws {
    let sandbox = try Sandbox()
    let byName = try sandbox.stagehost("plugins", "show", "read-lines", "--json").object()
    let options = try #require(byName["options"] as? [[String: Any]])
    let path = try #require(options.first { $0["name"] as? String == "path" })
    #expect(path["required"] as? Bool == true && path.isNull("default"))
    #expect(options.first { $0["name"] as? String == "max_line_bytes" }?.number("default") == 16_777_216)
    for key in ["id", "version", "description", "flags", "max_workers", "functions", "digest", "config_schema"] {
        #expect(byName[key] != nil, "\(key)")
    }
    let file = try #require(byName["path"] as? String)
    #expect(try sandbox.stagehost("plugins", "show", file, "--json").object()["digest"] as? String == byName["digest"] as? String)
    #expect(try sandbox.stagehost("plugins", "show", "read-lines").output.contains("max_line_bytes"))
    let unknown = try sandbox.stagehost("plugins", "show", "read-linse")
    #expect(unknown.code == 69 && unknown.errors.contains("did you mean \"read-lines\"?"))
}

@Test func `validate holds the configuration of a plugin against its schema, with places`() throws {
    let sandbox = try Sandbox()
    try sandbox.write(
        "demo.json5",
        """
        { stages: [
          { name: "read", plugin: "read-lines", with: { paht: "in.txt" } },
          { name: "write", plugin: "write-lines", with: { path: "out.txt", format: "xml" } } ] }
        """)
    let ended = try sandbox.stagehost("validate", "demo.json5", "--json")
    #expect(ended.code == 78)
    let problems = try ended.objects()
    #expect(problems.contains { $0.number("line") == 2 && ($0["message"] as? String)?.contains("paht") == true })
    #expect(problems.contains { $0.number("line") == 3 && ($0["message"] as? String)?.contains("format") == true })
}

@Test func `a run that the schema of a plugin refuses shows the place, and the mended pipeline is taken without more ado`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("in.txt", "one\ntwo\n")
    func pipeline(_ key: String) -> String {
        """
        { name: "demo", stages: [
          { name: "read", plugin: "read-lines", with: { \(key): "in.txt" } },
          { name: "write", plugin: "write-lines", with: { path: "out.txt" } } ] }
        """
    }
    try sandbox.write("demo.json5", pipeline("paht"))
    let refused = try sandbox.stagehost("run", "demo.json5")
    #expect(refused.code == 78)
    #expect(refused.errors.contains("demo.json5:2:") && refused.errors.contains("did you mean \"path\"?"))
    #expect(try sandbox.stagehost("status", "demo", "--json").object()["state"] as? String == "failed")
    try sandbox.write("demo.json5", pipeline("path"))
    #expect(try sandbox.stagehost("run", "demo.json5").code == 0)
    #expect(try sandbox.text("out.txt") == "one\ntwo\n")
}
