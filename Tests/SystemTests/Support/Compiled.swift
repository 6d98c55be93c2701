import Foundation
import Testing

/// A plugin that a test has written in C; its folder goes with it.
final class Compiled {
    let path: String
    private let folder: String

    private init(path: String, folder: String) {
        self.path = path
        self.folder = folder
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Compiles a transform, or a plugin of another kind where `table` says so.
    ///
    /// - Returns: nil, with a known issue, where there is no compiler.
    static func plugin(
        _ name: String, _ code: String = "", kind: String = "STAGE_KIND_TRANSFORM", flags: String = "0", process: String
    ) throws -> Compiled? {
        guard let compiler = Programs.find("gcc", "cc", "clang") else {
            withKnownIssue("no C compiler on PATH: not tested") { Issue.record("no C compiler") }
            return nil
        }
        let folder = FileManager.default.temporaryDirectory.path + "/stage-plugin-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let result = Compiled(path: folder + "/libstage-\(name).so", folder: folder)
        let source = """
            #include <stage.h>
            static stage_status open_stage(const stage_host *host, void **self) { (void)host; *self = 0; return STAGE_OK; }
            \(code)
            static stage_status process(void *self, const stage_batch *batch, const stage_output *output) {
              (void)self;
            \(process)
              return STAGE_OK;
            }
            static const stage_plugin plugin = {.struct_size = sizeof plugin, .kind = \(kind), .flags = \(flags), .id = "\(name)",
              .version = "1", .description = "test", .open = open_stage, .process = process};
            STAGE_EXPORT const stage_plugin *stage_plugin_v1(void) { return &plugin; }
            """
        try Data(source.utf8).write(to: URL(filePath: folder + "/plugin.c"))
        let built = try Programs.run(
            compiler,
            ["-shared", "-fPIC", "-g", "-O1", "-I", Programs.repository + "/Sources/CStage/include", "-o", result.path, folder + "/plugin.c"])
        try #require(built.code == 0, "\(built.output)")
        return result
    }
}
