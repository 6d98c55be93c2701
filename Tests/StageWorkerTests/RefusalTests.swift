import Foundation
import Glibc
import StageWire
import Testing

@Suite struct RefusalTests {
    /// The refusal as the host sees it; the worker leaves with 69.
    private func refusal(_ plugin: String) throws -> String {
        let host = try TestHost(plugin)
        let frame = try host.receive()
        #expect(frame.header.type == .refused)
        #expect(frame.header.status == 3)
        #expect(try host.exitCode() == 69)
        return frame.message ?? ""
    }

    private let tools: Toolbox
    init() throws { tools = try Toolbox() }

    @Test func `a file that is not there`() throws {
        #expect(try refusal(tools.path("none.so")).contains("found no such file"))
    }

    @Test func `a folder`() throws {
        #expect(try refusal(tools.folder.path).contains("expected a readable file"))
    }

    @Test func `a text file`() throws {
        let path = try tools.write("text.so", "#include <stage.h>\n")
        #expect(try refusal(path).contains("found a file that is not ELF"))
    }

    @Test func `a library for another machine`() throws {
        let path = try tools.transform("foreign", "")
        try patch(path, 18, [243, 0])
        #expect(try refusal(path).contains("found a library for RISC-V"))
    }

    @Test func `a 32-bit library`() throws {
        let path = try tools.transform("small", "")
        try patch(path, 4, [1])
        #expect(try refusal(path).contains("found a 32-bit ELF file"))
    }

    @Test func `an object file`() throws {
        let source = try tools.write("o.c", "int x;")
        let object = tools.path("o.so")
        #expect(try Toolbox.run(try Toolbox.compiler, ["-c", "-o", object, source]).code == 0)
        #expect(try refusal(object).contains("found an object file"))
    }

    @Test func `a library without the entry`() throws {
        let path = try tools.library("empty", "int unrelated;")
        #expect(try refusal(path).contains("found a library without stage_plugin_v1"))
    }

    @Test func `a plugin of a later protocol`() throws {
        let path = try tools.library("later", "STAGE_EXPORT const void *stage_plugin_v2(void) { return 0; }")
        let message = try refusal(path)
        #expect(message.contains("found stage protocol 2"))
        #expect(message.contains("expected stage protocol 1"))
    }

    @Test func `a library that needs one that is not installed`() throws {
        let needed = try tools.library("needed", "int needed(void) { return 1; }")
        let path = try tools.library("needing", "int needed(void); int use(void) { return needed(); }", ["-L\(tools.folder.path)", "-lneeded"])
        try FileManager.default.removeItem(atPath: needed)
        let message = try refusal(path)
        #expect(message.contains("needs libneeded.so, which is not installed"))
        #expect(message.contains("install the package"))
    }

    @Test func `a library with a symbol that nobody defines`() throws {
        let path = try tools.library("undefined", "int nowhere(void); int use(void) { return nowhere(); }")
        #expect(try refusal(path).contains("undefined symbol"))
    }

    @Test(arguments: [
        (".struct_size = 8, .kind = 2", "found a table of 8 bytes"),
        (".struct_size = sizeof p, .kind = 9", "found kind 9"),
        (".struct_size = sizeof p, .kind = 2, .flags = 128", "found flags 0x80"),
        (".struct_size = sizeof p, .kind = 2", "found NULL for `id`"),
        (".struct_size = sizeof p, .kind = 2, .id = \"x\", .version = \"1\", .description = \"d\", .open = open_", "found NULL for `process`"),
        (".struct_size = sizeof p, .kind = 1, .id = \"x\", .version = \"1\", .description = \"d\", .open = open_", "found NULL for `read`"),
        (".struct_size = sizeof p, .kind = 2, .id = \"\", .version = \"1\", .description = \"d\", .open = open_, .process = process", "found `id` of 0 bytes"),
        (".struct_size = sizeof p, .kind = 2, .id = \"x\", .version = \"1\", .description = \"d\", .config_schema = \"{no}\", .open = open_, .process = process", "config_schema"),
    ])
    func `a table with a fault`(_ members: String, _ words: String) throws {
        let path = try tools.library(
            "table",
            """
            static stage_status open_(const stage_host *h, void **s) { (void)h; *s = 0; return 0; }
            static stage_status process(void *s, const stage_batch *b, const stage_output *o) { (void)s; (void)b; (void)o; return 0; }
            void *keep[] = {open_, process};
            static const stage_plugin p = {\(members)};
            const stage_plugin *stage_plugin_v1(void) { return &p; }
            """, ["-w"])
        let message = try refusal(path)
        #expect(message.contains(words), "\(message)")
        #expect(message.contains(path))
    }

    @Test(arguments: [("STAGE_FATAL", UInt32(3)), ("STAGE_RETRY", UInt32(1))])
    func `a plugin that does not open says why`(_ status: String, _ raw: UInt32) throws {
        let path = try tools.library(
            "closed",
            """
            static stage_status open_(const stage_host *h, void **s) { *s = 0; h->fail_open(h, stage_text("no database")); return \(status); }
            static stage_status process(void *s, const stage_batch *b, const stage_output *o) { (void)s; (void)b; (void)o; return 0; }
            static const stage_plugin p = {.struct_size = sizeof p, .kind = 2, .id = "x", .version = "1", .description = "d", .open = open_, .process = process};
            const stage_plugin *stage_plugin_v1(void) { return &p; }
            """)
        let host = try TestHost(path)
        let answer = try host.open()
        #expect(answer.header.type == .refused)
        #expect(answer.header.status == raw)
        #expect(answer.header.dispatch == 1)
        #expect(answer.message == "no database")
        #expect(try host.exitCode() == 69)
    }

    @Test func `describing prints one JSON object, whatever the plugin prints`() throws {
        let path = try tools.transform(
            "chatty", before: "__attribute__((constructor)) static void early(void) { printf(\"noise\\n\"); }", "")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: TestHost.workerPath)
        process.arguments = ["--describe", path]
        let (out, words) = (Pipe(), Pipe())
        process.standardOutput = out
        process.standardError = words
        try process.run()
        let data = try out.fileHandleForReading.readToEnd() ?? Data()
        let noise = try words.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["id"] as? String == "chatty")
        #expect(object["kind"] as? String == "transform")
        #expect(object["functions"] as? [String] == ["process"])
        #expect(object["config_schema"] is NSNull)
        #expect(String(decoding: noise, as: UTF8.self) == "noise\n")
    }

    @Test func `describing what is refused exits 69 with the words on stderr`() throws {
        let result = try Toolbox.run(URL(fileURLWithPath: TestHost.workerPath), ["--describe", tools.path("none.so")])
        #expect(result.code == 69)
        #expect(result.output.contains("found no such file"))
    }

    private func patch(_ path: String, _ offset: UInt64, _ bytes: [UInt8]) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }
}
