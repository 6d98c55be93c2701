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
        var lost = 4_750...4_750
        /// Workers that it may cost.
        var deaths: Int {
            if category == nil || category == "permanent" || category == "transient" { return 0 }
            // These are found out later, when the plugin is at other records: only halves find the one.
            let isFoundLate = name == "write-garbage" || name == "close-descriptors"
            return isWholeBatch || isFoundLate ? 8 : 3
        }
        var isWholeBatch: Bool { with.contains("whole_batch") }
        var testDescription: String { with.isEmpty ? name : "\(name) (\(with))" }

        /// The same by a plugin that does not say which record is in hand: halves have to find it.
        var ofAWholeBatch: Deed {
            var deed = self
            deed.with += " whole_batch: true,"
            return deed
        }
    }

    static let memory = #"memory: "120MiB""#
    static let crashes = [
        Deed(name: "segfault", category: "crash", signal: "SIGSEGV"),
        Deed(name: "abort", category: "crash", signal: "SIGABRT"),
        Deed(name: "illegal-instruction", category: "crash", signal: "SIGILL"),
        Deed(name: "divide-by-zero", category: "crash", signal: "SIGFPE"),
        Deed(name: "bus-error", category: "crash", signal: "SIGBUS"),
        Deed(name: "raise", with: "signal: 15,", category: "crash", signal: "SIGTERM"),
        Deed(name: "stack-overflow", category: "crash", signal: "SIGSEGV"),
        Deed(name: "exit-0", category: "exit"),
        Deed(name: "exit-1", category: "exit"),
        Deed(name: "exit-3", category: "exit"),
        Deed(name: "close-descriptors", category: "exit"),
        Deed(name: "write-garbage", category: "garbage"),
    ]
    static let slow = [
        Deed(name: "loop", options: #"timeout: "700ms""#, category: "timeout"),
        Deed(name: "stop", options: #"timeout: "700ms""#, category: "timeout"),
        Deed(name: "sleep", with: "ms: 20000,", options: #"timeout: "700ms""#, category: "timeout"),
        Deed(name: "allocate", with: "mib: 240, ms: 20000,", options: memory, category: "memory"),
        Deed(name: "allocate-blindly", with: "gib: 20,", options: memory, category: "memory"),
    ]
    static let harmless = [
        Deed(name: "abort", options: "workers: 2, standby: 1", category: "crash", signal: "SIGABRT"),
        Deed(name: "allocate", with: "gib: 20,", options: memory, category: "permanent"),
        Deed(name: "sleep", with: "ms: 300,", category: nil),
        Deed(name: "flood-stdout", with: "mib: 40,", category: nil),
        Deed(name: "fork-child", category: nil),
        Deed(name: "fork-daemon", with: "ms: 777123000,", category: nil),
        Deed(name: "leak", with: "mib: 1,", category: nil),
        Deed(name: "fail-permanently", category: "permanent"),
        Deed(name: "fail-transiently", options: #"retry: { attempts: 3, backoff: "10ms" }"#, category: "transient"),
        // The plugin had not begun the rest of the batch.
        Deed(name: "reject", category: "permanent", lost: 4_750...4_800),
    ]
    static let deeds = crashes + crashes.map(\.ofAWholeBatch) + slow + [slow[0].ofAWholeBatch] + harmless

    @Test(arguments: deeds) func ofOneRecordInTenThousandCostsNoOther(_ deed: Deed) throws {
        let bad = Input.key(4_750)
        let job = try Job(
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"do: "\#(deed.name)", \#(deed.with) when: { key_equals: "\#(bad)" }"#, deed.options),
                Stages.write))
        try job.write("input.jsonl", Undisturbed.input)
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let letters = try job.letters()
        let isLost: (Int) -> Bool = { deed.category != nil && deed.lost.contains($0) }
        let expected = try Undisturbed.output(without: isLost)
        #expect(job.data("output.jsonl") == expected, "the output is not that of an undisturbed run without what is lost")
        #expect(letters.keys.sorted() == (1...Undisturbed.records).filter(isLost).map(Input.key))
        let deaths = job.events("worker_crashed").count
        #expect(deaths <= deed.deaths, "\(deaths) deaths")
        if let category = deed.category {
            #expect(letters[bad]?["category"] as? String == category, "\(letters)")
            #expect(letters[bad]?["signal"] as? String == deed.signal)
            #expect(letters[bad]?["stage"] as? String == "trouble")
        }
        job.expectNoProcessLeft()
        Processes.expectNone(with: "sleep\0777123\0")
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
}
