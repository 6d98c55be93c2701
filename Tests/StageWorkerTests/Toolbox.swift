import Foundation

/// A folder that is gone after the test, and the C compiler to fill it.
final class Toolbox {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("stage-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        return path(name)
    }

    static var root: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    static var compiler: URL {
        get throws {
            let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            for name in ["cc", "gcc", "clang"] {
                for folder in folders {
                    let file = URL(fileURLWithPath: String(folder)).appendingPathComponent(name)
                    if FileManager.default.isExecutableFile(atPath: file.path) { return file }
                }
            }
            throw TestFailure("no C compiler on PATH: install gcc or clang")
        }
    }

    static func run(_ program: URL, _ arguments: [String]) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    /// Builds a shared library of C code; the header is included already.
    func library(_ name: String, _ code: String, _ flags: [String] = []) throws -> String {
        let source = try write("\(name).c", "#include <stage.h>\n" + code)
        let result = path("lib\(name).so")
        let include = Self.root.appendingPathComponent("Sources/CStage/include").path
        let built = try Self.run(
            try Self.compiler, ["-shared", "-fPIC", "-g", "-I", include, "-o", result, source, "-lpthread"] + flags)
        guard built.code == 0 else { throw TestFailure(built.output) }
        return result
    }

    /// A transform around the body of `process`.
    func transform(_ name: String, flags: String = "0", before: String = "", _ body: String) throws -> String {
        try library(
            name,
            """
            #include <unistd.h>
            #include <string.h>
            #include <stdlib.h>
            #include <stdio.h>
            static const stage_host *host;
            static stage_status open_(const stage_host *given, void **self) { host = given; *self = 0; return STAGE_OK; }
            \(before)
            static stage_status process(void *self, const stage_batch *batch, const stage_output *o) {
              (void)self;
              \(body)
              return STAGE_OK;
            }
            static const stage_plugin plugin = {.struct_size = sizeof plugin, .kind = STAGE_KIND_TRANSFORM, .flags = \(flags),
              .id = "\(name)", .version = "1", .description = "test", .open = open_, .process = process};
            const stage_plugin *stage_plugin_v1(void) { return &plugin; }
            """)
    }
}
