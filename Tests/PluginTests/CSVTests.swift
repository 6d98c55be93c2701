import CStage
import Foundation
import Testing

private func rows(_ text: String, _ more: [String: Any] = [:]) throws -> [Outcome.Delivered] {
    let folder = try TemporaryFolder()
    let path = try folder.write("in.csv", text)
    let stage = try TestPlugin("read-csv").open(try json(["path": path].merging(more) { $1 }))
    return stage.readAll(100).flatMap(\.delivered)
}

private func values(_ text: String, _ more: [String: Any] = [:]) throws -> [String] {
    try rows(text, more).compactMap { if case .record(_, let value) = $0 { value } else { nil } }
}

@Test func `rows become objects by the names in the header`() throws {
    #expect(try values("id,name\n1,Ann\n2,Bob\n") == [#"{"id":"1","name":"Ann"}"#, #"{"id":"2","name":"Bob"}"#])
    #expect(try values("id,name\r\n1,Ann\r\n2,Bob") == [#"{"id":"1","name":"Ann"}"#, #"{"id":"2","name":"Bob"}"#])
    #expect(try values("\u{FEFF}id\n1\n") == [#"{"id":"1"}"#])
    #expect(try values("a;b\n1;2\n", ["delimiter": ";"]) == [#"{"a":"1","b":"2"}"#])
    #expect(try values("a,b\n'x,y',2\n", ["quote": "'"]) == [#"{"a":"x,y","b":"2"}"#])
    #expect(try values("a,b\n") == [])
    #expect(try values("") == [])
    #expect(try values("1,2\n", ["header": false]) == [#"["1","2"]"#])
    #expect(try values("1,2\n", ["header": false, "columns": ["x", "y"]]) == [#"{"x":"1","y":"2"}"#])
}

@Test func `fields in quotes hold delimiters, quotes and ends of lines`() throws {
    #expect(try values("a,b\n\"x,\"\"y\"\"\n\r\nz\",\"\"\n") == [#"{"a":"x,\"y\"\n\r\nz","b":""}"#])
    #expect(try values("a\n\"\"\n\"\"\"\"\n") == [#"{"a":""}"#, #"{"a":"\""}"#])
    #expect(try values("a,b\nx\"y,z\"\n") == [#"{"a":"x\"y","b":"z\""}"#])
    #expect(try values("a,b\n\n1,2\n\r\n\n3,4\n\n") == [#"{"a":"1","b":"2"}"#, #"{"a":"3","b":"4"}"#])
    #expect(try values("a,b\n1\r2,\r\n") == [#"{"a":"1\r2","b":""}"#])
}

@Test func `keys are a column, or the file and the line that the row begins in`() throws {
    let outcomes = try rows("id,t\n7,\"x\ny\"\n8,z\n", ["key": "id"])
    #expect(outcomes == [.record(key: "7", value: #"{"id":"7","t":"x\ny"}"#), .record(key: "8", value: #"{"id":"8","t":"z"}"#)])
    let lines = try rows("t\n\"x\ny\"\nz\n").map { delivered -> String? in
        if case .record(let key, _) = delivered { key.split(separator: ":").last.map(String.init) } else { nil }
    }
    #expect(lines == ["2", "4"])
}

@Test func `a wrong row fails as a record, and the others go on`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/in.csv"
    try Data("a,b\n1,2\n3\n\"x\"y,2\n\"\u{7f}".utf8 + [0xFF] + "\",2\n5,6\n\(String(repeating: "long", count: 30)),1\n7,8\n\"open,9\n".utf8)
        .write(to: URL(filePath: path))
    let outcome = try TestPlugin("read-csv").open(try json(["path": path, "max_row_bytes": 100])).read(100)
    #expect(outcome.values == [#"{"a":"1","b":"2"}"#, #"{"a":"5","b":"6"}"#, #"{"a":"7","b":"8"}"#])
    #expect(
        outcome.sourceFailures.map { $0.message.split(separator: "the row ").last.map(String.init) } == [
            "in line 3 has 1 field, expected 2", "in line 4 has text behind the closing quote of field 1", "in line 5 is not UTF-8 in field 1",
            "in line 7 has more than max_row_bytes = 100 bytes", "in line 9 the quote that begins field 1 is never closed",
        ])
    #expect(outcome.sourceFailures.first?.value == "3")
}

@Test(arguments: ["plain", "gz", "zst"]) func `reading again from any checkpoint gives the same rows, across files`(_ packing: String) throws {
    let folder = try TemporaryFolder()
    var seed: UInt64 = 3
    for file in 0..<3 {
        var text = "id,text\n"
        for row in 0..<300 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1
            text += "\(file)-\(row),\"\(String(repeating: "né\"\"w\n", count: Int(seed >> 60)))\"\(seed >> 62 == 0 ? "\r\n" : "\n")"
        }
        let path = try folder.write("\(file).csv", text)
        guard packing != "plain" else { continue }
        guard let program = Packer.find(packing) else {
            withKnownIssue("no program to pack with: not tested") { Issue.record("\(packing)") }
            return
        }
        try Packer.pack(path, with: program)
    }
    let config = try json(["path": folder.path + "/*.csv" + (packing == "plain" ? "" : "." + packing), "key": "id"])
    let plugin = try TestPlugin("read-csv")
    let all = try plugin.open(config).readAll(7)
    let records = all.flatMap(\.delivered)
    #expect(records.count == 900)
    for index in stride(from: 0, to: all.count - 1, by: 17) {
        let again = try plugin.open(config, checkpoint: all[index].checkpoint).readAll(7)
        #expect(Array(records.dropFirst(all[...index].reduce(0) { $0 + $1.delivered.count })) == again.flatMap(\.delivered))
    }
}

@Test func `rows are written with quotes where they are needed, and read back the same`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/out.csv"
    let columns: [Any] = ["a", ["name": "deep", "json": "/o/x"], ["name": "who", "record": "key"], "a/b"]
    let stage = try TestPlugin("write-csv").open(try json(["path": path, "columns": columns]))
    let outcome = stage.process([
        TestRecord("k1", #"{"a":"x,\"y\"\nz","o":{"x":1.50},"a/b":true}"#), TestRecord("k2", #"{"a":null,"o":{"x":[1]}}"#), TestRecord("k3", "no"),
    ])
    #expect(outcome.failures.map(\.input) == [2])
    _ = stage.finish()
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "a,deep,who,a/b\n\"x,\"\"y\"\"\nz\",1.50,k1,true\n,[1],k2,\n")
    let back = try TestPlugin("read-csv").open(try json(["path": path])).read(10)
    #expect(back.values == [#"{"a":"x,\"y\"\nz","deep":"1.50","who":"k1","a/b":"true"}"#, #"{"a":"","deep":"[1]","who":"k2","a/b":""}"#])
}

@Test func `a csv file is cut back to what was acknowledged, header and all`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/out.csv"
    let config = try json(["path": path, "columns": ["a"]])
    let plugin = try TestPlugin("write-csv")
    let first = try plugin.open(config)
    let acknowledged = first.process([TestRecord("k", #"{"a":""}"#)]).checkpoint
    _ = first.process([TestRecord("k", #"{"a":"lost"}"#)])
    first.close()
    let second = try plugin.open(config, checkpoint: acknowledged)
    _ = second.process([TestRecord("k", #"{"a":"2"}"#)])
    second.close()
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "a\n\"\"\n2\n")
}

@Test(arguments: [
    ("read-csv", #"{"path":"x","columns":["a"]}"#, "columns: are named by the header"),
    ("read-csv", #"{"path":"x","delimiter":"ab"}"#, #"delimiter: found "ab", expected one ASCII character"#),
    ("read-csv", #"{"path":"x","quote":","}"#, "quote: found the delimiter"),
    ("read-csv", #"{"path":"x","header":false,"key":"a"}"#, #"key: found "a", expected one of columns"#),
    ("read-csv", #"{"path":"/nowhere/*.csv"}"#, "no input: no file matches"),
    ("write-csv", #"{"path":"/x","columns":[]}"#, "columns: found none"),
    ("write-csv", #"{"path":"/x","columns":[{"name":"a","json":"/a","record":"id"}]}"#, "found json and record"),
    ("write-csv", #"{"path":"/x","columns":["a"],"delimiter":"\""}"#, "delimiter: found"),
])
func `csv plugins refuse a wrong configuration`(_ name: String, _ config: String, _ message: String) throws {
    let refusal = try #require(throws: Refusal.self) { _ = try TestPlugin(name).open(config) }
    #expect(refusal.message.contains(message), "\(refusal.message)")
}
