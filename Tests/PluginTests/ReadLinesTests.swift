import CStage
import Foundation
import Testing

private func open(_ paths: [String], _ more: [String: Any] = [:], checkpoint: String? = nil) throws -> TestStage {
    try TestPlugin("read-lines").open(try json(more.merging(["path": paths]) { $1 }), checkpoint: checkpoint)
}

@Test(arguments: [
    ("a\nb\n", ["a", "b"]), ("a\nb", ["a", "b"]), ("a\r\nb\r\n", ["a", "b"]), ("", []), ("\n\n", ["", ""]),
    ("a\r", ["a"]), ("a\rb\n", ["a\rb"]), ("\r\n", [""]),
])
func `lines come without their ends, the last one with or without a newline`(_ content: String, _ lines: [String]) throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("in.txt", content)
    let outcome = try open([file]).read(100)
    #expect(outcome.status == STAGE_END)
    #expect(outcome.values == lines)
    #expect(outcome.keys == lines.indices.map { "\(file):\($0 + 1)" })
    #expect(outcome.progress?.total == UInt64(lines.count))
}

@Test func `reading again from any checkpoint gives the same batches, across files`() throws {
    let folder = try TemporaryFolder()
    var files: [String] = []
    for (index, count) in [5, 0, 3, 7].enumerated() {
        let lines = (0..<count).map { "file \(index) line \($0)" }.joined(separator: "\n")
        files.append(try folder.write("\(9 - index).txt", lines))
    }
    let batches = try open(files).readAll(2)
    #expect(batches.flatMap(\.values).count == 15)
    #expect(batches.flatMap(\.values).first == "file 0 line 0", "several paths keep the order they are given in")
    for index in 1..<batches.count {
        let again = try open(files, checkpoint: batches[index - 1].checkpoint).readAll(2)
        #expect(again.map(\.delivered) == batches[index...].map(\.delivered))
        #expect(again.first?.progress?.done == batches[index].progress?.done)
    }
}

@Test func `lines longer than the buffer and than the limit`() throws {
    let folder = try TemporaryFolder()
    let long = String(repeating: "0123456789", count: 300_000)
    let file = try folder.write("in.txt", "first\n\(long)\r\nmiddle\n\(long)x\n\(long)\(long)\nlast")
    let batches = try open([file], ["max_line_bytes": 3_000_000]).readAll(1)
    let delivered = batches.flatMap(\.delivered)
    #expect(
        delivered == [
            .record(key: "\(file):1", value: "first"), .record(key: "\(file):2", value: long),
            .record(key: "\(file):3", value: "middle"), .failure(key: "\(file):4"), .failure(key: "\(file):5"),
            .record(key: "\(file):6", value: "last"),
        ])
    let failures = batches.flatMap(\.sourceFailures)
    #expect(failures.map(\.message) == [
        "\(file): line 4 has 3000001 bytes, above max_line_bytes = 3000000",
        "\(file): line 5 has 6000000 bytes, above max_line_bytes = 3000000",
    ])
    #expect(failures.allSatisfy { long.hasPrefix($0.value) && $0.value.count == 4096 })
    // Position inside the failures is a position like any other.
    let again = try open([file], ["max_line_bytes": 3_000_000], checkpoint: batches[3].checkpoint).readAll(1)
    #expect(again.flatMap(\.delivered) == Array(delivered[4...]))
}

@Test func `every way to cut a file into buffers gives the same lines`() throws {
    let folder = try TemporaryFolder()
    var lines: [String] = []
    for index in 0..<20_000 { lines.append(String(repeating: "x", count: (index * 7919) % 263)) }
    let file = try folder.write("in.txt", lines.joined(separator: "\r\n") + "\r\n")
    let outcome = try open([file]).readAll(777).flatMap(\.values)
    #expect(outcome == lines)
}

@Test func `a key may stand in the line`() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("in.jsonl", #"{"id":7}"# + "\n" + #"{"id":"a\"b"}"# + "\nno\n{}\n" + #"{"id":[1]}"# + "\n")
    let outcome = try open([file], ["key": "/id"]).read(10)
    #expect(outcome.keys == ["7", "a\"b"])
    #expect(outcome.sourceFailures.map(\.key) == ["\(file):3", "\(file):4", "\(file):5"])
    #expect(outcome.sourceFailures[0].message.contains("line 3 is not JSON: found 'o', expected null, at byte 1"))
    #expect(outcome.sourceFailures[1].message.contains("found nothing at /id"))
}

@Test func `a file that changed under its checkpoint is refused`() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("in.txt", "one\ntwo\nthree\n")
    let checkpoint = try #require(try open([file]).read(2).checkpoint)
    #expect(try object(checkpoint)["offset"] as? Int == 8)
    #expect(try object(checkpoint)["line"] as? Int == 2)
    try folder.write("in.txt", "one\n")
    let shorter = #expect(throws: Refusal.self) { _ = try open([file], checkpoint: checkpoint) }
    #expect(shorter?.status == STAGE_FATAL)
    #expect(shorter?.message.contains("has 4 bytes, but 8 of them were read before") == true)
    try folder.write("in.txt", "another text")
    let other = #expect(throws: Refusal.self) { _ = try open([file], checkpoint: checkpoint) }
    #expect(other?.message.contains("no longer the end of a line") == true)
}

@Test func `a checkpoint that cannot be read is refused`() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("in.txt", "one\n")
    let refusal = #expect(throws: Refusal.self) { _ = try open([file], checkpoint: "rubbish") }
    #expect(refusal?.message.hasPrefix("the checkpoint cannot be read: found \"rubbish\"") == true)
}
