import CStage
import Testing

private func fill(_ config: [String: Any], _ key: String, _ value: String) throws -> Outcome {
    try TestPlugin("template").open(try json(config)).process([TestRecord(key, value)])
}

private func value(_ template: String, _ form: String = "text", _ record: String = "v", key: String = "k") throws -> String? {
    try fill(["value": template, "form": form], key, record).values.first
}

@Test func `places are filled with the key, the value and members of the value`() throws {
    #expect(try value("<{{key}}|{{value}}>") == "<k|v>")
    #expect(try value("{{json:/a}} {{json:/b/1}} {{json:/c}}", "text", #"{"a":"x\"y","b":[1,2.50],"c":{"d":null}}"#) == #"x"y 2.50 {"d":null}"#)
    #expect(try value("no place") == "no place")
    #expect(try value("{{{{key}} } } {") == "{{key}} } } {")
    let outcome = try fill(["key": "{{key}}/{{value}}"], "a", "b")
    #expect(outcome.keys == ["a/b"])
    #expect(outcome.values == ["b"])
}

@Test func `in a JSON template values are escaped for where they stand`() throws {
    let nasty = "\"},{\"x\":\"\\ \n\u{1}"
    let quoted = #""\"},{\"x\":\"\\ \n\u0001""#
    #expect(try value(#"{"a":"<{{value}}>","b":{{value}}}"#, "json", nasty) == #"{"a":"<"# + quoted.dropFirst().dropLast() + #">","b":"# + quoted + "}")
    let record = #"{"s":"q\"","n":1,"o":{"k":[true]}}"#
    #expect(
        try value(#"{"s":{{json:/s}},"in":"{{json:/s}} {{json:/o}}","n":{{json:/n}},"o":{{json:/o}}}"#, "json", record)
            == #"{"s":"q\"","in":"q\" {\"k\":[true]}","n":1,"o":{"k":[true]}}"#)
    // A quote that is escaped does not end the string around a place.
    #expect(try value(#"{"a":"\"{{value}}"}"#, "json", "\"") == #"{"a":"\"\""}"#)
}

@Test func `what cannot be filled in fails for good and says why`() throws {
    #expect(try fill(["value": "{{json:/a}}"], "k", "{}").failures.first?.message.contains("found nothing at /a") == true)
    #expect(try fill(["value": "{{json:/a}}"], "k", "no").failures.first?.message.contains("not JSON") == true)
    #expect(try fill(["value": "[{{value}},]", "form": "json"], "k", "v").failures.first?.message.contains("filled template is not JSON") == true)
    let stage = try TestPlugin("template").open(#"{"value":"\"{{value}}\"","form":"json"}"#)
    let outcome = stage.process([TestRecord("k", bytes: [0x61, 0xFF])])
    #expect(outcome.failures.first?.message.contains("byte 1 of 2") == true)
}

@Test(arguments: [
    (#"{"value":"x {{value"}"#, "value: found {{ without }} at character 3"),
    (#"{"value":"é{{name}}"}"#, "value: found {{name}} at character 2, expected {{key}}, {{value}} or {{json:/pointer}}"),
    (#"{"key":"{{json:a}}"}"#, "key: {{json:a}} at character 1: found \"a\", expected a JSON pointer"),
    ("{}", "found no template, expected value or key"), (#"{"valu":"x"}"#, "valu"),
])
func `template refuses a wrong configuration by its key`(_ config: String, _ message: String) throws {
    let refusal = try #require(throws: Refusal.self) { _ = try TestPlugin("template").open(config) }
    #expect(refusal.message.contains(message))
}
