import StageConfig
import Testing

@Test(arguments: [
    ("null", "null"), (" true ", "true"), ("[1, 2,]", "[1,2]"), ("{}", "{}"), ("[]", "[]"),
    ("{a: 1, 'b': 2, \"c\": 3,}", #"{"a":1,"b":2,"c":3}"#), ("{$x_1: 1, ünï: 2}", #"{"$x_1":1,"ünï":2}"#),
    ("{\\u0061b: 1}", #"{"ab":1}"#),
    ("// c\n/* d */ 1 // e", "1"), ("\u{FEFF}\u{A0}1\u{2028}", "1"),
    ("0x1F", "31"), ("-0xff", "-255"), (".5", "0.5"), ("5.", "5.0"), ("+7", "7"), ("-0", "0"), ("1e3", "1000.0"),
    ("1.5E-2", "0.015"), ("9223372036854775807", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"),
    (#"'it"s'"#, #""it\"s""#), (#""a\'b\"c""#, #""a'b\"c""#), ("\"a\\\nb\"", "\"ab\""), ("\"a\\\r\nb\"", "\"ab\""),
    (#""\x41\u00e9\uD83D\uDE00""#, #""Aé😀""#), (#""\v\0\a""#, #""\u000b\u0000a""#), ("\"\t\"", #""\t""#),
])
func `JSON5 is read, and written as strict JSON`(text: String, expected: String) {
    #expect(json(text) == expected)
}

@Test(arguments: [
    "", "  ", "{", "[1", "[1 2]", "{a 1}", "{a: }", "{a: 1 b: 2}", "{my-key: 1}", "{1a: 1}", "tru", "undefined",
    "Infinity",
    "-Infinity", "NaN", "+NaN", "01", "0x", "0xg", "1.2.3", "1a", "1_000", "--1", "- 1", ".", "+", "1e", "1e999",
    "9223372036854775808", "0x8000000000000000", "0xFFFFFFFFFFFFFFFFFF", "'abc", "\"a\nb\"", #""\1""#, #""\08""#,
    #""\xZ1""#, #""\u12""#, #""\uD83D""#, #""\uDE00""#, #""\uD83D\u0041""#, "\"\\", "/* x", "1 2", "{} {}", "[,]",
    "{,}", "/",
    "#", "\u{0}",
])
func `what is no JSON5 is refused with a place`(text: String) throws {
    guard case .failure(let problems) = parse(text) else {
        Issue.record("\(text) was read")
        return
    }
    let problem = try #require(problems.all.first)
    #expect(problem.line != nil && problem.column != nil)
    #expect(!problem.message.contains("\n"))
}

@Test func `every duplicate key is reported with the place of the first`() throws {
    guard case .failure(let problems) = parse("{a: 1,\n b: 2, a: 3,\n b: {c: 1, c: 2}}") else {
        Issue.record("duplicates were read")
        return
    }
    #expect(problems.all.map(\.message) == ["duplicate key \"a\"", "duplicate key \"c\"", "duplicate key \"b\""])
    #expect(problems.all.first?.found == "the key was given before, at line 1, column 2")
}

@Test func `places count lines, characters and bytes`() throws {
    let node = try parse("{\r\n  größe: 'é', ok: [1, 22]\r\n}").get()
    let second = try #require(node["ok"]?.place.span)
    #expect(second.line == 2 && second.column == 19 && second.offset == 24 && second.length == 7)
    #expect(node["größe"]?.place.text == "'é'")
}

@Test func `nesting is limited`() {
    #expect(json(String(repeating: "[", count: 60) + String(repeating: "]", count: 60)).hasPrefix("[["))
    #expect(json(String(repeating: "[", count: 1_000_000)) == "error: values are nested too deeply")
    #expect(json(String(repeating: "{a:", count: 1_000_000)) == "error: values are nested too deeply")
}

@Test func `a text that is too large is refused`() {
    let text = "\"" + String(repeating: "x", count: ConfigParser.maximumBytes) + "\""
    #expect(json(text) == "error: test.json5 is too large")
}

@Test func `bytes that are no UTF-8 are refused with their offset`() {
    let cases: [(bytes: [UInt8], offset: Int)] = [
        ([0x22, 0xFF, 0x22], 1), ([0x22, 0x61, 0xC3, 0x22], 2), ([0x31, 0xE2, 0x82], 1),
        ([0x22, 0xED, 0xA0, 0x80, 0x22], 1),
    ]
    for (bytes, offset) in cases {
        guard case .failure(let problems) = ConfigParser.parse(SourceText(name: "t", bytes: bytes)) else {
            Issue.record("\(bytes) was read")
            continue
        }
        #expect(problems.all.first?.found?.hasSuffix("at offset \(offset)") == true)
    }
}

@Test func `every truncation of a pipeline is refused, never worse`() throws {
    let bytes = Array(
        sample(top: "name: 'ü', batch: {records: 0x10}, // x\n", source: "with: {a: [.5, \"\\u00e9\"]}").utf8)
    for length in 0..<bytes.count {
        let source = SourceText(name: "t", bytes: Array(bytes[..<length]))
        guard case .failure(let problems) = ConfigParser.parse(source) else {
            Issue.record("a prefix of \(length) bytes was read")
            continue
        }
        #expect(problems.all.allSatisfy { !$0.rendered().isEmpty })
    }
}

@Test func `random damage never crashes, and what is read can be read again`() throws {
    let original = Array(sample(top: "batch: {records: 5},", source: "with: {a: [.5, \"\\u00e9\", 0x1]}").utf8)
    let alphabet = Array("{}[]:,'\"\\/*u0x-+.e \n\u{2028}é\u{0}aN1".utf8)
    for seed in 0..<2000 {
        var random = SeededGenerator(state: UInt64(seed))
        var bytes = original
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...2, using: &random) {
            case 0: bytes[index] = alphabet.randomElement(using: &random) ?? 0
            case 1: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: index)
            default: bytes.remove(at: index)
            }
        }
        let source = SourceText(name: "t", bytes: bytes)
        let resolution = Pipeline.resolve(source, directory: "/")
        #expect(resolution.pipeline != nil || !resolution.errors.isEmpty, "seed \(seed)")
        for diagnostic in resolution.diagnostics { #expect(!diagnostic.rendered().isEmpty) }
        if case .success(let node) = ConfigParser.parse(source) {
            let text = node.plain.json()
            #expect(json(text) == text, "seed \(seed)")
        }
    }
}
