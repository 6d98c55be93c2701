import Foundation
import Testing

/// The header is the specification: it must compile alone, everywhere, and never change its layout.
@Suite struct HeaderTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Every C compiler on PATH, by the name it is called with.
    private static var compilers: [URL] {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return ["gcc", "clang", "cc"].compactMap { name in
            folders.lazy.map { URL(fileURLWithPath: String($0)).appendingPathComponent(name) }
                .first { FileManager.default.isExecutableFile(atPath: $0.path) }
        }
    }

    private func run(_ program: URL, _ arguments: [String]) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    private func inFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("header-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }

    private var include: String { Self.root.appendingPathComponent("Sources/CStage/include").path }

    @Test(arguments: [("c", "c11"), ("c", "c17"), ("c++", "c++17")])
    func `the header compiles alone`(_ language: String, _ standard: String) throws {
        #expect(!Self.compilers.isEmpty, "no C compiler on PATH: install gcc or clang")
        try inFolder { folder in
            let source = folder.appendingPathComponent("alone.\(language == "c" ? "c" : "cc")")
            try "#include <stage.h>\nint main(void) { return 0; }\n".write(to: source, atomically: true, encoding: .utf8)
            for compiler in Self.compilers {
                let result = try run(
                    compiler,
                    ["-x", language, "-std=\(standard)", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", include, "-fsyntax-only", source.path])
                #expect(result.code == 0, "\(compiler.path): \(result.output)")
            }
        }
    }

    /// On every 64-bit machine the layout of version 1 is this.
    @Test func `the layout of version 1 is frozen`() throws {
        #expect(!Self.compilers.isEmpty)
        let checks = Layout.sizes.map { "_Static_assert(sizeof(\($0)) == \($1), \"sizeof \($0)\");" }
            + Layout.offsets.map { "_Static_assert(offsetof(\($0), \($1)) == \($2), \"offset of \($0).\($1)\");" }
            + Layout.constants.map { "_Static_assert(\($0) == \($1), \"\($0)\");" }
        try inFolder { folder in
            let source = folder.appendingPathComponent("layout.c")
            try ("#include <stage.h>\n" + checks.joined(separator: "\n") + "\n").write(to: source, atomically: true, encoding: .utf8)
            for compiler in Self.compilers {
                let result = try run(compiler, ["-std=c11", "-I", include, "-fsyntax-only", source.path])
                #expect(result.code == 0, "\(compiler.path): \(result.output)")
            }
        }
    }

    @Test func `no member is without a frozen offset`() throws {
        let header = try String(contentsOf: Self.root.appendingPathComponent("Sources/CStage/include/stage.h"), encoding: .utf8)
        for (type, _) in Layout.sizes {
            let body = try #require(
                header.components(separatedBy: "typedef struct \(type) {").last?.components(separatedBy: "} \(type);").first)
            let code = body.replacing(#/\/\*.*?\*\//#.dotMatchesNewlines(), with: "")
            let members = code.split(separator: ";").compactMap { declaration -> String? in
                if let pointer = declaration.firstMatch(of: #/\(\*\w+ (\w+)\)/#) { return String(pointer.1) }
                return declaration.split(whereSeparator: { !$0.isLetter && !$0.isNumber && $0 != "_" }).last.map(String.init)
            }
            #expect(members == Layout.offsets.filter { $0.0 == type }.map(\.1), "\(type)")
        }
    }

    @Test func `the plugin of the protocol document compiles and runs`() throws {
        let page = try String(contentsOf: Self.root.appendingPathComponent("docs/protocol.md"), encoding: .utf8)
        let code = try #require(page.components(separatedBy: "```c\n").dropFirst().first?.components(separatedBy: "\n```").first)
        let worker = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("stagehost-worker")
        try inFolder { folder in
            let source = folder.appendingPathComponent("count-lines.c")
            let library = folder.appendingPathComponent("libstage-count-lines.so")
            try code.write(to: source, atomically: true, encoding: .utf8)
            let compiler = try #require(Self.compilers.first)
            let built = try run(
                compiler, ["-shared", "-fPIC", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", include, "-o", library.path, source.path])
            try #require(built.code == 0, "\(built.output)")
            let described = try run(worker, ["--describe", library.path])
            #expect(described.code == 0)
            let object = try #require(try JSONSerialization.jsonObject(with: Data(described.output.utf8)) as? [String: Any])
            #expect(object["id"] as? String == "count-lines")
            #expect(object["flags"] as? [String] == ["record-by-record"])
            #expect((object["config_schema"] as? [String: Any])?["type"] as? String == "object")
        }
    }
}
