import Foundation
import Glibc
import Testing

/// A paid service behind a stage: slow, busy, failing, hanging up; and a host that is killed while hundreds of calls are out.
@Suite(.enabled(if: Programs.find("python3") != nil && HTTPLibrary.isThere, "needs python3 and libcurl4"))
struct CallHTTPTests {
    private static func call(_ port: Int, _ with: String = "", _ options: String = "threads: 16, workers: 1") -> String {
        #"{ name: "call", plugin: "call-http", \#(options), with: { url: "http://127.0.0.1:\#(port)/v1/chat/completions", "#
            + #"headers: { "X-Key": "{{key}}" }, concurrency: 100, body: '{"model": "m", "messages": [{"role": "user", "content": {{json:/text}}}]}', "#
            + #"answer: "/choices/0/message/content", costs: { tokens: "/usage/total_tokens" }, \#(with) }, "#
            + #"retry: { attempts: 6, backoff: "50ms" } }"#
    }

    private static func pipeline(_ call: String, _ options: String = "batch: { records: 50 },") -> String {
        Stages.pipeline(Stages.read, call, Stages.write, options: options)
    }

    /// A job over so many records and a server for it.
    private func setUp(_ records: Int, latency: Double, troubles: String = "", with: String = "") throws -> (Job, HTTPServer) {
        let job = try Job(records, "{}")
        let server = try HTTPServer(for: job, latency: latency, troubles: troubles)
        try job.write("pipeline.json5", Self.pipeline(Self.call(server.port, with)))
        return (job, server)
    }

    private func expectAnswers(_ job: Job, _ records: Int) {
        #expect(job.outputKeys() == (1...records).map(Input.key))
        let texts = Dictionary(
            job.objects("input.jsonl").map { ($0["id"] as? String ?? "", ($0["text"] as? String ?? "").uppercased()) }) { first, _ in first }
        for line in job.objects("output.jsonl") {
            #expect(line["value"] as? String == texts[line["key"] as? String ?? ""])
        }
    }

    @Test func aServiceThatIsSlowBusyAndHangsUpAnswersAllInTheEnd() throws {
        let count = Storm.isOn ? 2_000 : 400
        let (job, server) = try setUp(count, latency: 0.2, troubles: "3=429,5=500,7=drop")
        let ended = try job.run(seconds: 120)
        #expect(ended.code == 0, "\(ended.output)")
        expectAnswers(job, count)
        let calls = Dictionary(grouping: server.calls()) { $0.key }.mapValues { $0.map(\.status) }
        for (key, statuses) in calls {
            let trouble = ["3": "429", "5": "500", "7": "dropped"][String(key.suffix(1))]
            #expect(statuses == [trouble, "200"].compactMap { $0 }, "\(key)")
        }
        job.expectNoProcessLeft()
    }

    /// The results of whatever the server had answered when the host was killed are in the log: those calls are never made
    /// again. The server is held for a moment before each kill, so that nothing is on its way at that instant.
    @Test func noCallIsMadeAgainAfterItsResultIsCommitted() throws {
        let count = 600
        let (job, server) = try setUp(count, latency: 0.05, troubles: "3=429,5=500,7=drop")
        func successes() -> [String] { server.calls().filter { $0.status == "200" }.map(\.key) }
        for round in 1...5 {
            let host = try job.start()
            try host.until("answers") { successes().count >= round * 80 }
            try server.hold()
            // What was answered last may still be on its way; the log tells when all of it has arrived.
            try host.until("all answers in the log") { missing(successes(), in: job).isEmpty }
            let dying = job.processes()
            host.killHard()
            // A worker that is still dying must not take an answer with it.
            job.expectNoProcessLeft()
            job.expectOver(dying)
            try server.release()
        }
        let ended = try job.run(seconds: 120)
        #expect(ended.code == 0, "\(ended.output)")
        expectAnswers(job, count)
        let twice = Dictionary(grouping: successes()) { $0 }.filter { $0.value.count > 1 }
        #expect(twice.isEmpty)
    }

    /// Those whose answers are neither in the log of the stage nor in the output.
    private func missing(_ keys: [String], in job: Job) -> [String] {
        var written = job.data("output.jsonl")
        for case let name as String in FileManager.default.enumerator(atPath: job.path(".stagehost/job/logs/01-call")) ?? .init() {
            written += job.data(".stagehost/job/logs/01-call/" + name)
        }
        return keys.filter { written.range(of: Data($0.utf8)) == nil }
    }

    @Test func atRandomInstantsAKillRepeatsNoMoreThanWasInHand() throws {
        let count = 600
        let (job, server) = try setUp(count, latency: 0.05)
        let seed = Storm.seed()
        var chance = Chance(seed: seed)
        var kills = 0
        for round in 1...5 {
            let host = try job.start()
            let goal = round * 80 + Int.random(in: 0..<60, using: &chance)
            try host.until("answers") { server.calls().count >= goal }
            host.killHard()
            kills += 1
        }
        let ended = try job.run(seconds: 120)
        #expect(ended.code == 0, "seed \(seed): \(ended.output)")
        expectAnswers(job, count)
        let again = server.calls().count - count
        #expect(again <= kills * 100, "seed \(seed): \(again) calls were made again")
    }

    @Test func statusesEndAsTheyShould() throws {
        let (job, server) = try setUp(30, latency: 0, troubles: "1=404,2=302,3=401")
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let letters = try job.letters()
        #expect(letters.keys.sorted() == (1...30).filter { [1, 2, 3].contains($0 % 10) }.map(Input.key))
        #expect(letters.values.allSatisfy { $0["category"] as? String == "permanent" })
        #expect((letters["k000011"]?["message"] as? String)?.hasPrefix("the server answered 404: {\"error\"") == true)

        let (strict, second) = try setUp(30, latency: 0, troubles: "3=401", with: "fatal: [401],")
        let stopped = try strict.run()
        withExtendedLifetime((server, second)) {}
        #expect(stopped.code == 69, "\(stopped.output)")
        #expect(stopped.output.contains("the server answered 401"))
    }

    @Test func aServiceThatIsNotThereIsTriedAgainAndThenGivenUp() throws {
        let job = try Job(3, Self.pipeline(Self.call(1, "", "workers: 1").replacing("attempts: 6", with: "attempts: 2")))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let letters = try job.letters()
        #expect(letters.count == 3)
        #expect(letters.values.allSatisfy { $0["category"] as? String == "transient" && $0["attempts"] as? Int == 2 })
        #expect((letters["k000001"]?["message"] as? String)?.contains("127.0.0.1 port 1") == true)
    }

    /// What came from the environment is nowhere in what the host writes or says, also where the server repeats it.
    @Test func secretsLeaveNoTrace() throws {
        let secret = "sk-\(UUID().uuidString)"
        let (job, server) = try setUp(
            40, latency: 0, troubles: "3=404", with: #"into: "/answer", headers: { "X-Key": "{{key}}", Authorization: "Bearer ${SERVICE_KEY}" },"#)
        let text = try #require(String(data: job.data("pipeline.json5"), encoding: .utf8))
        try job.write("pipeline.json5", text.replacing(#"headers: { "X-Key": "{{key}}" }, "#, with: ""))
        let missing = try job.run()
        #expect(missing.code == 69)
        #expect(missing.output.contains("headers.Authorization: the environment variable SERVICE_KEY is not set"), "\(missing.output)")

        job.environment["SERVICE_KEY"] = secret
        let ended = try job.run("--verbose")
        #expect(ended.code == 0, "\(ended.output)")
        withExtendedLifetime(server) {}
        let letters = try job.letters()
        #expect((letters["k000003"]?["message"] as? String)?.contains("not now, Bearer ***") == true)
        #expect(job.objects("output.jsonl").count == 36)
        #expect((job.objects("output.jsonl").first?["value"] as? [String: Any])?["answer"] is String)
        var said = ended.output
        for command in [["config", "pipeline.json5"], ["config", "pipeline.json5", "--json"], ["failures", "job"], ["status", "job", "--json"], ["logs", "job", "call"]] {
            said += try job.command(command).output
        }
        #expect(!said.lowercased().contains(secret.lowercased()))
        let files = try #require(FileManager.default.enumerator(atPath: job.path(".stagehost")))
        for case let name as String in files {
            let data = job.data(".stagehost/" + name)
            #expect(data.range(of: Data(secret.utf8)) == nil, "\(name)")
            #expect(data.range(of: Data(secret.lowercased().utf8)) == nil, "\(name)")
        }
    }
}

enum HTTPLibrary {
    /// Whether libcurl can be opened here.
    static var isThere: Bool {
        for name in ["libcurl.so.4", "libcurl-gnutls.so.4"] {
            if let handle = unsafe dlopen(name, RTLD_LAZY) {
                unsafe dlclose(handle)
                return true
            }
        }
        return false
    }
}
