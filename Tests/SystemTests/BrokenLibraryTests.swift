import Foundation
import Testing

/// Files that are no plugins, although they are called so.
@Suite struct BrokenLibraryTests {
    struct Breakage: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var words: String
        /// Makes the file, of a good library where one is wanted.
        var make: @Sendable (_ path: String, _ good: Data) throws -> Void
    }

    private static func patched(_ path: String, _ good: Data, _ offset: Int, _ bytes: [UInt8]) throws {
        var data = good
        data.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        try data.write(to: URL(filePath: path))
    }

    static let breakages = [
        Breakage(testDescription: "cut in the middle", words: "a library cut short at") { try $1.prefix($1.count / 2).write(to: URL(filePath: $0)) },
        Breakage(testDescription: "cut after a page", words: "a library cut short at 4096 bytes") { try $1.prefix(4_096).write(to: URL(filePath: $0)) },
        Breakage(testDescription: "cut by one byte", words: "a library cut short at") { try $1.dropLast().write(to: URL(filePath: $0)) },
        Breakage(testDescription: "cut in its header", words: "an ELF file of 40 bytes") { try $1.prefix(40).write(to: URL(filePath: $0)) },
        Breakage(testDescription: "empty", words: "an empty file") { path, _ in try Data().write(to: URL(filePath: path)) },
        Breakage(testDescription: "a folder", words: "there is no plugin file") { path, _ in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        },
        Breakage(testDescription: "a shell script", words: "a file that is not ELF") { path, _ in
            try Data("#!/bin/sh\necho hello\n".utf8).write(to: URL(filePath: path))
        },
        Breakage(testDescription: "of another machine", words: "a library for RISC-V") { try patched($0, $1, 18, [243, 0]) },
        Breakage(testDescription: "without segments", words: "0 program headers") { try patched($0, $1, 56, [0, 0]) },
        Breakage(testDescription: "a table of segments far away", words: "cut short") { try patched($0, $1, 32, [0, 0, 0, 0, 0, 0, 0, 0x7F]) },
        Breakage(testDescription: "a header and noise", words: "") { path, good in
            var chance = Chance(seed: 7)
            let noise = (0..<good.count - 64).map { _ in UInt8.random(in: 0...255, using: &chance) }
            try (good.prefix(64) + noise).write(to: URL(filePath: path))
        },
        Breakage(testDescription: "right headers and noise behind them", words: "") { path, good in
            var chance = Chance(seed: 8)
            let noise = (0..<good.count - 1_024).map { _ in UInt8.random(in: 0...255, using: &chance) }
            try (good.prefix(1_024) + noise).write(to: URL(filePath: path))
        },
    ]

    @Test(arguments: breakages) func isRefusedInOneLineAndNotTriedForLong(_ breakage: Breakage) throws {
        let good = try #require(FileManager.default.contents(atPath: Programs.folder + "/libstage-misbehave.so"))
        let job = try Job(20, Stages.pipeline(Stages.read, #"{ name: "broken", plugin: "./broken.so" }"#, Stages.write))
        try breakage.make(job.path("broken.so"), good)
        let ended = try job.run(seconds: 30)
        #expect(ended.code == 69, "\(ended.output)")
        #expect(ended.output.contains("broken"), "\(ended.output)")
        #expect(breakage.words.isEmpty || ended.output.contains(breakage.words), "\(ended.output)")
        #expect(job.events("worker_crashed").count <= (breakage.words.isEmpty ? 6 : 0))
        #expect(job.data("output.jsonl").isEmpty)
        job.expectNoProcessLeft()
    }
}
