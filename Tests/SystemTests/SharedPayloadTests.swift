import Foundation
import Testing

/// Batches that are large enough for the shared memory: nothing that a worker does with it costs another record.
@Suite struct SharedPayloadTests {
    private static let options = "batch: { records: 500 }, "

    @Test(arguments: ["segfault", "exit-3", "close-descriptors", "write-garbage", "fork-child", "fail-transiently"])
    func `one record's deed costs no other, in large batches`(_ deed: String) throws {
        let bad = Input.key(750)
        let job = try Job(
            2000,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "\#(deed)", when: { key_equals: "\#(bad)" }"#, #"workers: 2, retry: { attempts: 2, backoff: "1ms" }"#),
                Stages.misbehave("", "durable: false", name: "more"), Stages.write, options: Self.options))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let isLost = deed != "fork-child"
        #expect(job.outputKeys() == (1...2000).filter { !isLost || $0 != 750 }.map(Input.key))
        #expect(try job.letters().keys.sorted() == (isLost ? [bad] : []))
        #expect(try job.command("verify", "job").code == 0)
        job.expectNoProcessLeft()
    }

    @Test func `kills of workers and of the host leave the output as it should be, in batches of automatic size`() throws {
        let job = try Job(
            20_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave("", "workers: 2"), Stages.misbehave("", name: "more"), Stages.write,
                options: #"batch: { records: "auto" }, "#))
        for round in 1...4 {
            let host = try job.start()
            // A quick machine may be done before.
            try? host.until("something more is written") { job.lines("output.jsonl").count > round * 1500 }
            for worker in host.workers(of: "misbehave").prefix(2) { kill(worker, SIGKILL) }
            if round % 2 == 0 { host.killHard() }
            host.signal(SIGTERM)
            _ = try host.wait()
        }
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...20_000).map(Input.key))
        #expect(try job.command("verify", "job").code == 0)
        job.expectNoProcessLeft()
    }
}
