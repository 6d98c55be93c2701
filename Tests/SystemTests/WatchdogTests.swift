import Foundation
import Testing

/// Stages that do not end.
@Suite struct WatchdogTests {
    @Test func aTimeoutOfRecordsLetsABatchTakeAsLongAsItsRecordsTogether() throws {
        let stage = { (options: String) in
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    #"each_ms: 30, do: "sleep", ms: 30000, when: { key_equals: "\#(Input.key(77))" }"#, #"timeout: "1s", \#(options)"#),
                Stages.write)
        }
        // Three seconds for the batch, of which no record takes a second but one.
        let job = try Job(100, stage(#"timeout_per: "record""#))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let letters = try job.letters()
        #expect(letters.keys.sorted() == [Input.key(77)])
        #expect(letters[Input.key(77)]?["category"] as? String == "timeout")
        #expect(job.outputKeys() == (1...100).filter { $0 != 77 }.map(Input.key))
        #expect(job.events("worker_crashed").count <= 3)
    }

    @Test func ofAWorkerThatHangsIsKnownWhere() throws {
        for deed in ["loop", "stop"] {
            let job = try Job(
                30,
                Stages.pipeline(
                    Stages.read,
                    Stages.misbehave(#"do: "\#(deed)", when: { key_equals: "\#(Input.key(7))" }"#, #"timeout: "500ms""#), Stages.write))
            #expect(try job.run().code == 0)
            let letter = try #require(try job.letters()[Input.key(7)])
            #expect(letter["category"] as? String == "timeout")
            #expect(letter["signal"] is NSNull)
            let backtrace = try #require(letter["backtrace"] as? String)
            #expect(backtrace.hasPrefix("the host sent SIGABRT to see where it hangs:\nSIGABRT"), "\(backtrace)")
            #expect(backtrace.contains("libstage-misbehave.so+0x"), "\(backtrace)")
            job.expectNoProcessLeft()
        }
    }

    @Test func aCoreIsLeftOnlyWhereOneIsWanted() throws {
        let pattern = (try? String(contentsOfFile: "/proc/sys/kernel/core_pattern", encoding: .utf8)) ?? ""
        var hard = rlimit()
        guard pattern == "core\n", unsafe getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &hard) == 0, hard.rlim_max > 1 << 30 else {
            withKnownIssue("this system does not write cores into the folder of the process: not tested") { Issue.record("no cores") }
            return
        }
        for wanted in [true, false] {
            let job = try Job(
                20,
                Stages.pipeline(
                    Stages.read,
                    Stages.misbehave(#"do: "segfault", when: { key_equals: "\#(Input.key(7))" }"#, "core: \(wanted)"), Stages.write))
            #expect(try job.run().code == 0)
            let cores = try FileManager.default.contentsOfDirectory(atPath: job.folder).filter { $0.hasPrefix("core") }
            #expect(cores.isEmpty == !wanted, "\(cores)")
            let backtrace = try #require(try job.letters()[Input.key(7)]?["backtrace"] as? String)
            #expect(backtrace.contains("core dumped") == wanted, "\(backtrace)")
        }
    }
}
