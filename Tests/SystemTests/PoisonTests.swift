import Foundation
import Testing

/// Records that kill their workers, in numbers; and stages of which it is not the records.
@Suite struct PoisonTests {
    private static func ids(_ numbers: [Int]) -> String { numbers.map { "\($0 - 1)" }.joined(separator: ", ") }

    private func expectOnly(_ poison: [Int], _ records: Int, with: String = "", deaths: Int) throws {
        let job = try Job(
            records,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "segfault", \#(with) when: { ids: [\#(Self.ids(poison))] }"#), Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(try job.letters().keys.sorted() == poison.map(Input.key))
        #expect(job.outputKeys() == (1...records).filter { !poison.contains($0) }.map(Input.key))
        #expect(job.events("poison_found").count == poison.count)
        let died = job.events("worker_crashed").count
        #expect(died <= deaths, "\(died) deaths")
        job.expectNoProcessLeft()
    }

    static let ten = [401, 402, 403, 420, 437, 438, 455, 480, 499, 500]

    @Test func tenInOneBatchSomeOfThemNeighboursAreSetAsideAndNobodyElse() throws {
        try expectOnly(Self.ten, 900, deaths: 2 * Self.ten.count)
    }

    @Test func tenInOneBatchAreFoundByHalvesToo() throws {
        try expectOnly(Self.ten, 900, with: "whole_batch: true,", deaths: Self.ten.count * 8)
    }

    @Test(arguments: ["", "whole_batch: true,"])
    func aWholeBatchOfThemIsSetAsideWhenOthersPass(_ with: String) throws {
        // The batches around it pass, so that it is the data and not the plugin.
        let all = Array(201...225)
        let job = try Job(
            1_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "segfault", \#(with) when: { ids: [\#(Self.ids(all))] }"#), Stages.write,
                options: "batch: { records: 25 },"))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(try job.letters().keys.sorted() == all.map(Input.key))
        #expect(job.outputKeys() == (1...1_000).filter { !all.contains($0) }.map(Input.key))
        job.expectNoProcessLeft()
    }

    @Test(arguments: ["segfault", "exit-3", "close-descriptors", "write-garbage", "abort"])
    func aStageWhoseEveryRecordKillsItGivesUpAndSaysThatItIsThePlugin(_ deed: String) throws {
        let job = try Job(
            1_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "\#(deed)""#, #"restart: { max: 5, within: "30s", backoff: "10ms" }"#),
                Stages.write))
        let ended = try job.run(seconds: 30)
        #expect(ended.code == 4, "\(ended.output)")
        #expect(ended.output.contains("stage \"trouble\" gave up"), "\(ended.output)")
        #expect(ended.output.contains("it is the plugin (or its configuration), not the data"), "\(ended.output)")
        #expect(job.events("stage_gave_up").count == 1)
        let deaths = job.events("worker_crashed").count
        // What is found out later, at the end of the batch: halves have to find each record.
        #expect(deaths <= (["close-descriptors", "write-garbage"].contains(deed) ? 150 : 40), "\(deaths) deaths")
        job.expectNoProcessLeft()
    }

    @Test func aStageThatIsToHoldWaitsForSomebodyWhoMendsIt() throws {
        let job = try Job(
            600,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "segfault""#, #"on_give_up: "hold", restart: { max: 5, within: "30s", backoff: "10ms" }"#), Stages.write))
        let host = try job.start()
        try host.until("the stage to be held") { job.status()?["state"] as? String == "holding" }
        #expect(job.events("stage_gave_up").count == 1)
        let deaths = job.events("worker_crashed").count
        let message = job.events("stage_gave_up").first?["message"] as? String ?? ""
        #expect(message.contains("it is the plugin"), "\(message)")
        // The host hears everything, and nobody is started in vain.
        #expect(try job.command("status", "job").output.contains("holding"))
        #expect(job.events("worker_crashed").count == deaths)
        #expect(host.workers(of: "misbehave").isEmpty)
        host.signal(SIGINT)
        #expect(try host.wait(seconds: 20).code == 75)
        job.expectNoProcessLeft()
    }
}
