import CStage
import Foundation
import Testing

/// gzip and zstd as programs, where they are installed.
enum Packer {
    static func find(_ packing: String) -> String? {
        ["/usr/bin/", "/bin/"].map { $0 + (packing == "gz" ? "gzip" : "zstd") }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Packs the file, which gets another name.
    static func pack(_ path: String, with program: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = program.hasSuffix("zstd") ? ["-q", "--rm", path] : ["-n", path]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }
}

@Suite struct PackedFileTests {
    private func packed(_ packing: String, _ folder: TemporaryFolder, _ texts: [String]) throws -> String? {
        guard let program = Packer.find(packing) else {
            withKnownIssue("no program to pack with: not tested") { Issue.record("\(packing)") }
            return nil
        }
        // Several members or frames, one after another, are one content.
        let whole = folder.path + "/in.txt." + packing
        var data = Data()
        for text in texts {
            let path = try folder.write("part.txt", text)
            try Packer.pack(path, with: program)
            data += try Data(contentsOf: URL(filePath: path + "." + packing))
            try FileManager.default.removeItem(atPath: path + "." + packing)
        }
        try data.write(to: URL(filePath: whole))
        return whole
    }

    @Test(arguments: ["gz", "zst"]) func linesOfAPackedFileAreThoseOfItsContent(_ packing: String) throws {
        let folder = try TemporaryFolder()
        let lines = (0..<5_000).map { "line \($0) " + String(repeating: "x", count: $0 % 300) }
        let text = lines.joined(separator: "\n") + "\n"
        let middle = text.index(text.startIndex, offsetBy: text.count / 2)
        guard let path = try packed(packing, folder, [String(text[..<middle]), String(text[middle...])]) else { return }
        let plugin = try TestPlugin("read-lines")
        let config = try json(["path": path])
        let all = try plugin.open(config).readAll(97)
        #expect(all.flatMap(\.values) == lines)
        for index in [0, 1, 20, all.count - 2] {
            let again = try plugin.open(config, checkpoint: all[index].checkpoint).readAll(97)
            #expect(again.flatMap(\.values) == Array(lines.dropFirst(97 * (index + 1))))
        }
        let asIs = try plugin.open(try json(["path": path, "decompress": false])).read(1)
        #expect(asIs.values.first != lines.first)
    }

    @Test(arguments: ["gz", "zst"]) func aPackedFileThatIsCutOrDamagedIsFatalAfterTheLinesBefore(_ packing: String) throws {
        let folder = try TemporaryFolder()
        var seed: UInt64 = 1
        let text = (0..<20_000).map { _ -> String in
            seed = seed &* 6_364_136_223_846_793_005 &+ 1
            return String(seed, radix: 36)
        }.joined(separator: "\n")
        guard let path = try packed(packing, folder, [text]) else { return }
        let whole = try Data(contentsOf: URL(filePath: path))
        func last(_ data: Data) throws -> Outcome? {
            try data.write(to: URL(filePath: path))
            let stage = try TestPlugin("read-lines").open(try json(["path": path]))
            return stage.readAll(1_000).last
        }
        let cut = try last(whole.prefix(whole.count / 2))
        #expect(cut?.status == STAGE_FATAL)
        #expect(cut?.explanation.contains("cannot be unpacked after") == true)
        #expect(cut?.explanation.contains("ends in the middle") == true)
        var hurt = whole
        for index in whole.count / 2..<whole.count / 2 + 64 { hurt[index] ^= 0x5A }
        #expect(try last(hurt)?.status == STAGE_FATAL)
    }

    @Test(arguments: ["gz", "zst"]) func contentOfPackedFilesIsUnpackedWhenAskedFor(_ packing: String) throws {
        let folder = try TemporaryFolder()
        guard let path = try packed(packing, folder, ["the content", " of two parts"]) else { return }
        try Data("nonsense".utf8).write(to: URL(filePath: folder.path + "/bad.txt." + packing))
        func read(_ more: [String: Any]) throws -> Outcome {
            try TestPlugin("read-files").open(try json(["glob": folder.path + "/*", "content": true].merging(more) { $1 })).read(10)
        }
        let outcome = try read(["decompress": true])
        #expect(outcome.values == ["the content of two parts"])
        #expect(outcome.keys == [path])
        #expect(outcome.sourceFailures.map(\.key) == [folder.path + "/bad.txt." + packing])
        let bounded = try read(["decompress": true, "max_bytes": 10])
        #expect(bounded.sourceFailures.contains { $0.message.contains("unpacked, it is above max_bytes = 10") })
        #expect(try read([:]).values.count == 2)
    }
}
