import CStage
import Foundation
import Testing

private func open(_ path: String, _ format: String = "raw", checkpoint: String? = nil) throws -> TestStage {
    try TestPlugin("write-lines").open(try json(["path": path, "format": format]), checkpoint: checkpoint)
}

@Test func `raw lines are values, and a value with a newline fails`() throws {
    let folder = try TemporaryFolder()
    let outcome = try open(folder.path + "/new/folder/out.txt").process(
        [TestRecord("a", "one"), TestRecord("b", "two\nlines"), TestRecord("c", ""), TestRecord("d", "é")])
    #expect(try folder.read("new/folder/out.txt") == "one\n\né\n")
    #expect(outcome.failures.map(\.input) == [1])
    #expect(outcome.failures.first?.message.contains("newline at byte 3") == true)
    #expect(outcome.checkpoint == #"{"bytes":8}"#)
}

@Test func `json lines embed what is JSON, and quote what is not`() throws {
    let folder = try TemporaryFolder()
    let outcome = try open(folder.path + "/out", "json").process([
        TestRecord("a", #"{"x": [1]}"#, id: 7), TestRecord("b\"", "pl\tain", id: 8), TestRecord("c", "{\n\"a\":\r\n1}"),
        TestRecord("d", bytes: [0xC0, 0x80]), TestRecord("e", "007"),
    ])
    let lines = try folder.read("out").split(separator: "\n")
    #expect(lines.map(String.init) == [
        #"{"id":7,"key":"a","value":{"x": [1]}}"#, #"{"id":8,"key":"b\"","value":"pl\tain"}"#,
        #"{"id":0,"key":"c","value":{ "a":  1}}"#, #"{"id":0,"key":"e","value":"007"}"#,
    ])
    for line in lines { #expect(try !object(String(line)).isEmpty) }
    #expect(outcome.failures.map(\.input) == [3])
}

@Test func `what was written but not acknowledged is cut back, and written again at the same place`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/out"
    let batches = (0..<6).map { batch in (0..<3).map { TestRecord("k", "batch \(batch) record \($0)") } }
    let expected = batches.joined().map { String(decoding: $0.value, as: UTF8.self) + "\n" }.joined()
    for acknowledged in 0..<6 {
        var stage = try open(path)
        var checkpoint: String?
        for (index, batch) in batches.enumerated() {
            let outcome = stage.process(batch, sequence: UInt64(index))
            if index < acknowledged { checkpoint = outcome.checkpoint }
        }
        stage.close()
        stage = try open(path, checkpoint: checkpoint)
        for batch in batches[acknowledged...] { _ = stage.process(batch) }
        #expect(stage.sync().checkpoint == #"{"bytes":\#(expected.utf8.count)}"#)
        stage.close()
        #expect(try folder.read("out") == expected)
    }
}

@Test func `a file that is shorter than its checkpoint is refused`() throws {
    let folder = try TemporaryFolder()
    try folder.write("out", "one\n")
    let refusal = #expect(throws: Refusal.self) { _ = try open(folder.path + "/out", checkpoint: #"{"bytes":5}"#) }
    #expect(refusal?.status == STAGE_FATAL)
    #expect(refusal?.message.contains("has 4 bytes, but 5 were written and acknowledged") == true)
    #expect(try folder.read("out") == "one\n")
}

@Test func `two stages cannot write one file at a time`() throws {
    let folder = try TemporaryFolder()
    let first = try open(folder.path + "/out")
    _ = first.process([TestRecord("a", "one")])
    let refusal = #expect(throws: Refusal.self) { _ = try open(folder.path + "/out") }
    #expect(refusal?.status == STAGE_RETRY)
    #expect(try folder.read("out") == "one\n")
}

@Test func `what is not a regular file is refused`() throws {
    let refusal = #expect(throws: Refusal.self) { _ = try open("/dev/full") }
    #expect(refusal?.status == STAGE_FATAL)
    #expect(refusal?.message == "/dev/full: is not a regular file; give the path of one")
}
