import CStage
import Foundation
import Testing

/// A folder with a database, and stages that read it.
private struct Library {
    let folder: TemporaryFolder
    let path: String

    init(_ sql: String) throws {
        folder = try TemporaryFolder()
        path = try TestDatabase.make(in: folder, sql)
    }

    func change(_ sql: String) throws { try TestDatabase.make(in: folder, sql) }

    func open(_ options: [String: Any] = [:], checkpoint: String? = nil) throws -> TestStage {
        var config: [String: Any] = ["database": path, "key": "id", "busy_timeout_ms": 10]
        if options["query"] == nil { config["table"] = "t" }
        return try TestPlugin("read-sqlite").open(try json(config.merging(options) { $1 }), checkpoint: checkpoint)
    }

    func values(_ options: [String: Any] = [:]) throws -> [String] { try open(options).readAll(3).flatMap(\.values) }
    func keys(_ options: [String: Any] = [:]) throws -> [String] { try open(options).readAll(3).flatMap(\.keys) }
}

private let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %)"

@Suite(.enabled(if: TestDatabase.isThere, "needs libsqlite3-0")) struct ReadSQLiteTests {
    // MARK: - Values

    @Test func `a row becomes an object of its columns, each value as it is stored`() throws {
        let library = try Library(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, x REAL, raw BLOB, gone, "the ""odd"" one");
            INSERT INTO t VALUES (-9223372036854775808, 'Ann "A" \\', 0.1, x'00FF10', NULL, 9007199254740993),
              (9007199254740993, 'tab' || char(9, 0) || 'é', 2.0, x'', NULL, ''), (9223372036854775807, '', 1e300, zeroblob(1), NULL, 1.5);
            """)
        #expect(
            try library.values() == [
                #"{"id":-9223372036854775808,"name":"Ann \"A\" \\","x":0.1,"raw":{"base64":"AP8Q"},"gone":null,"the \"odd\" one":9007199254740993}"#,
                #"{"id":9007199254740993,"name":"tab\t\u0000é","x":2,"raw":{"base64":""},"gone":null,"the \"odd\" one":""}"#,
                #"{"id":9223372036854775807,"name":"","x":1e+300,"raw":{"base64":"AA=="},"gone":null,"the \"odd\" one":1.5}"#,
            ])
        let last = try library.open().readAll(2).compactMap(\.checkpoint).last
        #expect(last == #"{"key":9223372036854775807,"rows":3}"#)
        #expect(try library.values(["columns": ["x", "id"]]).first == #"{"x":0.1,"id":-9223372036854775808}"#)
        for value in try library.values() { #expect(try object(value).count == 6) }
    }

    @Test func `one column can be the value as it is, and another the key of the record`() throws {
        let library = try Library(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, doi TEXT, body);
            INSERT INTO t VALUES (1, 'a/1', 'text'), (2, 'a/2', x'41'), (3, 'a/3', 7), (4, 'a/4', NULL), (5, 'a/5', 2.5);
            """)
        let outcome = try library.open(["record_key": "doi", "value": "body"]).read(10)
        #expect(outcome.keys == ["a/1", "a/2", "a/3", "a/4", "a/5"])
        #expect(outcome.values == ["text", "A", "7", "", "2.5"])
        #expect(try library.keys() == ["1", "2", "3", "4", "5"])
        #expect(try library.keys(["key": "rowid", "columns": ["doi"]]) == ["1", "2", "3", "4", "5"])
    }

    @Test func `a query may join, rename, filter, and end in a semicolon or a comment`() throws {
        let library = try Library(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, title TEXT); CREATE TABLE tags (doc INTEGER, tag TEXT); CREATE INDEX tag_doc ON tags (doc);
            INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three'); INSERT INTO tags VALUES (1, 'a'), (3, 'b');
            """)
        let joined = "SELECT t.id, t.title AS name, tag FROM t JOIN tags ON tags.doc = t.id WHERE tag <> ';' ; -- those with a tag"
        #expect(try library.values(["query": joined]) == [#"{"id":1,"name":"one","tag":"a"}"#, #"{"id":3,"name":"three","tag":"b"}"#])
        #expect(try library.keys(["query": "SELECT * FROM t ORDER BY title -- in an order of its own"]) == ["1", "2", "3"])
        #expect(try library.keys(["query": "WITH w AS (SELECT id * 10 AS n FROM t) SELECT n FROM w;\n", "key": "n"]) == ["10", "20", "30"])
        #expect(try library.keys(["query": "SELECT id FROM t LIMIT 2"]) == ["1", "2"])
        // Names that occur twice get a number from SQLite.
        #expect(try library.values(["query": "SELECT t.id, o.id FROM t JOIN t AS o ON o.id = t.id LIMIT 1"]) == [#"{"id":1,"id:1":1}"#])
    }

    @Test func `an empty table has no rows, and the next rows of a table that ended are read from the checkpoint`() throws {
        let library = try Library("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        let outcome = try library.open().read(5)
        #expect(outcome.status == STAGE_END)
        #expect(outcome.delivered.isEmpty && outcome.checkpoint == nil)
        try library.change("INSERT INTO t VALUES (1), (2)")
        let checkpoint = try library.open().read(5).checkpoint
        try library.change("INSERT INTO t VALUES (3)")
        #expect(try library.open(checkpoint: checkpoint).readAll(5).flatMap(\.keys) == ["3"])
    }

    // MARK: - Positions

    @Test(arguments: [
        "id INTEGER PRIMARY KEY, v) ; INSERT INTO t % SELECT i * i - 5000, i FROM n",
        "id TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t % SELECT char(64 + i % 50, 300 + i * 7 % 113, 0x10000 + i) || substr('aaa', 1, i % 3), i FROM n",
        "id TEXT COLLATE NOCASE, v); INSERT INTO t % SELECT char(60 + i % 64, 60 + i / 64), i FROM n",
        "id INTEGER, v); CREATE UNIQUE INDEX k ON t (id DESC); INSERT INTO t % SELECT i * 7919 % 100003, i FROM n",
    ]) func `reading again from any checkpoint gives the same rows, each once and in the order of the keys`(_ table: String) throws {
        let library = try Library("CREATE TABLE t (" + table.replacing("% SELECT", with: numbers.replacing("%", with: "400") + " SELECT"))
        let all = try library.open().readAll(7)
        let records = all.flatMap(\.delivered)
        #expect(Set(records).count == 400)
        #expect(try library.open().readAll(400).flatMap(\.delivered) == records)
        #expect(try library.open().readAll(400, bytes: 100).flatMap(\.delivered) == records)
        for index in stride(from: 0, to: all.count - 1, by: 5) {
            let again = try library.open(checkpoint: all[index].checkpoint).readAll(3)
            #expect(Array(records.dropFirst(all[...index].reduce(0) { $0 + $1.delivered.count })) == again.flatMap(\.delivered))
        }
        let ids = all.flatMap(\.keys)
        let byNumber = ids.sorted { Int($0) ?? 0 < Int($1) ?? 0 }
        let byBytes = ids.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        #expect(ids == (table.contains("INTEGER") ? byNumber : byBytes))
    }

    @Test func `what a small table has in all is known from the beginning, also when it goes on`() throws {
        let library = try Library("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4), (5)")
        let first = try library.open().read(2)
        #expect(first.progress?.done == 2 && first.progress?.total == 5)
        try library.change("INSERT INTO t VALUES (6)")
        let next = try library.open(checkpoint: first.checkpoint).read(3)
        #expect(next.progress?.done == 5 && next.progress?.total == 6)
        #expect(try library.open(["query": "SELECT * FROM t"]).read(3).progress == nil)
    }

    @Test(arguments: [#"{"key":1.5,"rows":1}"#, "garbage", #"{"offset":3}"#]) func `a checkpoint of something else is refused`(_ checkpoint: String) throws {
        let library = try Library("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        let refusal = try #require(throws: Refusal.self) { _ = try library.open(checkpoint: checkpoint) }
        #expect(refusal.status == STAGE_FATAL)
        #expect(refusal.message.hasPrefix("the checkpoint cannot be read: found "))
    }

    // MARK: - Keys that would lose rows

    /// Reads on until something else than rows comes; the keys, and what was said.
    private func readToTheEnd(_ stage: TestStage, _ records: UInt32) -> (keys: [String], status: Int, words: String) {
        let outcomes = stage.readAll(records)
        return (outcomes.flatMap(\.keys), outcomes.last?.status ?? -1, outcomes.last?.explanation ?? "")
    }

    @Test(arguments: 1...7) func `two rows with one key are an error wherever a page ends, and the rows before them are delivered`(_ page: Int) throws {
        for double in 1...6 {
            let library = try Library(
                "CREATE TABLE t (id, v); CREATE INDEX k ON t (id); INSERT INTO t VALUES (1,1),(2,1),(3,1),(4,1),(5,1),(6,1),(\(double),2)")
            for (option, kind) in [("t", "id"), ("text", "CAST(id AS TEXT)")] {
                let query = ["query": "SELECT \(kind) AS id, v FROM t"]
                let (keys, status, words) = readToTheEnd(try library.open(option == "t" ? [:] : query), UInt32(page))
                #expect(status == STAGE_FATAL, "\(double), \(option)")
                #expect(keys == (1...double).map { "\($0)" }, "\(double), \(option)")
                let shown = option == "t" ? "\(double)" : "\"\(double)\""
                #expect(words == "\(library.path): in the key column \"id\" found the key \(shown) in more than one row, expected each once")
            }
        }
    }

    @Test func `a row without a key is an error at once, and at the end when it came later`() throws {
        let library = try Library("CREATE TABLE t (id INTEGER, v); CREATE INDEX k ON t (id); INSERT INTO t VALUES (1,1),(2,1),(NULL,1),(3,1)")
        let (none, status, words) = readToTheEnd(try library.open(), 2)
        #expect(none.isEmpty && status == STAGE_FATAL)
        #expect(words.contains("in the key column \"id\" found NULL, expected a key in each row; leave such rows out with a query that says IS NOT NULL"))
        try library.change("DELETE FROM t WHERE id IS NULL")
        let stage = try library.open()
        #expect(stage.read(2).keys == ["1", "2"])
        try library.change("INSERT INTO t VALUES (NULL, 2)")
        let late = readToTheEnd(stage, 2)
        #expect(late.keys == ["3"] && late.status == STAGE_FATAL && late.words.contains("found NULL"))
        #expect(try library.keys(["query": "SELECT * FROM t WHERE id IS NOT NULL"]) == ["1", "2", "3"])
    }

    @Test(arguments: [
        ("2.5", "a real number, expected integers or text"), ("x'02'", "a blob, expected integers or text"),
        ("'2'", #"text ("2") behind an integer (1), expected keys of one type"#),
        ("CAST(x'41FF' AS TEXT)", "text that is not UTF-8"), ("printf('%.70000c', 'x')", "text of 70000 bytes, above the limit of 65536"),
    ]) func `a key that cannot be kept in order is an error`(_ value: String, _ words: String) throws {
        let library = try Library("CREATE TABLE t (id BLOB, v); INSERT INTO t VALUES (1, 1), (\(value), 2)")
        let result = readToTheEnd(try library.open(), 5)
        #expect(result.keys == ["1"] && result.status == STAGE_FATAL)
        #expect(result.words == "\(library.path): in the key column \"id\" found \(words)")
    }

    @Test func `a query whose key column comes from columns of several types loses no row in silence`() throws {
        let library = try Library(
            """
            CREATE TABLE a (id INTEGER); CREATE TABLE b (id TEXT); CREATE TABLE c (id TEXT);
            INSERT INTO a VALUES (1),(2),(3),(10),(20); INSERT INTO c VALUES ('1');
            """)
        let queries = [
            "SELECT id FROM a UNION ALL SELECT id FROM b", "SELECT id FROM b UNION SELECT id FROM a", "SELECT id FROM c UNION ALL SELECT id FROM a",
        ]
        for query in queries {
            for page: UInt32 in 1...6 {
                let result = readToTheEnd(try library.open(["query": query]), page)
                #expect(result.keys == ["1", "2", "3", "10", "20"], "\(query), \(page)")
                #expect(result.status == (query.contains("c ") ? STAGE_FATAL : STAGE_END), "\(query), \(page): \(result.words)")
            }
        }
    }

    @Test func `a database in UTF-16 is read by integers, not by text`() throws {
        let library = try Library("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'Ä€𐐷')")
        #expect(try library.values() == [#"{"id":1,"name":"Ä€𐐷"}"#])
        #expect(try library.values(["value": "name"]) == ["Ä€𐐷"])
        let result = readToTheEnd(try library.open(["key": "name"]), 1)
        #expect(result.words.contains("found text in a database that is not in UTF-8, expected integers there"))
    }

    // MARK: - A database that lives

    @Test(arguments: ["wal", "delete"])
    func `what comes behind the last key is read, what comes before it is not, and nobody is kept from writing`(_ mode: String) throws {
        let library = try Library("PRAGMA journal_mode = \(mode); CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t (id) VALUES (10), (20), (30), (40)")
        let writer = try TestDatabase(library.path)
        let stage = try library.open()
        #expect(stage.read(2).keys == ["10", "20"])
        _ = try writer.rows("INSERT INTO t (id) VALUES (15), (25), (50); UPDATE t SET v = 'new' WHERE id = 30; DELETE FROM t WHERE id = 40")
        let rest = stage.readAll(2)
        #expect(rest.flatMap(\.keys) == ["25", "30", "50"])
        #expect(rest.flatMap(\.values).contains(#"{"id":30,"v":"new"}"#))
        #expect(stage.logged.isEmpty)
    }

    @Test func `a last row that is gone is warned of once, and reading goes on behind it`() throws {
        let library = try Library("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4), (5)")
        let stage = try library.open()
        #expect(stage.read(2).keys == ["1", "2"])
        try library.change("DELETE FROM t WHERE id <= 2")
        #expect(stage.read(1).keys == ["3"])
        try library.change("DELETE FROM t WHERE id <= 3")
        #expect(stage.readAll(5).flatMap(\.keys) == ["4", "5"])
        #expect(stage.logged.count == 1)
        #expect(stage.logged.first?.contains("the last row that was read, with id = 2, is no longer there") == true)
    }

    @Test func `a column that is added appears from then on`() throws {
        let library = try Library("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
        let stage = try library.open()
        #expect(stage.read(1).values == [#"{"id":1}"#])
        try library.change("ALTER TABLE t ADD COLUMN lang TEXT DEFAULT 'en'")
        #expect(stage.read(1).values == [#"{"id":2,"lang":"en"}"#])
        #expect(stage.read(1).status == STAGE_END)
    }

    @Test func `a database that is locked is asked again later, and no row is lost or read twice`() throws {
        let library = try Library("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)")
        let stage = try library.open()
        #expect(stage.read(1).keys == ["1"])
        let writer = try TestDatabase(library.path)
        _ = try writer.rows("BEGIN EXCLUSIVE; INSERT INTO t VALUES (4)")
        let locked = stage.read(5)
        #expect(locked.status == STAGE_RETRY)
        #expect(locked.explanation.contains("cannot read the rows: database is locked"))
        let refusal = #expect(throws: Refusal.self) { _ = try library.open() }
        #expect(refusal?.status == STAGE_RETRY)
        _ = try writer.rows("COMMIT")
        #expect(stage.readAll(5).flatMap(\.keys) == ["2", "3", "4"])
    }

    @Test(arguments: ["wal", "delete"]) func `the database file stays as it is, to the byte`(_ mode: String) throws {
        let library = try Library("PRAGMA journal_mode = \(mode); CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, zeroblob(50000))")
        let writer = try TestDatabase(library.path)
        _ = try writer.rows("INSERT INTO t VALUES (2, 'in the log')")
        let before = try Data(contentsOf: URL(filePath: library.path))
        #expect(try library.open().readAll(1).flatMap(\.keys) == ["1", "2"])
        #expect(try Data(contentsOf: URL(filePath: library.path)) == before)
    }

    @Test func `a database that an interrupted writer left behind is refused with what to do`() throws {
        let library = try Library(
            "PRAGMA journal_mode = delete; CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t "
                + numbers.replacing("%", with: "500") + " SELECT i, zeroblob(900) FROM n")
        let writer = try TestDatabase(library.path)
        // More than the cache holds: part of it is written before the commit, as it stands when the writer is killed.
        _ = try writer.rows("PRAGMA cache_size = 2; BEGIN; UPDATE t SET v = randomblob(900)")
        let copy = library.folder.path + "/copy.db"
        for ending in ["", "-journal"] { try FileManager.default.copyItem(atPath: library.path + ending, toPath: copy + ending) }
        let refusal = try #require(throws: Refusal.self) { _ = try library.open(["database": copy]).read(1) }
        #expect(refusal.status == STAGE_FATAL)
        #expect(refusal.message.contains("a writer was interrupted, and its work must be put in order first"))
        _ = try TestDatabase(copy).rows("SELECT count(*) FROM t")
        #expect(try library.open(["database": copy]).read(1).keys == ["1"])
    }

    @Test func `what a killed writer left in the log of a database is read, without a change to either`() throws {
        let library = try Library("PRAGMA journal_mode = wal; CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        let writer = try TestDatabase(library.path)
        _ = try writer.rows("INSERT INTO t VALUES (2), (3)")
        let copy = library.folder.path + "/copy.db"
        for ending in ["", "-wal"] { try FileManager.default.copyItem(atPath: library.path + ending, toPath: copy + ending) }
        let before = try ["", "-wal"].map { try Data(contentsOf: URL(filePath: copy + $0)) }
        #expect(before[1].count > 0)
        #expect(try library.open(["database": copy]).readAll(2).flatMap(\.keys) == ["1", "2", "3"])
        #expect(try ["", "-wal"].map { try Data(contentsOf: URL(filePath: copy + $0)) } == before)
    }

    @Test func `rows before a damaged page are delivered, and the damage is named`() throws {
        let library = try Library(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t \(numbers.replacing("%", with: "2000")) SELECT i, zeroblob(100) FROM n")
        var bytes = try Data(contentsOf: URL(filePath: library.path))
        // Not its first half, where the pages of the tree's top are.
        let middle = bytes.count / 2 / 4096 * 4096
        for place in middle..<(middle + 4096) { bytes[place] = 0xA5 }
        try bytes.write(to: URL(filePath: library.path))
        let result = readToTheEnd(try library.open(["query": "SELECT * FROM t"]), 100)
        #expect(result.status == STAGE_FATAL)
        #expect(result.keys.count > 500 && result.keys == (1...result.keys.count).map { "\($0)" })
        #expect(result.words.contains("cannot read the rows: database disk image is malformed"))
    }

    // MARK: - Bounds

    @Test func `a row that cannot be a record fails alone, with what finds it again`() throws {
        let library = try Library(
            """
            CREATE TABLE t (id TEXT PRIMARY KEY, name, v);
            INSERT INTO t VALUES ('a', 'A', 'fine'), ('b', 'B', CAST(x'61FF' AS TEXT)), ('c', 'C', zeroblob(800)), ('d', 'D', printf('%.800c', 'x')),
              ('e', 'E', 9e999), ('f', NULL, 1), ('g', x'00', 1), ('h', printf('%.70000c', 'x'), 1),
              ('i', 'I', replace(printf('%.300c', 'x'), 'x', char(1))), ('j', 'J', 'fine');
            """)
        let outcome = try library.open(["columns": ["v"], "record_key": "name", "max_row_bytes": 800]).read(100)
        #expect(outcome.status == STAGE_END)
        #expect(outcome.keys == ["A", "J"])
        #expect(outcome.sourceFailures.map(\.key) == ["b", "c", "d", "e", "f", "g", "h", "i"])
        #expect(outcome.sourceFailures.first?.value == #"{"id":"b"}"#)
        #expect(
            outcome.sourceFailures.map { $0.message.replacing("\(library.path): the row with id = ", with: "") } == [
                #""b" is not UTF-8 in the column "v""#, #""c" has more than max_row_bytes = 800 bytes"#, #""d" has more than max_row_bytes = 800 bytes"#,
                #""e" has no finite number in the column "v", and JSON has no other"#, #""f" has NULL for its record key, expected text or an integer"#,
                #""g" has a blob for its record key, expected text or an integer"#, #""h" has a record key of 70000 bytes, above the limit of 65536"#,
                #""i" has more than max_row_bytes = 800 bytes"#,
            ])
        #expect(outcome.checkpoint == #"{"key":"j","rows":10}"#)
    }

    @Test func `the limit of a row is exact`() throws {
        let library = try Library("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, printf('%.1000c', 'x'))")
        let size = #"{"id":1,"v":""}"#.utf8.count + 1000
        #expect(try library.open(["max_row_bytes": size]).read(1).keys == ["1"])
        #expect(try library.open(["max_row_bytes": size - 1]).read(1).sourceFailures.count == 1)
        #expect(try library.open(["value": "v", "max_row_bytes": 1000]).read(1).keys == ["1"])
        #expect(try library.open(["value": "v", "max_row_bytes": 999]).read(1).sourceFailures.count == 1)
    }

    @Test func `more columns than can be are refused`() throws {
        // SQLite's own limit; a build with a higher one is what ours is for.
        let columns = (0..<2000).map { "c\($0)" }
        let library = try Library("CREATE TABLE t (\(columns.joined(separator: ", "))); INSERT INTO t (c0, c1999) VALUES (7, 8)")
        let names = Array(columns.prefix(1998))
        #expect(try object(library.values(["key": "c0", "columns": names])[0]).count == 1998)
        let refusal = try #require(throws: Refusal.self) { _ = try library.open(["key": "c0", "columns": columns + ["rowid"]]) }
        #expect(refusal.message == "columns: found a list of 2001, expected 1 to 2000 names, each once")
    }

    // MARK: - Cost

    @Test func `a page that has to sort is warned of, one that follows an index is not`() throws {
        let library = try Library(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, other TEXT); CREATE INDEX k ON t (name); CREATE TABLE tags (doc INTEGER, tag TEXT);
            CREATE INDEX tag_doc ON tags (doc);
            """)
        let quick: [[String: Any]] = [
            [:], ["key": "name"], ["key": "rowid"], ["query": "SELECT id, name FROM t WHERE other > 'x'"],
            ["query": "SELECT t.id, tag FROM t LEFT JOIN tags ON tags.doc = t.id"],
        ]
        for options in quick { #expect(try library.open(options).logged.isEmpty, "\(options)") }
        for options: [String: Any] in [["key": "other"], ["query": "SELECT doc AS id, count(*) FROM tags GROUP BY tag"]] {
            let logged = try library.open(options).logged
            #expect(logged.count == 1 && logged[0].contains("each read sorts all rows from the last key on"), "\(options): \(logged)")
        }
    }

    // MARK: - Configuration

    @Test(arguments: [
        (["key": "no"], #"key: found "no", expected one of the columns "id", "v""#),
        (["columns": ["id", "no"]], #"columns: found "no", expected one of the columns "id", "v""#),
        (["columns": ["id", "id"]], "columns: found a list of 2, expected 1 to 2000 names, each once"),
        (["record_key": "no"], #"record_key: found "no", expected one of the columns "id", "v""#),
        (["value": "no"], #"value: found "no", expected one of the columns "id", "v""#),
        (["value": "v", "columns": ["v"]], "columns: go with table, and not with value; a query selects its own"),
        (["table": "no"], "cannot read from the table: no such table: no"),
        (["table": ""], #"table: found "", expected the name of a table or a view"#),
        (["table": "t", "query": "SELECT 1 AS id"], "query: found query and table, expected one of them"),
        (["query": "SELECT colour FROM t"], "cannot read the query: no such column: colour"),
        (["query": "SELECT id FROM t WHERE id > ?"], "query: found parameters, expected one SELECT without parameters"),
        (["query": "SELECT id FROM t; DELETE FROM t"], "query: found more than one statement, expected one SELECT without parameters"),
        (["query": "DELETE FROM t"], "query: found a statement that does not select, expected one SELECT without parameters"),
        (["query": "DELETE FROM t RETURNING id"], "query: found a statement that does not select, expected one SELECT without parameters"),
        (["query": "PRAGMA user_version"], "cannot read the query: near \"PRAGMA\": syntax error"),
        (["query": "SELECT 1 AS id) AS input, (SELECT 2"], "cannot read the query: near \")\": syntax error"),
        (["query": "EXPLAIN SELECT id FROM t"], "cannot read the query: near \"EXPLAIN\": syntax error"),
        (["query": " -- nothing"], "query: found no statement, expected one SELECT without parameters"),
        (["query": "SELECT id FROM t /* open"], "cannot read the query: incomplete input"),
        (["query": "SELECT id\u{0} FROM t"], "query: found a NUL character, expected one SELECT without parameters"),
        (["database": "/nowhere/in.db"], "no input: /nowhere/in.db: cannot open it: No such file or directory"),
        (["database": "/tmp"], "/tmp: is not a regular file, expected an SQLite database"),
        (["database": ""], #"database: found "", expected the file of a database"#),
        (["max_row_bytes": 0], "max_row_bytes: found 0, expected a whole number from 1 to 67108864"),
    ] as [([String: any Sendable], String)]) func `a wrong configuration is refused`(_ options: [String: any Sendable], _ words: String) throws {
        let library = try Library("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1)")
        let refusal = try #require(throws: Refusal.self) { _ = try library.open(options) }
        #expect(refusal.status == STAGE_FATAL)
        #expect(refusal.message.contains(words), "\(refusal.message)")
        #expect(try TestDatabase(library.path).rows("SELECT count(*) FROM t") == ["1"])
    }

    @Test func `without a table or a query, and with a file that is no database, it says so`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("in.db", String(repeating: "This is no database. ", count: 100))
        let plugin = try TestPlugin("read-sqlite")
        let neither = try #require(throws: Refusal.self) { _ = try plugin.open(try json(["database": path, "key": "id"])) }
        #expect(neither.message == "query: found neither query nor table, expected one of them")
        let garbage = try #require(throws: Refusal.self) { _ = try plugin.open(try json(["database": path, "key": "id", "table": "t"])) }
        #expect(garbage.message.contains("file is not a database"))
    }
}
