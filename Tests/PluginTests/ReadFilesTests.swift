import CStage
import Foundation
import Testing

private func sample() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["b.md", "a.md", "deep/er/c.md", "deep/d.txt", "deep/é.md", ".hidden/x.md", "a-b.md"] {
        try folder.write(name, "content of \(name)")
    }
    return folder
}

private func open(_ folder: TemporaryFolder, _ globs: [String], _ more: [String: Any] = [:], checkpoint: String? = nil)
    throws -> TestStage
{
    let config = more.merging(["glob": globs.map { folder.path + "/" + $0 }]) { $1 }
    return try TestPlugin("read-files").open(try json(config), checkpoint: checkpoint)
}

@Test(arguments: [
    (["**/*.md"], ["a-b.md", "a.md", "b.md", "deep/er/c.md", "deep/é.md"]),
    (["*.md"], ["a-b.md", "a.md", "b.md"]),
    (["**"], ["a-b.md", "a.md", "b.md", "deep/d.txt", "deep/er/c.md", "deep/é.md"]),
    (["{b,a}.md", "b.md"], ["a.md", "b.md"]),
    (["[!b].md"], ["a.md"]),
    (["deep/?.md"], ["deep/é.md"]),
    (["deep/**/*.{md,txt}"], ["deep/d.txt", "deep/er/c.md", "deep/é.md"]),
    ([".hidden/*"], [".hidden/x.md"]),
])
func `files are found by pattern, once each, sorted by bytes`(_ globs: [String], _ expected: [String]) throws {
    let folder = try sample()
    let outcome = try open(folder, globs).read(100)
    #expect(outcome.status == STAGE_END)
    #expect(outcome.keys == expected.map { folder.path + "/" + $0 })
    #expect(outcome.values == outcome.keys)
    #expect(outcome.progress?.total == UInt64(expected.count))
}

@Test func `content is read when asked for, and files above the limit fail as records`() throws {
    let folder = try sample()
    try folder.write("big.md", String(repeating: "x", count: 101))
    try folder.write("empty.md", "")
    let outcome = try open(folder, ["*.md"], ["content": true, "max_bytes": 100]).read(100)
    #expect(outcome.values == ["content of a-b.md", "content of a.md", "content of b.md", ""])
    #expect(outcome.sourceFailures.map(\.key) == [folder.path + "/big.md"])
    #expect(outcome.sourceFailures.first?.message == "\(folder.path)/big.md: has 101 bytes, above max_bytes = 100")
}

@Test func `reading again from any checkpoint gives the same batches`() throws {
    let folder = try sample()
    for content in [true, false] {
        let batches = try open(folder, ["**"], ["content": content]).readAll(2)
        #expect(batches.map(\.emitted.count) == [2, 2, 2])
        #expect(batches.last?.status == STAGE_END)
        for index in 1..<batches.count {
            let again = try open(folder, ["**"], ["content": content], checkpoint: batches[index - 1].checkpoint).readAll(2)
            #expect(again.map(\.delivered) == batches[index...].map(\.delivered))
        }
    }
}

@Test func `a batch ends before the file that would exceed its bytes`() throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b", "c"] { try folder.write(name, String(repeating: name, count: 1000)) }
    let batches = try open(folder, ["*"], ["content": true]).readAll(100, bytes: 2500)
    #expect(batches.map(\.emitted.count) == [2, 1])
}

@Test func `no match is fatal and says so`() throws {
    let folder = try sample()
    let refusal = #expect(throws: Refusal.self) { _ = try open(folder, ["*.pdf"]) }
    #expect(refusal?.status == STAGE_FATAL)
    #expect(refusal?.message.hasPrefix("no input: no file matches \"\(folder.path)/*.pdf\"") == true)
}

@Test func `a loop of symbolic links is harmless`() throws {
    let folder = try sample()
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/deep/loop", withDestinationPath: folder.path)
    let outcome = try open(folder, ["**/*.txt"]).read(100)
    #expect(outcome.keys == [folder.path + "/deep/d.txt"])
}
