import StageKit
import Testing

private struct Settings: Codable, Equatable {
    struct Inner: Codable, Equatable {
        var names: [String]
        var ratio: Double?
    }

    var count: Int
    var inner: Inner?
    var flags: [String: Bool]?
}

private func message(_ text: String) -> String? {
    do {
        _ = try JSON.decode(Settings.self, from: Array(text.utf8))
        return nil
    } catch {
        return "\(error)"
    }
}

@Test func `what is encoded is decoded again`() throws {
    let settings = Settings(count: -3, inner: .init(names: ["a", "é\n"], ratio: 0.25), flags: ["x": true, "a": false])
    let text = try JSON.encode(settings)
    #expect(
        String(decoding: text, as: UTF8.self)
            == #"{"count":-3,"flags":{"a":false,"x":true},"inner":{"names":["a","é\n"],"ratio":0.25}}"#)
    #expect(try JSON.decode(Settings.self, from: text) == settings)
}

@Test(arguments: [
    (#"{"count":"3"}"#, #"count: found "3", expected a whole number"#),
    (#"{"count":1.5}"#, "count: found 1.5, expected a whole number"),
    (#"{"count":99999999999999999999}"#, "count: found 99999999999999999999, expected a whole number"),
    (#"{}"#, "count: is missing, and has no default"),
    (#"{"count":1,"inner":{"names":["a",2]}}"#, "inner.names.1: found 2, expected a string"),
    (#"{"count":1,"inner":{"names":"a"}}"#, #"inner.names: found "a", expected a list"#),
    (#"{"count":1,"inner":[]}"#, "inner: found a list, expected an object"),
    (#"{"count":1,"cuont":2}"#, "cuont: unknown key; the keys are count, flags, inner"),
    (#"{"count":1,"inner":{"names":[],"x":1}}"#, "inner.x: unknown key; the keys are names, ratio"),
    (#"[]"#, "found a list, expected an object"),
    (#"{"count":1"#, "the text ends, expected a comma or }, at byte 10"),
])
func `a configuration that does not fit is refused with its place`(_ text: String, _ expected: String) {
    #expect(message(text) == expected)
}

@Test func `numbers that are whole in another spelling are accepted, and null is absence`() throws {
    #expect(message(#"{"count":1e3,"inner":null,"flags":{"anything":true}}"#) == nil)
}

@Test func `a number that JSON cannot hold is not encoded`() {
    #expect(throws: (any Error).self) { try JSON.encode(Double.infinity) }
}
