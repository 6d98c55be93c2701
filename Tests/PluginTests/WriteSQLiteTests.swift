import CStage
import Foundation
import Testing

private func open(
    _ folder: TemporaryFolder, _ more: [String: Any] = [:], checkpoint: String? = nil, stage: String = "write"
) throws -> TestStage {
    let config: [String: Any] = ["database": folder.path + "/out.db", "table": "rows", "busy_timeout_ms": 10]
    return try TestPlugin("write-sqlite").open(
        try json(config.merging(more) { $1 }), checkpoint: checkpoint, name: stage)
}

/// Reads the database with the C library itself, not with the plugin's code.
private func query(_ folder: TemporaryFolder, _ sql: String) throws -> [String] {
    try TestDatabase(folder.path + "/out.db").rows(sql)
}

@Test func `records become rows, and the batch is the checkpoint`() throws {
    let folder = try TemporaryFolder()
    let stage = try open(folder)
    let outcome = stage.process([TestRecord("a", "one", id: 5), TestRecord("b", bytes: [0xFF])], sequence: 3)
    #expect(outcome.checkpoint == #"{"batch":3}"#)
    #expect(stage.sync().checkpoint == #"{"batch":3}"#)
    #expect(try query(folder, "SELECT id, key, typeof(value), hex(value) FROM rows ORDER BY id DESC") == [
        "5|a|text|6F6E65", "0|b|blob|FF",
    ])
    #expect(try query(folder, "PRAGMA journal_mode") == ["wal"])
}

@Test func `a batch that is there already is acknowledged without effect`() throws {
    let folder = try TemporaryFolder()
    var stage = try open(folder)
    let batches = (0..<4).map { [TestRecord("k\($0)", "v")] }
    let first = stage.process(batches[0], sequence: 0).checkpoint
    for index in 1..<3 { _ = stage.process(batches[index], sequence: UInt64(index * 2)) }
    stage.close()
    // The host heard only of the first batch.
    stage = try open(folder, checkpoint: first)
    for index in 1..<4 { _ = stage.process(batches[index], sequence: UInt64(index * 2)) }
    stage.close()
    #expect(try query(folder, "SELECT key FROM rows ORDER BY key") == ["k0", "k1", "k2", "k3"])
}

@Test func `a new run forgets the progress of earlier ones and appends`() throws {
    let folder = try TemporaryFolder()
    for run in 0..<2 {
        let stage = try open(folder)
        #expect(stage.process([TestRecord("run \(run)", "v")], sequence: 0).status == STAGE_OK)
    }
    #expect(try query(folder, "SELECT key FROM rows ORDER BY key") == ["run 0", "run 1"])
}

@Test func `a database that lacks what was acknowledged is refused`() throws {
    let folder = try TemporaryFolder()
    let refusal = #expect(throws: Refusal.self) { _ = try open(folder, checkpoint: #"{"batch":7}"#) }
    #expect(refusal?.status == STAGE_FATAL)
    #expect(refusal?.message.contains("expected to be 7 or later, found no batch of this run") == true)
}

@Test func `columns take members of the value with their types`() throws {
    let folder = try TemporaryFolder()
    let columns = ["name": "/name", "n": "/n", "f": "/f", "b": "/b", "l": "/l", "gone": "/gone", "the \"key\"": "key"]
    let outcome = try open(folder, ["columns": columns]).process([
        TestRecord("k", #"{"name":"A\u00e9","n":9007199254740993,"f":1.5,"b":true,"l":[1, 2]}"#), TestRecord("x", "no JSON"),
    ])
    #expect(outcome.failures.map(\.input) == [1])
    #expect(try query(folder, #"SELECT name,n,typeof(n),f,typeof(f),b,l,gone,"the ""key""" FROM rows"#) == [
        "Aé|9007199254740993|integer|1.5|real|1|[1, 2]|NULL|k"
    ])
}

@Test func `an upsert replaces the earlier row`() throws {
    let folder = try TemporaryFolder()
    let stage = try open(folder, ["upsert": "key"])
    _ = stage.process([TestRecord("a", "1"), TestRecord("b", "1"), TestRecord("a", "2")], sequence: 0)
    _ = stage.process([TestRecord("b", "3")], sequence: 1)
    #expect(try query(folder, "SELECT key, value FROM rows ORDER BY key") == ["a|2", "b|3"])
}

@Test func `a row that the table refuses fails alone`() throws {
    let folder = try TemporaryFolder()
    _ = try query(folder, "CREATE TABLE rows (id, key TEXT CHECK (key <> 'bad'), value)")
    let outcome = try open(folder).process([TestRecord("good", "1"), TestRecord("bad", "2"), TestRecord("fine", "3")])
    #expect(outcome.status == STAGE_OK)
    #expect(outcome.failures.map(\.input) == [1])
    #expect(outcome.failures.first?.message.contains("CHECK constraint failed") == true)
    #expect(try query(folder, "SELECT key FROM rows") == ["good", "fine"])
}

@Test func `a busy database is tried again later, without part of the batch`() throws {
    let folder = try TemporaryFolder()
    let stage = try open(folder)
    let other = try open(folder, stage: "other")
    _ = other.process([TestRecord("other", "1")])
    let writer = try TestDatabase(folder.path + "/out.db")
    _ = try writer.rows("BEGIN IMMEDIATE")
    let outcome = stage.process([TestRecord("mine", "1")])
    #expect(outcome.status == STAGE_RETRY)
    #expect(outcome.explanation.contains("database is locked"))
    _ = try writer.rows("ROLLBACK")
    #expect(stage.process([TestRecord("mine", "1")]).status == STAGE_OK)
    #expect(try query(folder, "SELECT key FROM rows ORDER BY key") == ["mine", "other"])
}

/// A table that refuses the key "bad", so that records fail for good.
private func folderWithBadKey() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    _ = try query(folder, "CREATE TABLE rows (id, key TEXT CHECK (key <> 'bad'), value)")
    return folder
}

@Test func `what failed fails again with the same words, when the host has not heard of the batch`() throws {
    let folder = try folderWithBadKey()
    let batches = (0..<3).map { index in
        [TestRecord("a\(index)", "1"), TestRecord("bad", "2", id: 7), TestRecord("bad", "2", id: 7), TestRecord("b", "3")]
    }
    var stage = try open(folder)
    let first = stage.process([TestRecord("first", "1")], sequence: 0).checkpoint
    let failures = (0..<3).map { stage.process(batches[$0], sequence: UInt64($0 + 1)).failures }
    #expect(failures.allSatisfy { $0.map(\.input) == [1, 2] })
    let rows = try query(folder, "SELECT key FROM rows")
    for _ in 0..<2 {
        stage.close()
        stage = try open(folder, checkpoint: first)
        for index in 0..<3 {
            let outcome = stage.process(batches[index], sequence: UInt64(index + 1))
            #expect(outcome.failures == failures[index])
            #expect(outcome.checkpoint == #"{"batch":\#(index + 1)}"#)
            #expect(stage.sync().checkpoint == outcome.checkpoint)
        }
    }
    #expect(try query(folder, "SELECT key FROM rows") == rows)
}

@Test func `a batch that comes again without its dead records fails no other in their place`() throws {
    let folder = try folderWithBadKey()
    var stage = try open(folder)
    let first = stage.process([TestRecord("first", "1")], sequence: 0).checkpoint
    for sequence: UInt64 in 1...2 {
        _ = stage.process([TestRecord("bad", "1"), TestRecord("good", "2"), TestRecord("fine", "3")], sequence: sequence)
    }
    stage.close()
    stage = try open(folder, checkpoint: first)
    for sequence: UInt64 in 1...2 {
        #expect(stage.process([TestRecord("good", "2"), TestRecord("fine", "3")], sequence: sequence).failures.isEmpty)
    }
    #expect(try query(folder, "SELECT key FROM rows") == ["first", "good", "fine", "good", "fine"])
}

@Test func `a batch in pieces is written whole, wherever the worker dies and however it is cut the next time`() throws {
    let records = [
        TestRecord("a", "1"), TestRecord("twin", "1"), TestRecord("bad", "1"), TestRecord("twin", "1"),
        TestRecord("twin", "1"), TestRecord("z", "1"),
    ]
    for cut in 0...records.count {
        for next in 0...records.count {
            let folder = try folderWithBadKey()
            var stage = try open(folder)
            let first = stage.process([TestRecord("first", "1")], sequence: 0).checkpoint
            if cut > 0 { _ = stage.process(Array(records[..<cut]), sequence: 5) }
            stage.close()
            stage = try open(folder, checkpoint: first)
            var failed: [Int] = []
            for range in [0..<next, next..<records.count] where !range.isEmpty {
                let outcome = stage.process(Array(records[range]), sequence: 5)
                failed += outcome.failures.map { Int($0.input) + range.lowerBound }
            }
            #expect(failed == [2], "cut at \(cut), then at \(next)")
            #expect(
                try query(folder, "SELECT key FROM rows") == ["first", "a", "twin", "twin", "twin", "z"],
                "cut at \(cut), then at \(next)")
        }
    }
}

@Test func `failures are forgotten when the host is far beyond them`() throws {
    let folder = try folderWithBadKey()
    var stage = try open(folder)
    _ = stage.process([TestRecord("bad", "1")], sequence: 1)
    let far = stage.process([TestRecord("bad", "1")], sequence: 1000)
    _ = stage.sync()
    #expect(try query(folder, "SELECT batch FROM stagehost_failures") == ["1", "1000"])
    _ = stage.process([TestRecord("bad", "1")], sequence: 1001)
    _ = stage.sync()
    #expect(try query(folder, "SELECT batch FROM stagehost_failures") == ["1000", "1001"])
    _ = stage.process([TestRecord("good", "1")], sequence: 2000)
    stage.close()
    stage = try open(folder, checkpoint: far.checkpoint)
    #expect(try query(folder, "SELECT batch FROM stagehost_failures") == ["1000", "1001"])
    stage.close()
    stage = try open(folder, checkpoint: #"{"batch":2000}"#)
    #expect(try query(folder, "SELECT batch FROM stagehost_failures") == [])
}

@Test func `progress written before the records of the last batch were kept still counts`() throws {
    let folder = try TemporaryFolder()
    var stage = try open(folder)
    let first = stage.process([TestRecord("a", "1")], sequence: 0).checkpoint
    _ = stage.process([TestRecord("b", "1")], sequence: 1)
    stage.close()
    _ = try query(folder, "DROP TABLE stagehost_last_batch")
    _ = try query(folder, "DROP TABLE stagehost_failures")
    stage = try open(folder, checkpoint: first)
    _ = stage.process([TestRecord("b", "1")], sequence: 1)
    _ = stage.process([TestRecord("c", "1")], sequence: 2)
    #expect(try query(folder, "SELECT key FROM rows") == ["a", "b", "c"])
}
