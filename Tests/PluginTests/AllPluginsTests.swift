import CStage
import Foundation
import Testing

private let names = [
    "read-files", "read-lines", "split-text", "count-terms", "keep", "write-lines", "tally", "write-sqlite",
    "deduplicate", "template", "run-command", "call-http", "extract-pdf", "read-csv", "write-csv", "read-sqlite",
    "write-postgres",
]

@Test(arguments: names)
func `a plugin says who it is, and its schema is JSON that names every key`(_ name: String) throws {
    let plugin = try TestPlugin(name)
    #expect(plugin.id == name)
    #expect(unsafe String(cString: plugin.table.version).split(separator: ".").count == 3)
    #expect(unsafe !String(cString: plugin.table.description).isEmpty)
    let schema = try object(plugin.schema)
    #expect(schema["additionalProperties"] as? Bool == false)
    let properties = try #require(schema["properties"] as? [String: [String: Any]])
    for (key, property) in properties { #expect(property["description"] is String, "\(key)") }
}

// write-postgres opens with a server only: see its own tests.
@Test(arguments: names.filter { $0 != "write-postgres" })
func `an unknown key is refused for good, and the message names the known ones`(_ name: String) throws {
    let folder = try TemporaryFolder()
    let input = try folder.write("in.txt", "one\n")
    let configurations: [String: [String: Any]] = [
        "read-files": ["glob": input], "read-lines": ["path": input], "tally": ["by": "/a"], "keep": ["json": "/a"],
        "template": ["value": "x"], "run-command": ["command": ["cat"]],
        "call-http": ["url": "localhost"],
        "read-csv": ["path": input], "write-csv": ["path": folder.path + "/out.csv", "columns": ["a"]],
        "read-sqlite": ["database": try TestDatabase.make(in: folder, "CREATE TABLE t (id INTEGER PRIMARY KEY)"), "table": "t", "key": "id"],
        "write-lines": ["path": folder.path + "/out"],
        "write-sqlite": ["database": folder.path + "/out.db", "table": "t"],
    ]
    let config = configurations[name] ?? [:]
    _ = try TestPlugin(name).open(try json(config))
    let refusal = #expect(throws: Refusal.self) {
        _ = try TestPlugin(name).open(try json(config.merging(["colour": "red"]) { $1 }))
    }
    #expect(refusal?.status == STAGE_FATAL)
    #expect(refusal?.message.hasPrefix("colour: unknown key; the keys are ") == true)
    for key in config.keys { #expect(refusal?.message.contains(key) == true) }
}

@Test(arguments: [
    ("split-text", #"{"max_characters":0}"#, "max_characters: found 0, expected a whole number from 1 to 100000000"),
    ("split-text", #"{"max_characters":"9"}"#, #"max_characters: found "9", expected a whole number"#),
    ("split-text", #"{"max_characters":10,"overlap":10}"#, "overlap: found 10, expected a whole number from 0 to 9"),
    ("write-lines", #"{}"#, "path: is missing, and has no default"),
    ("write-lines", #"{"path":"/x","format":"xml"}"#, #"format: found "xml", expected one of "raw", "json""#),
    ("keep", #"{}"#, "found no condition, expected json or matches (or both)"),
    ("keep", #"{"min":3}"#, "found no condition, expected json or matches (or both)"),
    ("keep", #"{"json":"score"}"#, #"json: found "score", expected a JSON pointer such as "/name""#),
    ("keep", #"{"json":"/s","min":3,"max":2}"#, "min: found 3, expected not more than max"),
    ("read-files", #"{"glob":[]}"#, "glob: expected a string, or a list of at least one string"),
    ("count-terms", #"{"top":-1}"#, "top: found -1, expected a whole number from 0 to 10000"),
])
func `a wrong configuration is refused with key, find and expectation`(
    _ name: String, _ config: String, _ message: String
) throws {
    let refusal = #expect(throws: Refusal.self) { _ = try TestPlugin(name).open(config) }
    #expect(refusal?.status == STAGE_FATAL)
    #expect(refusal?.message == message)
}
