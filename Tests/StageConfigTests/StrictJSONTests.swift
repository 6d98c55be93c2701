import Testing

@testable import StageConfig

/// JSON, told from what only JSON5 allows.
@Suite struct StrictJSONTests {
    @Test(arguments: [
        "null", "true", " false\n", "0", "-0", "12.5e-3", "1E+9", "\"\"", "\"a\\n\\u00e4\\ud83d\\ude00é\"", "[]", "[ ]", "[1,[2],{}]",
        "{}", "{\"a\":1,\"b\":[null]}", "\t{ \"a\" : \"b\" } \r\n",
    ])
    func `JSON is accepted`(text: String) {
        #expect(StrictJSON.accepts(Array(text.utf8)))
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "01", "-", "+1", "1.", ".5", "1e", "0x10", "Infinity", "NaN", "'a'", "\"a", "\"\\x41\"", "\"\\u12g4\"",
        "\"\\ud83d\"", "\"\\ud83dx\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"", "\"a\nb\"", "[1,]", "[,1]", "[1 2]", "[1", "{a:1}", "{\"a\":1,}",
        "{\"a\" 1}", "{\"a\":}", "{1:2}", "1 2", "// a\n1", "/* a */ 1", "\u{feff}1", "\u{a0}1",
    ])
    func `what only JSON5 allows, and what is neither, is refused`(text: String) {
        #expect(!StrictJSON.accepts(Array(text.utf8)))
    }

    @Test func `bytes that are no text are refused`() {
        #expect(!StrictJSON.accepts([0x22, 0xFF, 0x22]))
    }

    @Test func `nesting without end is refused, and ends nothing else`() {
        #expect(!StrictJSON.accepts([UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)))
        #expect(StrictJSON.accepts(Array((String(repeating: "[", count: 100) + String(repeating: "]", count: 100)).utf8)))
    }
}
