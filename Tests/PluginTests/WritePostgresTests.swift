import CStage
import Foundation
import Testing
import TestPostgres

/// Against a real server, which other stages use at the same time; some of these take it down.
@Suite(.serialized, .enabled(if: PostgresServer.isThere, "needs postgresql and libpq5"))
struct WritePostgresTests {
    static let server = Result { try PostgresServer() }

    /// A schema of its own for one test.
    private struct Place {
        let server: PostgresServer
        let connection: String
        let name: String

        init() throws {
            server = try WritePostgresTests.server.get()
            try server.waitUntilReady()
            (name, connection) = try server.schema()
        }

        func open(_ more: [String: Any] = [:], checkpoint: String? = nil, stage: String = "write") throws -> TestStage {
            let config: [String: Any] = ["connection": connection, "table": "rows", "reconnect": 30]
            return try TestPlugin("write-postgres").open(
                try json(config.merging(more) { $1 }), checkpoint: checkpoint, name: stage)
        }

        @discardableResult
        func query(_ sql: String) throws -> [String] { try server.rows("SET search_path = \(name); " + sql) }

        func refusal(_ more: [String: Any]) throws -> Refusal {
            let refusal = #expect(throws: Refusal.self) { _ = try open(more) }
            return try #require(refusal)
        }
    }

    @Test func `records become rows, and the batch is the checkpoint`() throws {
        let place = try Place()
        let stage = try place.open()
        let outcome = stage.process([TestRecord("a", "one", id: 5), TestRecord("b", "")], sequence: 3)
        #expect(outcome.status == STAGE_OK, "\(outcome.explanation)")
        #expect(outcome.checkpoint == #"{"batch":3}"#)
        #expect(stage.sync().checkpoint == #"{"batch":3}"#)
        #expect(try place.query("SELECT id, key, value FROM rows ORDER BY key") == ["5|a|one", "0|b|"])
        #expect(try place.query("SELECT stage, target, shard, batch FROM stagehost_progress") == ["write|rows|0|3"])
    }

    @Test func `a batch that is there already is acknowledged without effect`() throws {
        let place = try Place()
        var stage = try place.open()
        let batches = (0..<4).map { [TestRecord("k\($0)", "v")] }
        let first = stage.process(batches[0], sequence: 0).checkpoint
        for index in 1..<3 { _ = stage.process(batches[index], sequence: UInt64(index * 2)) }
        stage.close()
        // The host heard only of the first batch.
        stage = try place.open(checkpoint: first)
        for index in 1..<4 { #expect(stage.process(batches[index], sequence: UInt64(index * 2)).status == STAGE_OK) }
        #expect(try place.query("SELECT key FROM rows ORDER BY key") == ["k0", "k1", "k2", "k3"])
    }

    @Test func `a new run forgets the progress of earlier ones and appends`() throws {
        let place = try Place()
        for run in 0..<2 {
            #expect(try place.open().process([TestRecord("run \(run)", "v")], sequence: 0).status == STAGE_OK)
        }
        #expect(try place.query("SELECT key FROM rows ORDER BY key") == ["run 0", "run 1"])
    }

    @Test func `a database that lacks what was acknowledged is refused`() throws {
        let place = try Place()
        let refusal = #expect(throws: Refusal.self) { _ = try place.open(checkpoint: #"{"batch":7}"#) }
        #expect(refusal?.status == STAGE_FATAL)
        #expect(refusal?.message.contains("expected to be 7 or later, found no batch of this run") == true)
        // Restored from a backup under a worker that lives.
        let stage = try place.open()
        for sequence: UInt64 in 0...5 { _ = stage.process([TestRecord("k", "v")], sequence: sequence) }
        try place.query("UPDATE stagehost_progress SET batch = 2")
        let outcome = stage.process([TestRecord("k", "v")], sequence: 6)
        #expect(outcome.status == STAGE_FATAL)
        #expect(outcome.explanation.contains("expected to be 5 or later, found batch 2"))
    }

    /// COPY, and the statements of an upsert.
    static let ways: [[String: String]] = [[:], ["upsert": "k"]]

    @Test(arguments: ways.indices) func `columns take members of the value with their types`(_ way: Int) throws {
        let place = try Place()
        try place.query(
            """
            CREATE DOMAIN short AS varchar(3);
            CREATE TABLE rows (k text UNIQUE, name short, n bigint, f numeric, b boolean, j jsonb, js jsonb, t timestamptz, raw bytea,
              gone text DEFAULT 'x', fixed char(4))
            """)
        let columns = [
            "k": "key", "name": "/name", "n": "/n", "f": "/f", "b": "/b", "j": "/j", "js": "/name", "t": "/t", "raw": "value", "gone": "/gone",
            "fixed": "/name",
        ]
        let value = #"{"name":"A\u00e9","n":9007199254740993,"f":1.50000000000000000001,"b":true,"j":[1, {"a": null}],"t":"2026-01-02T03:04:05Z"}"#
        let stage = try place.open(["columns": columns].merging(Self.ways[way] as [String: Any]) { $1 })
        let outcome = stage.process([TestRecord("k", value), TestRecord("x", "no JSON"), TestRecord("y", #"{"name":"long"}"#)])
        #expect(outcome.status == STAGE_OK, "\(outcome.explanation)")
        #expect(outcome.failures.map(\.input) == [1, 2])
        #expect(outcome.failures.last?.message.contains("value too long for type character varying(3)") == true, "\(outcome.failures)")
        #expect(
            try place.query(
                "SET timezone = 'UTC'; SELECT k, name, n, f, b, j, js, t, convert_from(raw, 'UTF8') = '\(value)', gone, fixed FROM rows")
                == [#"k|Aé|9007199254740993|1.50000000000000000001|t|[1, {"a": null}]|"Aé"|2026-01-02 03:04:05+00|t|NULL|Aé  "#])
    }

    @Test(arguments: ways.indices) func `text arrives as it is, whatever is in it`(_ way: Int) throws {
        let place = try Place()
        try place.query("CREATE TABLE rows (k text UNIQUE, v text, raw bytea)")
        let texts = [
            "", "\\N", "\\.", "a\tb\nc\rd\\e", "'; DROP TABLE rows; --", "\"quoted\" {braces}", "ünï😀", "$1", "\u{1}\u{7F}\u{85}",
            String(repeating: "long ", count: 20_000),
        ]
        let stage = try place.open(["columns": ["k": "key", "v": "value", "raw": "value"]].merging(Self.ways[way] as [String: Any]) { $1 })
        let records = texts.enumerated().map { TestRecord("k\($0)\\\t\n", $1) }
        let outcome = stage.process(records, sequence: 1)
        #expect(outcome.status == STAGE_OK && outcome.failures.isEmpty, "\(outcome.explanation) \(outcome.failures)")
        let expected = records.enumerated().map { index, record in
            "\(index)|" + [record.key, record.value, record.value].map { $0.map { String(format: "%02x", $0) }.joined() }.joined(separator: "|")
        }
        #expect(
            try place.query(
                "SELECT substr(k, 2, 1), encode(convert_to(k, 'UTF8'), 'hex'), encode(convert_to(v, 'UTF8'), 'hex'), encode(raw, 'hex') FROM rows ORDER BY k")
                == expected)
    }

    @Test(arguments: ways.indices) func `bytes go into bytea, and are a failure of their record elsewhere`(_ way: Int) throws {
        let place = try Place()
        try place.query("CREATE TABLE rows (k bytea UNIQUE, v text)")
        let stage = try place.open(["columns": ["k": "key", "v": "value"]].merging(Self.ways[way] as [String: Any]) { $1 })
        let outcome = stage.process([
            TestRecord("a", bytes: [0x61, 0xFF, 0x62]), TestRecord("b", bytes: [0x61, 0, 0x62]), TestRecord("\u{0}\\x", "fine"),
        ])
        #expect(outcome.failures.map(\.input) == [0, 1])
        #expect(outcome.failures.allSatisfy { !$0.isTransient })
        #expect(outcome.failures[0].message.hasPrefix("the value is not UTF-8: byte 1 of 3"))
        #expect(outcome.failures[1].message.hasPrefix("the value has a NUL at byte 1"))
        #expect(try place.query("SELECT encode(k, 'hex'), v FROM rows") == ["005c78|fine"])

        let members = try place.open(["table": "members", "columns": ["m": "/m"]])
        let mixed = members.process([TestRecord("a", #"{"m":"x\u0000y"}"#), TestRecord("b", #"{"m":"xy"}"#)])
        #expect(mixed.failures.map(\.input) == [0])
        #expect(mixed.failures.first?.message.contains("NUL") == true)
        #expect(try place.query("SELECT m FROM members") == ["xy"])
    }

    @Test(arguments: ways.indices) func `a row that is too large fails alone`(_ way: Int) throws {
        let place = try Place()
        try place.query("CREATE TABLE rows (k text UNIQUE, v text)")
        let stage = try place.open(["columns": ["k": "key", "v": "value"], "max_row_bytes": 5_000_000].merging(Self.ways[way] as [String: Any]) { $1 })
        // One is too large for the configuration; the other, random so that it does not shrink, for an index of the server.
        var chance = SystemRandomNumberGenerator()
        let key = String((0..<9_000).map { _ in Character(Unicode.Scalar(UInt8.random(in: 65...122, using: &chance))) })
        let outcome = stage.process([
            TestRecord("a", String(repeating: "x", count: 5_000_000)), TestRecord(key, "1"), TestRecord("c", String(repeating: "x", count: 4_000_000)),
        ])
        #expect(outcome.status == STAGE_OK, "\(outcome.explanation)")
        #expect(outcome.failures.map(\.input).sorted() == [0, 1])
        #expect(outcome.failures.first { $0.input == 0 }?.message.hasPrefix("the row has 5000001 bytes or more, expected 5000000") == true)
        #expect(outcome.failures.first { $0.input == 1 }?.message.contains("(54000)") == true, "\(outcome.failures)")
        #expect(try place.query("SELECT k, length(v) FROM rows") == ["c|4000000"])
    }

    @Test func `an upsert updates the earlier row, also of the same batch`() throws {
        let place = try Place()
        let stage = try place.open(["upsert": "key"])
        _ = stage.process([TestRecord("a", "1"), TestRecord("b", "1"), TestRecord("a", "2"), TestRecord("a", "3")], sequence: 0)
        _ = stage.process([TestRecord("b", "4")], sequence: 1)
        #expect(try place.query("SELECT key, value FROM rows ORDER BY key") == ["a|3", "b|4"])
        // Keys that are the same to the server, and not to the eye.
        try place.query("CREATE TABLE numbers (k numeric UNIQUE, v text)")
        let numbers = try place.open(["table": "numbers", "columns": ["k": "key", "v": "value"], "upsert": ["k"]])
        let outcome = numbers.process([TestRecord("1", "a"), TestRecord("1.0", "b"), TestRecord("one", "c"), TestRecord("01", "d")])
        #expect(outcome.failures.map(\.input) == [2])
        #expect(try place.query("SELECT k = 1, v FROM numbers") == ["t|d"])
    }

    @Test func `a row that meets an earlier one can be ignored, or fail`() throws {
        let place = try Place()
        let stage = try place.open(["upsert": ["key", "id"], "on_conflict": "ignore"])
        _ = stage.process([TestRecord("a", "1"), TestRecord("a", "2"), TestRecord("a", "3", id: 1)])
        #expect(try place.query("SELECT key, id, value FROM rows ORDER BY id") == ["a|0|1", "a|1|3"])
        let any = try place.open(["on_conflict": "ignore"], stage: "any")
        _ = any.process([TestRecord("a", "4"), TestRecord("b", "5")])
        #expect(try place.query("SELECT key, id, value FROM rows ORDER BY key, id") == ["a|0|1", "a|1|3", "b|0|5"])
        let strict = try place.open(stage: "strict").process([TestRecord("a", "6"), TestRecord("c", "7"), TestRecord("c", "8")])
        #expect(strict.failures.map(\.input) == [0, 2])
        #expect(strict.failures.allSatisfy { $0.message.contains("duplicate key") && $0.message.contains("(23505)") })
    }

    @Test(arguments: ways.indices) func `rows that the server refuses fail alone, and the others are written in their order`(_ way: Int) throws {
        let place = try Place()
        try place.query(
            """
            CREATE TABLE rows (place serial, k text UNIQUE, n integer NOT NULL CHECK (n <> 13));
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF NEW.n = 77 THEN RAISE 'seventy-seven is out' USING ERRCODE = 'ZZ077'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON rows FOR EACH ROW EXECUTE FUNCTION refuse()
            """)
        let stage = try place.open(["columns": ["k": "key", "n": "/n"]].merging(Self.ways[way] as [String: Any]) { $1 })
        let bad = [3: "\"three\"", 31: "99999999999", 32: "13", 33: "null", 64: "77", 99: "{}"]
        let records = (0..<100).map { TestRecord("k\($0)", "{\"n\": \(bad[$0] ?? "1")}") }
        let outcome = stage.process(records, sequence: 4)
        #expect(outcome.status == STAGE_OK, "\(outcome.explanation)")
        #expect(outcome.failures.map { Int($0.input) } == bad.keys.sorted())
        let words = ["(22P02)", "(22003)", "(23514)", "(23502)", "seventy-seven is out", "(22P02)"]
        for (failure, word) in zip(outcome.failures, words) { #expect(failure.message.contains(word), "\(failure)") }
        if way == 0 { #expect(outcome.failures[0].message.contains(#"COPY rows, line 1, column n: "three""#)) }
        let kept = (0..<100).filter { bad[$0] == nil }.map { "k\($0)" }
        #expect(try place.query("SELECT k FROM rows ORDER BY place") == kept)
        // It is committed, and so are the failures: the same again is the same.
        stage.close()
        try place.query("UPDATE stagehost_progress SET run = 'later'; UPDATE stagehost_progress SET run = ''")
        let again = try place.open(
            ["columns": ["k": "key", "n": "/n"]].merging(Self.ways[way] as [String: Any]) { $1 }, checkpoint: #"{"batch":1}"#
        ).process(records, sequence: 4)
        #expect(again.failures == outcome.failures)
        #expect(try place.query("SELECT k FROM rows ORDER BY place") == kept)
    }

    @Test func `a batch in pieces is written whole, wherever the worker dies and however it is cut the next time`() throws {
        let records = [
            TestRecord("a", "1"), TestRecord("twin", "1"), TestRecord("bad", "1"), TestRecord("twin", "1"), TestRecord("z", "1"),
        ]
        let place = try Place()
        try place.query("CREATE TABLE rows (place serial, id bigint, key text CHECK (key <> 'bad'), value text)")
        for cut in 0...records.count {
            for next in stride(from: cut % 2, through: records.count, by: 2) {
                try place.query("TRUNCATE rows")
                var stage = try place.open()
                let first = stage.process([TestRecord("first", "1")], sequence: 0).checkpoint
                if cut > 0 { _ = stage.process(Array(records[..<cut]), sequence: 5) }
                stage.close()
                stage = try place.open(checkpoint: first)
                var failed: [Int] = []
                for range in [0..<next, next..<records.count] where !range.isEmpty {
                    let outcome = stage.process(Array(records[range]), sequence: 5)
                    failed += outcome.failures.map { Int($0.input) + range.lowerBound }
                }
                #expect(failed == [2], "cut at \(cut), then at \(next)")
                #expect(
                    try place.query("SELECT key FROM rows ORDER BY place") == ["first", "a", "twin", "twin", "z"],
                    "cut at \(cut), then at \(next)")
            }
        }
    }

    @Test func `failures are forgotten when the host is far beyond them`() throws {
        let place = try Place()
        try place.query("CREATE TABLE rows (id bigint, key text CHECK (key <> 'bad'), value text)")
        let stage = try place.open()
        _ = stage.process([TestRecord("bad", "1")], sequence: 1)
        for sequence: UInt64 in [1000, 1001, 1002] {
            _ = stage.process([TestRecord("bad", "1")], sequence: sequence)
            _ = stage.sync()
        }
        #expect(try place.query("SELECT batch FROM stagehost_failures ORDER BY batch") == ["1000", "1001", "1002"])
    }

    // MARK: - Connections that are lost

    @Test(arguments: [CutWire.Cut.beforeCommit, .afterCommit])
    func `a COMMIT without an answer is looked up, and done once`(_ cut: CutWire.Cut) throws {
        let place = try Place()
        try place.query("CREATE TABLE rows (id bigint, k text CHECK (k <> 'bad'), value text)")
        let wire = try CutWire(to: place.server)
        defer { wire.close() }
        let stage = try place.open(
            ["connection": place.connection.replacingOccurrences(of: "host=\(place.server.folder)", with: "host=\(wire.host)")]
                .merging(["columns": ["id": "id", "k": "key", "value": "value"]]) { $1 })
        for sequence: UInt64 in 0..<6 {
            if sequence % 2 == 1 { wire.arm(cut) }
            // A batch in two pieces, with a record that fails and one that comes twice.
            let records = [TestRecord("a\(sequence)", "1"), TestRecord("twin", "1"), TestRecord("bad", "\(sequence)"), TestRecord("twin", "1")]
            for piece in [records[..<2], records[2...]] {
                let outcome = stage.process(Array(piece), sequence: sequence)
                #expect(outcome.status == STAGE_OK, "\(outcome.explanation)")
                #expect(outcome.failures.count == (piece.startIndex == 0 ? 0 : 1))
            }
        }
        #expect(wire.count == 3)
        #expect(try place.query("SELECT count(*), count(DISTINCT k) FROM rows WHERE k <> 'twin'") == ["6|6"])
        #expect(try place.query("SELECT count(*) FROM rows WHERE k = 'twin'") == ["12"])
        #expect(try place.query("SELECT count(*) FROM stagehost_failures") == ["6"])
    }

    @Test func `a backend that is ended is replaced, and the batch goes on`() throws {
        let place = try Place()
        let stage = try place.open(stage: "ended")
        for sequence: UInt64 in 0..<4 {
            let pids = try place.server.backends(of: "ended")
            #expect(pids.count == 1)
            if sequence % 2 == 1 {
                // The server takes all its processes down, and starts again.
                kill(pids[0], SIGKILL)
            } else {
                try place.query("SELECT pg_terminate_backend(\(pids[0]))")
            }
            let outcome = stage.process([TestRecord("k\(sequence)", "v")], sequence: sequence)
            #expect(outcome.status == STAGE_OK, "\(outcome.explanation)")
            try place.server.waitUntilReady()
        }
        #expect(try place.query("SELECT key FROM rows ORDER BY key") == ["k0", "k1", "k2", "k3"])
    }

    @Test func `a server that has stopped is seen, and left`() throws {
        let place = try Place()
        let stage = try place.open(["statement_timeout": 0.3], stage: "stalled")
        _ = stage.process([TestRecord("a", "1")], sequence: 0)
        let pid = try #require(try place.server.backends(of: "stalled").first)
        kill(pid, SIGSTOP)
        defer { kill(pid, SIGCONT) }
        let outcome = stage.process([TestRecord("b", "1")], sequence: 1)
        #expect(outcome.status == STAGE_OK, "\(outcome.explanation)")
        #expect(try place.query("SELECT key FROM rows ORDER BY key") == ["a", "b"])
    }

    @Test func `without a server, and with a lock that is not given, the batch is for later`() throws {
        let place = try Place()
        let absent = try place.refusal(["connection": "host=\(place.server.folder)/none user=postgres"])
        #expect(absent.status == STAGE_RETRY)
        #expect(absent.message.contains("No such file or directory"))
        let stage = try place.open(["reconnect": 0, "lock_timeout": 0.05])
        _ = stage.process([TestRecord("a", "1")], sequence: 0)
        let other = try place.open(["lock_timeout": 0.05], stage: "other")
        // Somebody else has the row of this run.
        let lock = Thread { _ = try? place.query("BEGIN; SELECT 1 FROM stagehost_progress FOR UPDATE; SELECT pg_sleep(600)") }
        lock.start()
        let holder = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%FOR UPDATE; SELECT pg_sleep(600)' AND wait_event = 'PgSleep'"
        while try place.query(holder).isEmpty {}
        let outcome = stage.process([TestRecord("b", "1")], sequence: 1)
        #expect(outcome.status == STAGE_RETRY)
        #expect(outcome.explanation.contains("lock timeout"), "\(outcome.explanation)")
        try place.query("SELECT pg_terminate_backend(pid) FROM (\(holder)) AS holders")
        #expect(stage.process([TestRecord("b", "1")], sequence: 1).status == STAGE_OK)
        #expect(other.process([TestRecord("c", "1")], sequence: 0).status == STAGE_OK)
        #expect(try place.query("SELECT key FROM rows ORDER BY key") == ["a", "b", "c"])
    }

    /// What passes: serialization_failure, deadlock_detected, disk_full, too_many_connections, io_error.
    @Test(arguments: ["40001", "40P01", "53100", "53300", "58030", "57014"])
    func `what passes by itself is tried again in a new transaction`(_ state: String) throws {
        let place = try Place()
        try place.query(
            """
            CREATE SEQUENCE tries; CREATE TABLE rows (id bigint, key text, value text);
            CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF nextval('\(place.name).tries') < 3 THEN RAISE 'not now' USING ERRCODE = '\(state)'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER stumble BEFORE INSERT ON rows FOR EACH ROW WHEN (NEW.key = 'b') EXECUTE FUNCTION stumble()
            """)
        let outcome = try place.open().process([TestRecord("a", "1"), TestRecord("b", "1"), TestRecord("c", "1")])
        #expect(outcome.status == STAGE_OK && outcome.failures.isEmpty, "\(outcome.explanation) \(outcome.failures)")
        #expect(try place.query("SELECT key FROM rows ORDER BY key") == ["a", "b", "c"])
        #expect(try place.query("SELECT last_value FROM tries") == ["3"])
    }

    // MARK: - What cannot be

    @Test func `a table, column, index or right that is missing is said when the stage opens`() throws {
        let place = try Place()
        func expect(_ more: [String: Any], _ words: String, _ line: SourceLocation = #_sourceLocation) throws {
            let refusal = try place.refusal(more)
            #expect(refusal.status == STAGE_FATAL, sourceLocation: line)
            #expect(refusal.message.contains(words), "\(refusal.message)", sourceLocation: line)
        }
        try expect(["create": false], "table \"rows\" does not exist: create it, or set create to true")
        try place.query("CREATE TABLE rows (id bigint, key text)")
        try expect([:], "table \"rows\" has no column \"value\"; it has \"id\", \"key\"")
        try place.query("ALTER TABLE rows ADD value text")
        try expect(["upsert": "key"], "no unique or exclusion constraint")
        try expect(["schema": "nowhere"], "schema \"nowhere\" does not exist")
        try expect(["connection": "host=\(place.server.folder) user=postgres dbname=nowhere"], "database \"nowhere\" does not exist")
        try expect(["connection": "host=/x colour=red"], "invalid connection option \"colour\"")
        try expect(["colour": "red"], "colour: unknown key; the keys are ")
        try expect(["upsert": "colour"], #"upsert: found "colour", expected one of the columns "id", "key", "value""#)
        try expect(["on_conflict": "update"], "expected upsert to name the columns")
        try expect(["statement_timeout": -1], "statement_timeout: found -1")

        let role = "r" + place.name
        try place.query(
            "CREATE ROLE \(role) LOGIN; GRANT USAGE ON SCHEMA \(place.name) TO \(role); DROP TABLE stagehost_failures, stagehost_progress")
        let connection = place.connection.replacingOccurrences(of: "user=postgres", with: "user=\(role)")
        try expect(["connection": connection], "permission denied for schema \(place.name) (42501); have it made with: CREATE TABLE IF NOT EXISTS \"stagehost_progress\"")
        try place.query("CREATE SCHEMA own\(role) AUTHORIZATION \(role)")
        try expect(["connection": connection, "progress_schema": "own\(role)"], "permission denied for table rows (42501)")
        try place.query("GRANT INSERT ON rows TO \(role)")
        let stage = try place.open(["connection": connection, "progress_schema": "own\(role)"])
        #expect(stage.process([TestRecord("a", "1")]).status == STAGE_OK)
        try place.query("DROP TABLE rows")
        let outcome = stage.process([TestRecord("b", "1")], sequence: 1)
        #expect(outcome.status == STAGE_FATAL)
        #expect(outcome.explanation.contains("relation \"rows\" does not exist (42P01)"))
        try place.query("DROP SCHEMA own\(role) CASCADE; DROP OWNED BY \(role); DROP ROLE \(role)")
    }

    @Test func `a password comes from the environment, and is in no message`() throws {
        let place = try Place()
        let secret = "s3cret 'and' \\strange"
        try place.server.rows("CREATE ROLE locked LOGIN SUPERUSER PASSWORD '\(secret.replacingOccurrences(of: "'", with: "''"))'")
        try place.server.rows("CREATE DATABASE locked")
        defer { _ = try? place.server.rows("DROP DATABASE locked WITH (FORCE)") }
        let connection = "host=\(place.server.folder) user=locked dbname=locked password="
        let literal = try place.refusal(["connection": connection + "abc"])
        #expect(literal.message.hasPrefix("connection: found a password in it, expected ${NAME}"))
        let missing = try place.refusal(["connection": connection + "${STAGE_PG_NONE}"])
        #expect(missing.message.contains("STAGE_PG_NONE is not set"))
        unsafe setenv("STAGE_PG_SECRET", secret, 1)
        unsafe setenv("STAGE_PG_WRONG", "wrong one", 1)
        unsafe setenv("STAGE_PG_URL", "postgresql://locked:wrong%20one@/locked?host=\(place.server.folder)", 1)
        unsafe setenv("STAGE_PG_BROKEN", "postgresql://locked:secret%zz@/x", 1)
        let wrong = try place.refusal(["connection": connection + "${STAGE_PG_WRONG}"])
        #expect(wrong.status == STAGE_FATAL)
        #expect(wrong.message.contains("password authentication failed for user \"locked\""))
        let url = try place.refusal(["connection": "${STAGE_PG_URL}"])
        #expect(url.status == STAGE_FATAL && url.message.contains("password authentication failed"), "\(url)")
        let broken = try place.refusal(["connection": "${STAGE_PG_BROKEN}"])
        #expect(broken.message.contains("does not hold a connection string or URI") && !broken.message.contains("secret"))
        #expect(try place.open(["connection": connection + "${STAGE_PG_SECRET}"]).process([TestRecord("a", "1")]).status == STAGE_OK)
        for name in ["STAGE_PG_SECRET", "STAGE_PG_WRONG", "STAGE_PG_URL", "STAGE_PG_BROKEN"] { unsafe unsetenv(name) }
    }

    // MARK: - Several at a time

    @Test func `two jobs that meet in the same rows both end`() throws {
        let place = try Place()
        let stages = try ["one", "two"].map { try place.open(["upsert": "key"], stage: $0) }
        let group = DispatchGroup()
        nonisolated(unsafe) let open = stages
        for number in 0..<2 {
            DispatchQueue.global().async(group: group) {
                for sequence: UInt64 in 0..<30 {
                    let keys = (0..<40).map { TestRecord("k\($0)", "\(number)") }
                    let outcome = unsafe open[number].process(number == 0 ? keys : keys.reversed(), sequence: sequence)
                    #expect(outcome.status == STAGE_OK && outcome.failures.isEmpty, "\(outcome.explanation) \(outcome.failures)")
                }
            }
        }
        group.wait()
        #expect(try place.query("SELECT count(*) FROM rows") == ["40"])
        #expect(try place.query("SELECT stage, batch FROM stagehost_progress ORDER BY stage") == ["one|29", "two|29"])
    }

    @Test func `two workers of one run write each batch once`() throws {
        let place = try Place()
        let first = try place.open()
        let checkpoint = first.process([TestRecord("k0", "v")], sequence: 0).checkpoint
        let second = try place.open(checkpoint: checkpoint)
        for sequence: UInt64 in 1...20 {
            let batch = [TestRecord("k\(sequence)", "v")]
            let outcomes = [first, second].map { $0.process(batch, sequence: sequence) }
            #expect(outcomes.allSatisfy { $0.status == STAGE_OK })
        }
        #expect(try place.query("SELECT count(*), count(DISTINCT key) FROM rows") == ["21|21"])
    }
}
