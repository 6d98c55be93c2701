import StageKit
import Testing

private func replaced(_ pointer: String, _ text: String, _ value: String) throws -> String {
    String(decoding: try JSON.replacing(try JSONPointer(pointer), in: Array(text.utf8), with: Array(value.utf8)), as: UTF8.self)
}

@Test(arguments: [
    ("/a", #"{"a": 1, "b":2}"#, "[3]", #"{"a": [3], "b":2}"#), ("/b", "{}", "1", #"{"b":1}"#),
    ("/b", "{ \n}", "1", "{ \n\"b\":1}"), ("/c", #"{"a":{}}"#, "null", #"{"a":{},"c":null}"#),
    ("/a/b", #"{"a":{"x":"}"},"z":0}"#, "true", #"{"a":{"x":"}","b":true},"z":0}"#),
    ("/l/1", #"{"l":[1,2,3]}"#, "9", #"{"l":[1,9,3]}"#), ("", "17", "{}", "{}"), ("/a~1b", "{}", "1", #"{"a/b":1}"#),
])
func `a value goes where the pointer says`(_ pointer: String, _ text: String, _ value: String, _ expected: String) throws {
    #expect(try replaced(pointer, text, value) == expected)
}

@Test(arguments: [("/a/b", "{}"), ("/a/b", #"{"a":[1]}"#), ("/a", "[1]"), ("/a", "{"), ("/l/3", #"{"l":[1]}"#)])
func `what has no object to take the value up is refused`(_ pointer: String, _ text: String) {
    #expect(throws: (any Error).self) { try replaced(pointer, text, "1") }
}
