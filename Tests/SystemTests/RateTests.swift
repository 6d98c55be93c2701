import Foundation
import Testing

/// Stages that call a service which takes so much and no more.
@Suite struct RateTests {
    private func job(_ records: Int, _ server: LimitedServer, _ options: String) throws -> Job? {
        guard let compiler = Programs.find("gcc", "cc", "clang") else {
            withKnownIssue("no C compiler on PATH: not tested") { Issue.record("no C compiler") }
            return nil
        }
        let job = try Job(
            records,
            Stages.pipeline(
                Stages.read, #"{ name: "call", plugin: "call", with: { port: \#(server.port) }, workers: 4, \#(options) }"#,
                Stages.write))
        try FileManager.default.createDirectory(atPath: job.path("plugins"), withIntermediateDirectories: true)
        let built = try Programs.run(
            compiler,
            [
                "-shared", "-fPIC", "-Wall", "-Werror", "-I", Programs.repository + "/Sources/CStage/include", "-o",
                job.path("plugins/libstage-call.so"), Programs.repository + "/Tests/SystemTests/Stages/call.c",
            ])
        try #require(built.code == 0, "\(built.output)")
        return job
    }

    /// Requests and refusals in whole seconds from a moment on.
    private func seconds(_ requests: [LimitedServer.Request], from skipped: Int) -> [(asked: Int, refused: Int)] {
        guard let first = requests.first?.at, let last = requests.last?.at else { return [] }
        let count = Int((last - first) / 1_000_000_000)
        guard count > skipped else { return [] }
        return (skipped..<count).map { second in
            let window = requests.filter { Int(($0.at - first) / 1_000_000_000) == second }
            return (window.count, window.count { !$0.isTaken })
        }
    }

    @Test(arguments: ["", "rate: { records_per_second: 400 },"])
    func theRateSettlesAtWhatTheServerTakesAndNothingIsLost(_ rate: String) throws {
        let server = try LimitedServer(perSecond: 50)
        defer { server.stop() }
        let storm = Storm.rounds(0)
        let records = storm == 0 ? 350 : 50 * storm
        guard let job = try job(records, server, rate + "retry: { attempts: 20 }") else { return }
        let ended = try job.run(seconds: 120 + Double(records) / 20)
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...records).map(Input.key))
        let requests = server.requests
        #expect(requests.filter(\.isTaken).map { String($0.path.dropFirst()) }.sorted() == (1...records).map(Input.key))
        let windows = seconds(requests, from: 3)
        let refused = windows.reduce(0) { $0 + $1.refused }
        let asked = windows.reduce(0) { $0 + $1.asked }
        if storm > 0 {
            print("rate \(rate): \(asked) requests, \(refused) refused in \(windows.count) s after the third: \(windows.map(\.asked))")
        }
        // A loaded machine asks less, never more.
        #expect(asked <= windows.count * 65, "\(windows)")
        #expect(refused * 4 <= max(asked, 40), "\(windows)")
        let stage = try #require((job.status()?["stages"] as? [[String: Any]])?[1])
        let said = try #require(stage["rate"] as? [String: Any])
        #expect(said["refusals"] as? Int == requests.count { !$0.isTaken })
        #expect(!job.events("stage_slowed").isEmpty)
    }

    @Test func aRateBelowTheServersIsNeverRefused() throws {
        let server = try LimitedServer(perSecond: 50, burst: 30)
        defer { server.stop() }
        guard let job = try job(60, server, "rate: { records_per_second: 25 }") else { return }
        #expect(try job.run().code == 0)
        #expect(server.requests.count == 60)
        #expect(!server.requests.contains { !$0.isTaken })
    }

    @Test func noMoreRecordsAreInHandThanASharedLimitSays() throws {
        let server = try LimitedServer(perSecond: 100_000, burst: 1000)
        defer { server.stop() }
        guard let job = try job(300, server, #"limit: "api""#) else { return }
        try job.write(
            "pipeline.json5",
            String(decoding: job.data("pipeline.json5"), as: UTF8.self)
                .replacingOccurrences(of: "stages: [", with: "limits: { api: { concurrency: 1 } }, stages: ["))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(!ended.output.contains("no effect"))
        // One at a time is in order, whatever number of workers there is.
        #expect(server.requests.map { String($0.path.dropFirst()) } == (1...300).map(Input.key))
    }
}
