import Foundation
import Testing

/// Everything that a plugin can do to its worker: the host lives, the record is found, all others go through.
@Suite struct DeedTests {
    struct Deed: CustomTestStringConvertible, Sendable {
        var name: String
        /// More of `with`, and of the stage.
        var with = ""
        var options = ""
        /// What becomes of the record: a category of dead letters, or nil where it is written.
        var category: String?
        var signal: String?
        /// The records that it costs, if any.
        var lost = 450...450
        var testDescription: String { with.isEmpty ? name : "\(name) (\(with))" }
    }

    static let deeds = [
        Deed(name: "segfault", category: "crash", signal: "SIGSEGV"),
        Deed(name: "segfault", with: "whole_batch: true,", category: "crash", signal: "SIGSEGV"),
        Deed(name: "abort", category: "crash", signal: "SIGABRT"),
        Deed(name: "abort", options: "workers: 2, standby: 1", category: "crash", signal: "SIGABRT"),
        Deed(name: "stack-overflow", category: "crash", signal: "SIGSEGV"),
        Deed(name: "exit-0", category: "exit"),
        Deed(name: "exit-3", category: "exit"),
        Deed(name: "exit-3", with: "whole_batch: true,", category: "exit"),
        Deed(name: "loop", options: #"timeout: "400ms""#, category: "timeout"),
        Deed(name: "stop", options: #"timeout: "400ms""#, category: "timeout"),
        Deed(name: "sleep", with: "ms: 300,", category: nil),
        Deed(name: "sleep", with: "ms: 20000,", options: #"timeout: "400ms""#, category: "timeout"),
        Deed(name: "allocate", with: "mib: 300, ms: 20000,", options: #"memory: "150MiB""#, category: "memory"),
        Deed(name: "close-descriptors", category: "exit"),
        Deed(name: "write-garbage", category: "garbage"),
        Deed(name: "flood-stdout", with: "mib: 40,", category: nil),
        Deed(name: "fork-child", category: nil),
        Deed(name: "leak", with: "mib: 1,", category: nil),
        Deed(name: "fail-permanently", category: "permanent"),
        Deed(name: "fail-transiently", options: #"retry: { attempts: 3, backoff: "10ms" }"#, category: "transient"),
        // The plugin had not begun the rest of the batch.
        Deed(name: "reject", category: "permanent", lost: 450...500),
    ]

    @Test(arguments: deeds) func ofOneRecordCostsNoOther(_ deed: Deed) throws {
        let bad = Input.key(450)
        let job = try Job(
            900,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "\#(deed.name)", \#(deed.with) when: { key_equals: "\#(bad)" }"#, deed.options),
                Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let letters = try job.letters()
        if let category = deed.category {
            #expect(job.outputKeys() == (1...900).filter { !deed.lost.contains($0) }.map(Input.key))
            #expect(letters.keys.sorted() == deed.lost.map(Input.key))
            #expect(letters[bad]?["category"] as? String == category, "\(letters)")
            #expect(letters[bad]?["signal"] as? String == deed.signal)
            #expect(letters[bad]?["stage"] as? String == "trouble")
        } else {
            #expect(job.outputKeys() == (1...900).map(Input.key))
            #expect(letters.isEmpty)
        }
        job.expectNoProcessLeft()
    }

    @Test func aBacktraceOfTheCrashIsKept() throws {
        let job = try Job(
            50,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "segfault", when: { key_equals: "\#(Input.key(7))" }"#), Stages.write))
        #expect(try job.run().code == 0)
        let letter = try #require(try job.letters()[Input.key(7)])
        let backtrace = try #require(letter["backtrace"] as? String)
        #expect(backtrace.hasPrefix("SIGSEGV at address 0x0\nlibstage-misbehave.so+"), "\(backtrace)")
        #expect(job.events("poison_found").count == 1)
        #expect(job.events("worker_crashed").count <= 3)
    }

    @Test func aRecordThatFailsForAWhileIsWritten() throws {
        let job = try Job(
            300,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "fail-transiently", when: { key_equals: "\#(Input.key(150))", times: 2, memory: "tries" }"#,
                    #"retry: { attempts: 4, backoff: "5ms" }"#), Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...300).map(Input.key))
        #expect(job.lines("tries").count == 2)
    }

    @Test func aBatchThatIsWantedAgainIsGivenAgain() throws {
        let job = try Job(
            300,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "retry-batch", ms: 10, counter: "seen", when: { key_equals: "\#(Input.key(150))", times: 2, memory: "tries" }"#),
                Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...300).map(Input.key))
        #expect(job.lines("tries").count == 2)
        // What was done before the plugin broke off is not done again.
        let seen = Dictionary(job.lines("seen").map { ($0, 1) }, uniquingKeysWith: +)
        #expect(seen[Input.key(150)] == 3)
        #expect(seen.filter { $0.value > 1 }.count == 1)
    }

    @Test func aFatalStatusEndsTheRunAndIsNotTriedAgain() throws {
        let job = try Job(
            300,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "fatal", when: { key_equals: "\#(Input.key(150))", times: 1, memory: "tries" }"#),
                Stages.write))
        let ended = try job.run(seconds: 20)
        #expect(ended.code == 69, "\(ended.output)")
        #expect(ended.output.contains("stage \"trouble\": misbehave: gives up"), "\(ended.output)")
        #expect(job.lines("tries").count == 1)
        job.expectNoProcessLeft()
        // The cause is mended (it happens once): the same command goes on.
        #expect(try job.run().code == 0)
        #expect(job.outputKeys() == (1...300).map(Input.key))
    }

    @Test(arguments: ["segfault", "exit-3", "close-descriptors"])
    func aStageWhoseEveryRecordKillsItGivesUp(_ deed: String) throws {
        let job = try Job(
            1_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "\#(deed)""#, #"restart: { max: 5, within: "30s", backoff: "10ms" }"#),
                Stages.write))
        let ended = try job.run(seconds: 30)
        #expect(ended.code == 4, "\(ended.output)")
        #expect(ended.output.contains("trouble"))
        #expect(job.events("stage_gave_up").count == 1)
        job.expectNoProcessLeft()
    }

    @Test func tooManyDeadLettersStopTheJob() throws {
        let job = try Job(
            2_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "fail-permanently", when: { probability: 0.5, seed: 3 }"#), Stages.write,
                options: "failures: { max: 20 },"))
        let ended = try job.run()
        #expect(ended.code == 3, "\(ended.output)")
        #expect(ended.output.contains("failures.max = 20"), "\(ended.output)")
    }

    @Test func aFloodOfOutputIsBounded() throws {
        let job = try Job(
            300,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "flood-stdout", mib: 25, when: { probability: 0.01, seed: 4 }"#), Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let kept = ["trouble.log", "trouble.log.1"].map { name in
            (try? FileManager.default.attributesOfItem(atPath: job.path(".stagehost/job/text/\(name)"))[.size] as? Int) ?? 0
        }
        #expect(kept.reduce(0, +) > 1 << 20)
        #expect(kept.allSatisfy { $0 <= 17 << 20 }, "\(kept)")
    }

    @Test func manyCrashesLeakNoDescriptorOfTheHost() throws {
        // Each of these records kills its worker once, and passes when it is given again.
        let job = try Job(
            3_000,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "abort", each_ms: 1, when: { probability: 0.02, seed: 9, times: 1, memory: "crashes" }"#,
                    #"workers: 2, restart: { max: 1000, backoff: "1ms", max_backoff: "5ms" }"#),
                Stages.write))
        let host = try job.start()
        try host.until("the first crashes") { job.lines("crashes").count > 3 }
        var most = 0
        try host.until("many crashes") {
            most = max(most, host.descriptors)
            return job.lines("crashes").count > 40
        }
        // Each worker needs five; a worker that has just ended may not be buried yet.
        #expect(most < 70, "\(most) descriptors")
        let ended = try host.wait()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...3_000).map(Input.key))
    }
}
