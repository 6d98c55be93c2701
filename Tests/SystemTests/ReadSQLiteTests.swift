import Foundation
import Glibc
import Testing

/// The rows of a database as the input of a job: hosts and workers that are killed, writers that go on writing.
@Suite(.enabled(if: Programs.find("sqlite3") != nil, "needs sqlite3")) struct ReadSQLiteTests {
    /// The source is held back, so that it is killed while it reads, and not only when rows are read again.
    private static func pipeline(_ with: String) -> String {
        Stages.pipeline(
            "{ name: \"read\", plugin: \"read-sqlite\", with: { database: \"in.db\", \(with) } }",
            Stages.misbehave("each_ms: 1", "workers: 2", name: "slow"), Stages.write, options: "batch: { records: 20 }, window: 4,")
    }

    /// Runs SQL on the job's database; what it answers.
    @discardableResult
    private func sql(_ job: Job, _ sql: String) throws -> String {
        let sqlite = try #require(Programs.find("sqlite3"))
        let ended = try Programs.run(sqlite, ["-cmd", ".timeout 10000", job.path("in.db"), sql])
        try #require(ended.code == 0, "\(ended.output)")
        return ended.output
    }

    /// Rows with the keys from `first` on.
    private func insertion(_ first: Int, _ count: Int) -> String {
        "WITH RECURSIVE n(i) AS (SELECT \(first) UNION ALL SELECT i + 1 FROM n WHERE i < \(first + count - 1)) "
            + "INSERT INTO t SELECT i, printf('k%06d', i * 7), 'text of ' || i, i * 9007199254740993, CASE WHEN i % 3 THEN zeroblob(i % 5) END FROM n;"
    }

    private func makeTable(_ job: Job, _ rows: Int, mode: String = "wal") throws {
        try sql(job, "PRAGMA journal_mode = \(mode); CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, text, big, raw); " + insertion(1, rows))
    }

    static let shapes = [
        #"table: "t", key: "id""#, #"table: "t", key: "name", value: "text""#,
        #"query: "SELECT a.id, a.name, b.text AS other FROM t AS a JOIN t AS b ON b.id = a.id + 1 WHERE a.id % 4 > 0", key: "name", record_key: "id""#,
    ]

    @Test(arguments: shapes.indices) func killsAtRandomInstantsChangeNoByteOfTheOutput(_ shape: Int) throws {
        let undisturbed = try Job(Self.pipeline(Self.shapes[shape]))
        try makeTable(undisturbed, 2_000)
        let first = try undisturbed.run()
        #expect(first.code == 0, "\(first.output)")
        #expect(undisturbed.lines("output.jsonl").count == (shape == 2 ? 1_500 : 2_000))
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        let job = try Job(Self.pipeline(Self.shapes[shape]))
        try makeTable(job, 2_000)
        let ended = try job.runThroughKills(Storm.rounds(8), &chance)
        #expect(ended.code == 0, "seed \(seed): \(ended.output)")
        #expect(job.data("output.jsonl") == undisturbed.data("output.jsonl"), "seed \(seed)")
        #expect(try job.letters().isEmpty, "seed \(seed)")
        job.expectNoProcessLeft()
    }

    @Test(arguments: ["wal", "delete"]) func rowsThatComeWhileItIsKilledAndRestartedAreReadOnceEach(_ mode: String) throws {
        let job = try Job(Self.pipeline(#"table: "t", key: "id", columns: ["text"]"#))
        try makeTable(job, 1_500, mode: mode)
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        var rows = 1_500
        let ended = try job.runThroughKills(Storm.rounds(8), &chance) {
            try sql(job, insertion(rows + 1, 50))
            rows += 50
        }
        #expect(ended.code == 0, "seed \(seed): \(ended.output)")
        // What came after the reader had met the end is not part of the job; nothing before that is missing, and nothing is there twice.
        let keys = job.objects("output.jsonl").compactMap { ($0["key"] as? String).flatMap { Int($0) } }
        // The rows that came in the first round, at least, came in time.
        #expect(keys.count >= 1_550 && keys.count <= rows, "seed \(seed)")
        #expect(keys == Array(1...max(keys.count, 1)), "seed \(seed)")
        #expect(try sql(job, "PRAGMA integrity_check; SELECT count(*) FROM t") == "ok\n\(rows)\n")
        job.expectNoProcessLeft()
    }

    @Test func aKeyThatOccursTwiceEndsTheRunAndAMendedTableGoesOn() throws {
        let job = try Job(Self.pipeline(#"table: "log", key: "number""#))
        try makeTable(job, 300)
        try sql(job, "CREATE TABLE log AS SELECT id AS number, text FROM t; CREATE INDEX log_number ON log (number)")
        try sql(job, "INSERT INTO log VALUES (160, 'again')")
        let refused = try job.run()
        #expect(refused.code == 69, "\(refused.output)")
        let words = "in.db: in the key column \"number\" found the key 160 in more than one row, expected each once"
        #expect(refused.output.contains(words), "\(refused.output)")
        try sql(job, "DELETE FROM log WHERE text = 'again'")
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.objects("output.jsonl").compactMap { $0["key"] as? String } == (1...300).map { "\($0)" })
    }

    @Test func oneDatabaseCanBeReadAndWrittenByOneJob() throws {
        let job = try Job(
            Stages.pipeline(
                #"{ name: "read", plugin: "read-sqlite", with: { database: "in.db", table: "t", key: "id", value: "text" } }"#,
                #"{ name: "write", plugin: "write-sqlite", with: { database: "in.db", table: "copy", columns: { key: "key", text: "value" } } }"#,
                options: "batch: { records: 20 },"))
        try makeTable(job, 1_000)
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(try sql(job, "SELECT count(*), count(DISTINCT key) FROM copy JOIN t ON t.id = copy.key AND t.text = copy.text") == "1000|1000\n")
    }
}
