import StageKit
import Testing

@Test(arguments: [
    "null", " true ", "false", "0", "-0", "-1.5e+10", "1E5", "\"\"", #""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#, "[]", "{}",
    " [ 1 , [ ] , { } ] ", #"{"a":{"b":[1,2,{"c":null}]},"a":2}"#, "\"é漢😀\u{7f}\"", "\r\n\t[\n]\t", #"{"":0}"#,
])
func `valid JSON is valid`(_ text: String) {
    #expect(JSON.isValid(text))
}

@Test(arguments: [
    "", " ", "nul", "nulll", "True", "+1", "01", "-", "1.", ".5", "1e", "1e+", "0x1", "NaN", "\"", "\"a", "'a'", "[", "[1", "[1,",
    "[1,]", "[,1]", "[1 2]", "]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{1:2}",
    "1 2", "{} {}", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\", "\"a\nb\"", "\"a\u{0}b\"", "\"\u{1f}\"", "\u{FEFF}1", "// c\n1",
    #""\ud800""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\ud800""#, #""\udc00""#, #""\ude00\ud83d""#,
])
func `invalid JSON is not`(_ text: String) {
    #expect(!JSON.isValid(text))
}

@Test(arguments: [
    [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
    [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
] as [[UInt8]])
func `a string that is not UTF-8 is not JSON, wherever it goes wrong`(_ bytes: [UInt8]) {
    for padding in 0..<20 {
        let text = [0x22] + [UInt8](repeating: 0x61, count: padding) + bytes + [0x22]
        let error = #expect(throws: JSONError.self) { try JSON.validate(text) }
        #expect(error?.offset == padding + 1)
    }
}

@Test func `nesting has a limit, and the limit holds for hostile depths`() {
    let limit = JSON.maximumDepth
    #expect(JSON.isValid(String(repeating: "[", count: limit) + String(repeating: "]", count: limit)))
    #expect(!JSON.isValid(String(repeating: "[", count: limit + 1) + String(repeating: "]", count: limit + 1)))
    #expect(!JSON.isValid(String(repeating: "{\"a\":", count: 5_000_000)))
    #expect(!JSON.isValid(String(repeating: "[", count: 5_000_000)))
}

@Test func `a text cut short anywhere is not JSON, and nothing is read behind it`() throws {
    let text = Array(#"{"a":[1.5e3,true,null,"x\u00e9\ud83d\ude00é"],"b":{"c":false}}"#.utf8)
    #expect(JSON.isValid(text))
    for count in 0..<text.count {
        let copy = Array(text[..<count])
        let error = #expect(throws: JSONError.self) { try JSON.validate(copy) }
        #expect((error?.offset ?? .max) <= count)
    }
}

@Test func `a control character or quote is found at every place of a word`() {
    for length in 0..<40 {
        for place in 0..<length {
            for byte in [0x00, 0x1F, 0x0A] as [UInt8] {
                var text = [UInt8](repeating: 0x7E, count: length)
                text[place] = byte
                let error = #expect(throws: JSONError.self) { try JSON.validate([0x22] + text + [0x22]) }
                #expect(error?.offset == place + 1)
            }
        }
        #expect(JSON.isValid([0x22] + [UInt8](repeating: 0x7E, count: length) + [0x22]))
    }
}

@Test func `an error says what was found and expected, and where`() {
    func problem(_ text: String) -> String? {
        let error = #expect(throws: JSONError.self) { try JSON.validate(text) }
        return error?.description
    }
    #expect(problem("[1,]") == "found ']', expected a value, at byte 3")
    #expect(problem("{\"a\":1") == "the text ends, expected a comma or }, at byte 6")
    #expect(problem("\u{1}") == "found the byte 0x1, expected a value, at byte 0")
}

/// The document of RFC 6901, section 5.
private let document = #"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#

@Test(arguments: [
    ("", document), ("/foo", #"["bar","baz"]"#), ("/foo/0", #""bar""#), ("/", "0"), ("/a~1b", "1"), ("/c%d", "2"), ("/e^f", "3"),
    ("/g|h", "4"), ("/i\\j", "5"), ("/k\"l", "6"), ("/ ", "7"), ("/m~0n", "8"), ("/foo/1", #""baz""#), ("/foo/2", nil),
    ("/foo/01", nil), ("/foo/-", nil), ("/foo/x", nil), ("/nothing", nil), ("/foo/0/deeper", nil),
] as [(String, String?)])
func `pointers find what RFC 6901 says`(_ pointer: String, _ expected: String?) throws {
    let pointer = try JSONPointer(pointer)
    #expect(try JSON.withValue(at: pointer, in: document) { $0?.text } == expected)
}

@Test(arguments: ["foo", "/~", "/~2", "/a~"])
func `what is no pointer is refused`(_ text: String) {
    #expect(throws: (any Error).self) { try JSONPointer(text) }
}

@Test func `a key that occurs twice counts the last time`() throws {
    let pointer = try JSONPointer("/a/b")
    func find(_ text: String) throws -> String? { try JSON.withValue(at: pointer, in: text) { $0?.text } }
    #expect(try find(#"{"a":{"b":1},"a":{"b":2}}"#) == "2")
    #expect(try find(#"{"a":{"b":1},"a":{}}"#) == nil)
    #expect(try find(#"{"a":{"b":1},"a":7}"#) == nil)
    #expect(try find(#"{"\u0061":{"\u0062":3},"c":{"b":4}}"#) == "3")
}

@Test func `the rest of the text is checked behind what was found`() throws {
    let pointer = try JSONPointer("/a")
    #expect(throws: JSONError.self) { try JSON.withValue(at: pointer, in: #"{"a":1,"b":}"#) { $0?.text } }
}

@Test func `values have types`() throws {
    func with<R>(_ text: String, _ body: (JSONSlice) throws -> R) throws -> R {
        try JSON.withValue(at: try JSONPointer(""), in: text) { try body(try #require($0)) }
    }
    #expect(try with(#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00x""#) { $0.string } == "\"\\/\u{8}\u{c}\n\r\té😀x")
    #expect(try with("\"plain\"") { $0.string } == "plain")
    #expect(try with("17") { $0.string } == nil)
    #expect(try with("true") { $0.boolean } == true)
    #expect(try with("false") { $0.boolean } == false)
    #expect(try with("null") { $0.isNull })
    #expect(try with("9223372036854775807") { $0.integer } == .max)
    #expect(try with("-9223372036854775808") { $0.integer } == .min)
    #expect(try with("9223372036854775808") { $0.integer } == nil)
    #expect(try with("1.0") { $0.integer } == nil)
    for text in ["0", "-0", "1", "0.1", "-0.0001", "123456789012345", "1234567890123456789", "1e400", "3.14159", "1e-7", "5E3",
        "0.30000000000000004", "179769313486231570000000000000000000000"] {
        #expect(try with(text) { $0.number } == Double(text), "\(text)")
    }
}

@Test func `quoting gives a string that reads back`() throws {
    var texts = ["", "plain", "\"", "\\", "é漢😀", "a\u{0}b\u{1f}\n\r\t\u{8}\u{c}\u{7f}"]
    for length in 0..<20 { texts.append(String(repeating: "x", count: length) + "\"" + "y") }
    for text in texts {
        let quoted = JSON.quote(text)
        #expect(try JSON.withValue(at: try JSONPointer(""), in: quoted) { $0?.string } == text)
    }
    #expect(JSON.quote("\u{1}") == "\"\\u0001\"")
}
