import StageConfig
import StageModel
import StageReport
import StageScheduler
import Testing

@Test func `messages that differ in numbers and quoted parts have one shape`() {
    let shape = MessageShape.of("cannot open 'a b.txt': error 13 at 0x7fff12")
    #expect(shape == "cannot open '…': error # at #")
    #expect(MessageShape.of("cannot open 'other': error 2 at 0x1") == shape)
    #expect(MessageShape.of("timeout after 31 s") == MessageShape.of("timeout after 28 s"))
    #expect(MessageShape.of("open /data/a/b.pdf: no such file") == MessageShape.of("open ../c.pdf: no such file"))
    #expect(MessageShape.of("GET https://a.example/7: 503") == MessageShape.of("GET https://b.example/x/y: 504"))
    #expect(MessageShape.of("yes and/or no, 3 records/s") == "yes and/or no, # records/s")
    #expect(MessageShape.of("it doesn't, and won't") == "it doesn't, and won't")
    #expect(MessageShape.of("no \"end") == "no \"end")
    #expect(MessageShape.of("first\nsecond") == "first")
    #expect(MessageShape.of("") == "")
}

@Test func `text from outside cannot steer a terminal`() {
    #expect(PrintableText.line("a\u{1B}[2Jb\nc\td") == "a\\u{1b}[2Jb c d")
    #expect(PrintableText.line("abcdef", limit: 4) == "abc…")
    #expect(PrintableText.line(Array("abcd".utf8), limit: 4) == "abcd")
    #expect(PrintableText.line([0xFF, 0x41]) == "\u{FFFD}A")
}

@Test func `a table aligns numbers to the right and cuts its last column`() {
    var table = TextTable([.init("name"), .number("count"), .init("words")])
    table.add(["a", "1", "short"])
    table.add(["long name", "1,000", String(repeating: "x", count: 100)])
    #expect(table.lines(width: 40) == [
        "name       count  words",
        "a              1  short",
        "long name  1,000  " + String(repeating: "x", count: 21) + "…",
    ])
    #expect(table.lines()[2].count == 118)
}

@Test func `what a host said is believed only where it makes sense`() {
    let word = JSONValue.object([
        .init("records", .object([.init("at_risk", .integer(-5)), .init("total", .string("many"))])),
        .init("rate_per_second", .number(.infinity)), .init("elapsed_seconds", .integer(12)),
        .init("extra", .boolean(true)),
        .init("stages", .array([.object([.init("name", .string("read")), .init("crashes", .integer(3)), .init("cost", .integer(9))]), .null])),
    ])
    let status = StoredStatus(
        job: "j", state: "interrupted", message: nil, isRunning: false, sourceHasEnded: false,
        stages: [
            .init(
                name: "read", plugin: "p", kind: .source,
                counts: Counts(inputs: 7, passed: 7, filtered: 0, failed: 0, outputs: 7), batches: 1, committedThrough: 1,
                isDone: false)
        ], lastWord: word)
    let json = status.json
    #expect(json["records"]?["at_risk"] == .integer(0) && json["records"]?["total"] == .null)
    #expect(json["rate_per_second"] == .number(0) && json["elapsed_seconds"] == .integer(12))
    #expect(json["extra"] == .boolean(true))
    guard case .array(let stages) = json["stages"], let stage = stages.first else {
        Issue.record("no stages")
        return
    }
    #expect(stage["crashes"] == .integer(3) && stage["cost"] == .integer(9) && stage["records_in"] == .integer(7))
}
