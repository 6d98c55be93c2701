import CStage
import Testing

private func config(_ by: String, _ rest: String = "") -> String { #"{"by":"\#(by)"\#(rest)}"# }

@Test func `the first record of each kind passes, later ones are filtered`() throws {
    func kept(_ by: String, _ records: [(String, String)]) throws -> [String] {
        try TestPlugin("deduplicate").open(config(by)).process(records.map { TestRecord($0.0, $0.1) }).values
    }
    #expect(try kept("key", [("a", "1"), ("b", "1"), ("a", "2"), ("A", "3"), ("", "4"), ("", "5")]) == ["1", "1", "3", "4"])
    #expect(try kept("value", [("a", "1"), ("b", "1"), ("a", "2")]) == ["1", "2"])
    #expect(
        try kept(
            "/id", [("a", #"{"id":1}"#), ("b", #"{"id": 1, "x":2}"#), ("c", #"{"id":"1"}"#), ("d", #"{"id":"\u0031"}"#)])
            == [#"{"id":1}"#, #"{"id":"1"}"#])
}

@Test func `a record without the member, or with null there, is never a duplicate`() throws {
    let records = ["{}", "{}", #"{"id":null}"#, #"{"id":null}"#].map { TestRecord("k", $0) }
    #expect(try TestPlugin("deduplicate").open(config("/id")).process(records).emitted.count == 4)
}

@Test func `a value that is not JSON fails for good, and is not remembered`() throws {
    let stage = try TestPlugin("deduplicate").open(config("/id"))
    let outcome = stage.process([TestRecord("k", "{"), TestRecord("k", "{")])
    #expect(outcome.failures.map(\.isTransient) == [false, false])
    #expect(outcome.emitted.isEmpty)
}

@Test func `a new worker goes on from the state, in which the keys are in the order of their coming`() throws {
    let plugin = try TestPlugin("deduplicate")
    let first = try plugin.open(config("key"))
    let state = first.process(
        (0..<1000).map { TestRecord("k\($0 % 700)", "") }, flags: STAGE_BATCH_CHECKPOINT_WANTED)
    let bytes = try #require(state.checkpointBytes)
    #expect(bytes.count == 32 + 700 * 16)
    let second = try plugin.open(config("key"), checkpointBytes: bytes)
    let outcome = second.process((600..<800).map { TestRecord("k\($0)", "") }, flags: STAGE_BATCH_CHECKPOINT_WANTED)
    #expect(outcome.keys == (700..<800).map { "k\($0)" })
    #expect(outcome.checkpointBytes?.starts(with: bytes[32...]) == false)
    #expect(outcome.checkpointBytes?.dropFirst(32).starts(with: bytes[32...]) == true)
}

@Test func `when full, the oldest key is forgotten, or the stage stops`() throws {
    let plugin = try TestPlugin("deduplicate")
    let records = ["a", "b", "c", "a", "c", "b"].map { TestRecord($0, "") }
    let forgetful = try plugin.open(config("key", #","max_keys":2,"when_full":"forget""#))
    let outcome = forgetful.process(records, flags: STAGE_BATCH_CHECKPOINT_WANTED)
    #expect(outcome.keys == ["a", "b", "c", "a", "b"])
    // The ring is unrolled in the state: another worker forgets the same one next.
    let bytes = try #require(outcome.checkpointBytes)
    let next = try plugin.open(config("key", #","max_keys":2,"when_full":"forget""#), checkpointBytes: bytes)
    #expect(next.process(["c", "b"].map { TestRecord($0, "") }).keys == ["c"])
    let smaller = try plugin.open(config("key", #","max_keys":1,"when_full":"forget""#), checkpointBytes: bytes)
    #expect(smaller.process(["b", "a"].map { TestRecord($0, "") }).keys == ["a"])

    let strict = try plugin.open(config("key", #","max_keys":2"#))
    let stopped = strict.process(records)
    #expect(stopped.status == STAGE_FATAL)
    #expect(stopped.explanation.contains("all 2 keys that max_keys allows are in use; raise it"))
}

@Test func `fingerprints are those of the reference SipHash-2-4-128`() throws {
    // The state with the reference's secret (bytes 0 to 15) and no fingerprint yet.
    let state = Array("DEDUP1\0\0".utf8) + (0..<16).map { UInt8($0) } + [UInt8](repeating: 0, count: 8)
    // vectors_sip128 of the reference implementation: the messages are the bytes 0, 1, 2, … up to that length.
    let vectors: [(length: Int, hash: [UInt8])] = [
        (0, [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93]),
        (1, [0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45]),
    ]
    for vector in vectors {
        let stage = try TestPlugin("deduplicate").open(config("value"), checkpointBytes: state)
        let outcome = stage.process(
            [TestRecord("k", bytes: (0..<vector.length).map { UInt8($0) })], flags: STAGE_BATCH_CHECKPOINT_WANTED)
        #expect(outcome.checkpointBytes.map { Array($0[32...]) } == vector.hash)
    }
}

@Test func `a state that is not one is refused with what is wrong with it`() throws {
    let plugin = try TestPlugin("deduplicate")
    let good = try #require(
        try plugin.open("{}").process([TestRecord("a", ""), TestRecord("b", "")], flags: STAGE_BATCH_CHECKPOINT_WANTED).checkpointBytes)
    func refusal(_ state: [UInt8]) throws -> String {
        try #require(throws: Refusal.self) { _ = try plugin.open("{}", checkpointBytes: state) }.message
    }
    #expect(try refusal([]).contains("0 bytes that do not begin with DEDUP1"))
    #expect(try refusal(Array(good.dropLast())).contains("found 63 bytes for 2 keys"))
    #expect(try refusal(Array(good[..<24]) + [UInt8](repeating: 255, count: 8)).contains("18446744073709551615 keys"))
    #expect(try refusal(Array(good[..<48]) + good[32..<48]).contains("key 1 is there twice"))
}

@Test(arguments: [
    (#"{"by":"id"}"#, #"by: found "id", expected "key", "value" or a JSON pointer"#),
    (#"{"by":"/a~2"}"#, "by: found \"/a~2\", expected ~0 or ~1"), (#"{"max_keys":0}"#, "max_keys: found 0, expected"),
    (#"{"when_full":"x"}"#, #"when_full: found "x", expected one of "stop", "forget""#),
])
func `deduplicate refuses a wrong configuration by its key`(_ config: String, _ message: String) throws {
    let refusal = try #require(throws: Refusal.self) { _ = try TestPlugin("deduplicate").open(config) }
    #expect(refusal.message.contains(message))
}
