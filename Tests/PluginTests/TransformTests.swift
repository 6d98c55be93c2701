import CStage
import Foundation
import Testing

private func run(_ plugin: String, _ config: [String: Any], _ values: String...) throws -> Outcome {
    try TestPlugin(plugin).open(try json(config)).process(values.enumerated().map { TestRecord("k\($0)", $1) })
}

@Test func `text is split at paragraphs, then sentences, then words, then characters`() throws {
    func split(_ text: String, _ maximum: Int, _ overlap: Int = 0) throws -> [String] {
        try run("split-text", ["max_characters": maximum, "overlap": overlap], text).values
    }
    #expect(try split("short", 100) == ["short"])
    #expect(try split("", 100) == [])
    #expect(try split(" \n ", 100) == [])
    #expect(try split("One. Two.\n\nThree. Four.", 18) == ["One. Two.", "Three. Four."])
    #expect(try split("One here. Two there. Three.", 22) == ["One here. Two there.", "Three."])
    #expect(try split("alpha beta gamma", 11) == ["alpha beta", "gamma"])
    #expect(try split("abcdefghij", 4) == ["abcd", "efgh", "ij"])
    #expect(try split("これは文です。次の文です。", 8) == ["これは文です。", "次の文です。"])
    #expect(try split("one two three four", 9, 4) == ["one two", "two three", "four"])
    #expect(try split("One.\r\n\r\nTwo there.\r\n", 12) == ["One.", "Two there."])
    #expect(try split("é à ü ö", 3) == ["é à", "ü ö"])
    #expect(try split("x\u{301}y zz", 3) == ["x\u{301}y", "zz"])
    #expect(try split("abcdefgh", 4, 2) == ["abcd", "cdef", "efgh"])
}

@Test func `a chunk never begins or ends inside a character`() throws {
    let family = "👨‍👩‍👧‍👦"  // seven code points, one character
    let chunks = try run("split-text", ["max_characters": 8], "\(family)\(family)e\u{301}e\u{301}").values
    #expect(chunks == [family, family, "e\u{301}e\u{301}"])
    #expect(try run("split-text", ["max_characters": 3], "a\(family)b").values == ["a", family, "b"])
}

@Test func `chunks hold all words of a long text in order, within the limit`() throws {
    let words = (0..<3000).map { "w\($0)" + ($0 % 7 == 0 ? "." : "") + ($0 % 31 == 0 ? "\n\n" : "") }
    let outcome = try run("split-text", ["max_characters": 120], words.joined(separator: " "))
    #expect(outcome.values.allSatisfy { $0.unicodeScalars.count <= 120 })
    let again = outcome.values.flatMap { $0.split(whereSeparator: \.isWhitespace) }.map(String.init)
    #expect(again == words.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) })
    #expect(outcome.keys.first == "k0#1")
    #expect(outcome.keys.last == "k0#\(outcome.keys.count)")
}

@Test(arguments: ["split-text", "count-terms"])
func `bytes that are not UTF-8 fail for good with their offset, and the rest of the batch goes on`(_ name: String) throws {
    let stage = try TestPlugin(name).open("{}")
    let outcome = stage.process([
        TestRecord("good", "some text"), TestRecord("bad", bytes: Array("abc".utf8) + [0xFF, 0x41]), TestRecord("more", "x"),
    ])
    #expect(outcome.status == STAGE_OK)
    #expect(outcome.emitted.map(\.input) == [0, 2])
    #expect(outcome.failures.map(\.input) == [1])
    #expect(outcome.failures.first?.isTransient == false)
    #expect(outcome.failures.first?.message.contains("byte 3") == true)
    #expect(outcome.begun == [0, 1, 2])
    #expect(outcome.done == [0, 2])
}

@Test func `terms are counted by count, then by word`() throws {
    let outcome = try run(
        "count-terms", ["top": 3], "The cat and the dog and the DOG", "Ärger ärger straße STRASSE don’t 'don't' _x_ 3.5", "")
    #expect(outcome.values[0] == #"{"key":"k0","characters":31,"words":8,"terms":{"the":3,"and":2,"dog":2}}"#)
    #expect(outcome.values[1] == #"{"key":"k1","characters":48,"words":9,"terms":{"don't":2,"strasse":2,"ärger":2}}"#)
    #expect(outcome.values[2] == #"{"key":"k2","characters":0,"words":0,"terms":{}}"#)
}

@Test func `counts agree with an independent count over many words`() throws {
    var seed: UInt64 = 7
    func random(_ bound: UInt64) -> UInt64 {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (seed >> 33) % bound
    }
    for _ in 0..<20 {
        let words = (0..<2000).map { _ in "Word\(random(900))" }
        var counts: [String: Int] = [:]
        for word in words { counts[word.lowercased(), default: 0] += 1 }
        let expected = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(50)
        let outcome = try run("count-terms", ["top": 50], words.joined(separator: ", "))
        let terms = expected.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
        #expect(outcome.values[0].hasSuffix(#""words":2000,"terms":{\#(terms)}}"#))
    }
}

@Test func `a field is taken from JSON, and a record without it fails`() throws {
    let outcome = try run(
        "count-terms", ["field": "/a/text"], #"{"a":{"text":"Two \"words\" \u00e9"}}"#, #"{"a":{}}"#, #"{"a":{"text":5}}"#, "no")
    #expect(outcome.values == [#"{"key":"k0","characters":13,"words":3,"terms":{"two":1,"words":1,"é":1}}"#])
    #expect(outcome.failures.map(\.message) == [
        "/a/text: found nothing, expected a string to count", "/a/text: found number, expected a string to count",
        "the value is not JSON: found 'o', expected null, at byte 1",
    ])
}

@Test(arguments: [
    (#"{"json":"/n","equals":1}"#, [0, 1]), (#"{"json":"/n","equals":"1"}"#, [2]), (#"{"json":"/n","min":1.5}"#, [3]),
    (#"{"json":"/n","max":2}"#, [0, 1]), (#"{"json":"/n","min":1,"max":99}"#, [0, 1, 3]), (#"{"json":"/n","equals":true}"#, [4]),
    (#"{"json":"/n","equals":null}"#, [5]), (#"{"json":"/n"}"#, [0, 1, 2, 3, 4]), (#"{"json":"/n","matches":"^1$"}"#, [2]),
    (#"{"matches":"\"n\":(1|true)"}"#, [0, 1, 4]), (#"{"matches":"other"}"#, [6]),
] as [(String, [UInt32])])
func `keep passes on what fulfils the condition, unchanged`(_ config: String, _ kept: [UInt32]) throws {
    let values = [
        #"{"n":1}"#, #"{"n":1.0}"#, #"{"n":"1"}"#, #"{"n":3e0}"#, #"{"n":true}"#, #"{"n":null}"#, #"{"other":1}"#,
    ]
    let outcome = try TestPlugin("keep").open(config).process(values.map { TestRecord("k", $0) })
    #expect(outcome.emitted.map(\.input) == kept)
    #expect(outcome.values == kept.map { values[Int($0)] })
    #expect(outcome.failures.isEmpty)
}

@Test func `keep fails what is not JSON, and sees bytes behind a NUL`() throws {
    #expect(try run("keep", ["json": "/n"], "{\"n\":1}x").failures.count == 1)
    #expect(try run("keep", ["matches": "b$"], "a\u{0}b").emitted.count == 1)
    #expect(try run("keep", ["matches": "ab"], "aab", "a\u{0}b", "").emitted.map(\.input) == [0])
    let refusal = #expect(throws: Refusal.self) { _ = try TestPlugin("keep").open(#"{"matches":"a(b"}"#) }
    #expect(refusal?.message.hasPrefix(#"matches: found "a(b", expected a POSIX extended regular expression"#) == true)
}

@Test func `tally goes on from its state and emits its totals`() throws {
    let config = #"{"by":"/g","sum":"/v"}"#
    let records = (0..<10).map { TestRecord("k", #"{"g":"g\#($0 % 3)","v":\#($0)}"#) }
    let plugin = try TestPlugin("tally")
    let (flags, workers) = unsafe (plugin.table.flags, plugin.table.max_workers)
    #expect(flags & UInt32(STAGE_FLAG_STATEFUL) != 0)
    #expect(workers == 1)
    let whole = try plugin.open(config)
    _ = whole.process(records)
    let first = try plugin.open(config)
    let wanted = first.process(Array(records[..<4]), flags: Int(STAGE_BATCH_CHECKPOINT_WANTED))
    #expect(wanted.emitted.count == 4)
    #expect(first.process([]).checkpoint == nil, "a state is handed back only when it is wanted")
    let second = try plugin.open(config, checkpoint: wanted.checkpoint)
    _ = second.process(Array(records[4...]), flags: Int(STAGE_BATCH_REPLAY))
    let totals = #"{"g0":{"count":4,"sum":18},"g1":{"count":3,"sum":12},"g2":{"count":3,"sum":15}}"#
    #expect(whole.finish().values == [totals])
    #expect(second.finish().values == [totals])
    #expect(second.finish().keys == ["tally"])
}

@Test func `a record that tally fails leaves no trace in the totals`() throws {
    let stage = try TestPlugin("tally").open(#"{"by":"/g","sum":"/v","pass":false}"#)
    let outcome = stage.process([TestRecord("a", #"{"g":1,"v":"x"}"#), TestRecord("b", #"{"v":2}"#)])
    #expect(outcome.failures.map(\.input) == [0])
    #expect(outcome.emitted.isEmpty)
    #expect(stage.finish().values == [#"{"null":{"count":1,"sum":2}}"#])
}
