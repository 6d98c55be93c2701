import Foundation
import Glibc
import Testing
import TestPostgres

/// Rows in a real server, under `kill -9` of whatever takes part.
@Suite(.serialized, .enabled(if: PostgresServer.isThere, "needs postgresql and libpq5"))
struct WritePostgresTests {
    static let server = Result { try PostgresServer() }

    private static let columns = #"columns: { id: "id", key: "key", value: "value", cents: "/cents" }"#

    private static func pipeline(_ connection: String, _ with: String = "") -> String {
        Stages.pipeline(
            Stages.read, Stages.misbehave("each_ms: 1", "workers: 2", name: "pass"),
            #"{ name: "write", plugin: "write-postgres", on: { SIGKILL: "restart" }, restart: { max: 10000, backoff: "1ms", max_backoff: "20ms" }, "#
                + #"with: { connection: "\#(connection)", table: "rows", \#(columns), \#(with) } }"#,
            options: "batch: { records: 20 },")
    }

    /// A job that writes into a table of its own, which does not take everything.
    private func job(_ records: Int, _ server: PostgresServer, _ with: String = "") throws -> (job: Job, rows: () throws -> [String]) {
        let (schema, connection) = try server.schema()
        try server.rows(
            "CREATE TABLE \(schema).rows (place bigserial, id bigint, key text UNIQUE, value text, cents integer CHECK (cents <> 50))")
        let rows = { try server.rows("SELECT id, key, value, cents FROM \(schema).rows ORDER BY place") }
        return (try Job(records, Self.pipeline(connection, with)), rows)
    }

    @Test(arguments: ["", #"upsert: "key""#])
    func killsOfHostWorkerAndServerAtRandomInstantsDoNotChangeATable(_ with: String) throws {
        let server = try Self.server.get()
        try server.waitUntilReady()
        let records = Storm.isOn ? 20_000 : 2_000
        let undisturbed = try job(records, server, with)
        let first = try undisturbed.job.run()
        #expect(first.code == 0, "\(first.output)")
        let expected = try undisturbed.rows()
        #expect(expected.count == records / 100 * 99)
        let letters = try undisturbed.job.letters()
        #expect(letters.count == records / 100)

        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        let (job, rows) = try job(records, server, with)
        // Of workers, of backends, with a signal that ends one backend, of hosts.
        var kills = [0, 0, 0, 0]
        storm: for _ in 0..<Storm.rounds(5) {
            let host = try job.start()
            for _ in 0..<3 {
                if host.hasEnded(within: Int32.random(in: 1...250, using: &chance)) { break storm }
                let action = Int.random(in: 0..<3, using: &chance)
                if action == 0 {
                    for worker in host.workers(of: "write-postgres") { kill(worker, SIGKILL) }
                } else {
                    // One that is being replaced, by a server that may be starting, is there in a moment.
                    let patience = Patience(seconds: 2)
                    while server.backends().isEmpty, patience.lasts, !host.hasEnded(within: 2) {}
                    // The server takes all its processes down, and starts again; or else as pg_terminate_backend does.
                    for backend in server.backends() { kill(backend, action == 1 ? SIGKILL : SIGTERM) }
                }
                kills[action] += 1
            }
            guard Bool.random(using: &chance) else {
                // One that is left alone for a moment gets somewhere.
                if host.hasEnded(within: 300) { break }
                host.killHard()
                continue
            }
            host.killHard()
            kills[3] += 1
        }
        let ended = try job.run(seconds: 120)
        #expect(ended.code == 0, "seed \(seed): \(ended.output)")
        try server.waitUntilReady()
        #expect(try rows() == expected, "seed \(seed), kills \(kills)")
        let found = try job.letters()
        #expect(found.keys.sorted() == letters.keys.sorted(), "seed \(seed), kills \(kills)")
        for letter in found.values {
            let message = letter["message"] as? String ?? ""
            #expect(message.contains("rows_cents_check") && message.contains("(23514)"), "seed \(seed): \(message)")
        }
        #expect(try job.command("verify", "job").code == 0)
        job.expectNoProcessLeft()
    }

    @Test func aServerThatGoesAndComesBackIsWaitedFor() throws {
        let server = try Self.server.get()
        try server.waitUntilReady()
        // So many that the job is not over before a backend has been found.
        let (job, rows) = try job(4_000, server)
        let host = try job.start()
        for goal in [100, 250] {
            try host.until("rows") { (try? rows().count) ?? 0 >= goal }
            try host.until("a connection") { !server.backends().isEmpty }
            for backend in server.backends() { kill(backend, SIGKILL) }
        }
        let ended = try host.wait(seconds: 60)
        #expect(ended.code == 0, "\(ended.output)")
        try server.waitUntilReady()
        #expect(try rows().count == 3_960)
        #expect(try job.letters().count == 40)
    }

    /// A lock keeps the sink waiting for longer than its stage's timeout: it is alive, and is left alone.
    @Test func aStatementThatWaitsIsNoHang() throws {
        let server = try Self.server.get()
        try server.waitUntilReady()
        let (job, rows) = try job(2_000, server)
        let text = try #require(String(data: job.data("pipeline.json5"), encoding: .utf8))
        try job.write("pipeline.json5", text.replacing(#"plugin: "write-postgres","#, with: #"plugin: "write-postgres", timeout: "500ms","#))
        let schema = try #require(text.firstMatch(of: /search_path=(\w+)/)?.1)
        let host = try job.start()
        try host.until("rows") { try rows().count > 100 }
        // Held until somebody ends it.
        let lock = Thread { _ = try? server.rows("BEGIN; LOCK TABLE \(schema).rows IN SHARE MODE; SELECT pg_sleep(600)") }
        lock.start()
        // Three times its timeout, by the server's own clock.
        try host.until("the sink to have waited") {
            try !server.rows("SELECT 1 FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '1500 ms'").isEmpty
        }
        #expect(try rows().count < 1_980)
        _ = try server.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        let ended = try host.wait()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.events("worker_crashed").isEmpty)
        #expect(try rows().count == 1_980)
    }

    /// A password from the environment is nowhere in what the host writes or says.
    @Test func secretsLeaveNoTrace() throws {
        let server = try Self.server.get()
        try server.waitUntilReady()
        let secret = "pw-\(UUID().uuidString)"
        try server.rows("CREATE DATABASE locked")
        defer { _ = try? server.rows("DROP DATABASE locked WITH (FORCE)") }
        try server.rows("CREATE ROLE locked LOGIN SUPERUSER PASSWORD '\(secret)'")
        let connection = "postgresql://locked:${DATABASE_PASSWORD}@/locked?host=\(server.folder)"
        let job = try Job(100, Self.pipeline(connection))
        let missing = try job.run()
        #expect(missing.code == 69)
        #expect(missing.output.contains("connection: the environment variable DATABASE_PASSWORD is not set"), "\(missing.output)")
        job.environment["DATABASE_PASSWORD"] = secret + "x"
        let wrong = try job.run()
        #expect(wrong.code == 69)
        #expect(wrong.output.contains("password authentication failed for user \"locked\""), "\(wrong.output)")
        job.environment["DATABASE_PASSWORD"] = secret
        let ended = try job.run("--verbose")
        #expect(ended.code == 0, "\(ended.output)")
        var said = missing.output + wrong.output + ended.output
        for command in [
            ["config", "pipeline.json5"], ["config", "pipeline.json5", "--json"], ["status", "job", "--json"], ["logs", "job", "write"],
            ["report", "job"],
        ] {
            said += try job.command(command).output
        }
        #expect(!said.contains(secret))
        let files = try #require(FileManager.default.enumerator(atPath: job.path(".stagehost")))
        for case let name as String in files { #expect(job.data(".stagehost/" + name).range(of: Data(secret.utf8)) == nil, "\(name)") }
    }
}
