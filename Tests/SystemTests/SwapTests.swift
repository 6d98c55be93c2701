import Foundation
import LinuxIO
import Testing

/// Other builds of plugins, brought into a running job: good ones, bad ones, and what is none.
@Suite struct SwapTests {
    static let stateful = ["FLAGS=(STAGE_FLAG_RECORD_BY_RECORD|STAGE_FLAG_STATEFUL)"]

    /// A job with the first build in its stage "work", running, of which something is written.
    private func running(
        _ records: Int = 4_000, _ options: String = "probation: 3", first: [String] = [], batch: Int = 20, before: String? = nil
    ) throws -> (job: Job, host: Host) {
        let stages = [Stages.read, before, #"{ name: "work", plugin: "./builds/first.so", \#(options) }"#, Stages.write].compactMap { $0 }
        let job = try Job(
            records, "{ name: \"job\", batch: { records: \(batch) }, stages: [\n" + stages.joined(separator: ",\n") + "\n] }")
        _ = try make("first", first + ["SLOW=1000000"], in: job)
        return (job, try begin(job))
    }

    private func make(_ name: String, _ options: [String], in job: Job) throws -> String {
        try Builds.make(name, options, in: job)
    }

    private func begin(_ job: Job) throws -> Host {
        let host = try job.start()
        let written = job.data("output.jsonl").count
        try host.until("the control socket") { FileManager.default.fileExists(atPath: job.path(".stagehost/job/control.sock")) }
        try host.until("the first records") { job.data("output.jsonl").count > written }
        return host
    }

    /// All records are in the output, once and in order; of a stateful stage, each with its number.
    private func expectWhole(_ job: Job, _ records: Int, stateful: Bool = false, _ place: SourceLocation = #_sourceLocation) {
        let keys = job.outputKeys()
        let difference = zip(keys, (1...records).map(Input.key)).first { $0 != $1 }
        #expect(difference == nil && keys.count == records, "\(keys.count) records", sourceLocation: place)
        guard stateful else { return }
        let values = job.objects("output.jsonl").map { "\($0["value"] ?? "")" }
        let wrong = zip(values, (1...records).map(String.init)).first { $0 != $1 }
        #expect(wrong == nil, sourceLocation: place)
    }

    private func checkpoint(_ job: Job, _ stage: String = "work") throws -> [String: Any] {
        let shown = try job.command("checkpoints", "job", stage, "--json")
        let list = try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [[String: Any]]
        return try #require(list?.first, "\(shown.output)")
    }

    // MARK: - Take-overs

    @Test(arguments: ["", "workers: 3, standby: 2,"]) func aNewBuildTakesOverPassesItsProbationAndIsShown(_ options: String) throws {
        let (job, host) = try running(4_000, options + "probation: 3")
        let second = try make("second", ["SLOW=200000"], in: job)
        let ended = try job.command("restart", "job", "work", "--plugin", second)
        #expect(ended.code == 0, "\(ended.output)")
        #expect(ended.output.contains("on probation for 3 batches") && ended.output.contains("has passed"), "\(ended.output)")
        let shown = try checkpoint(job)
        #expect(shown["version"] as? String == "second")
        #expect(shown["origin"] as? String == "restart")
        #expect(try host.wait().code == 0)
        expectWhole(job, 4_000)
        let swapped = try #require(job.events("plugin_swapped").first)
        #expect(swapped["digest"] as? String == shown["digest"] as? String)
        #expect(job.events("probation_passed").count == 1)
        job.expectNoProcessLeft()
    }

    @Test(arguments: [
        ("CRASH_AT=5", "SIGSEGV"), ("FAIL_AT=1", "records failed"), ("FATAL_AT=3", "nothing goes any more"),
    ])
    func aBuildThatDoesWorseIsSentBack(_ deed: String, _ reason: String) throws {
        let (job, host) = try running()
        let bad = try make("bad", [deed], in: job)
        let ended = try job.command("restart", "job", "work", "--plugin", bad)
        #expect(ended.code == 69, "\(ended.output)")
        #expect(ended.output.contains("rolled back to the old build") && ended.output.contains(reason), "\(ended.output)")
        #expect(try checkpoint(job)["version"] as? String == "first")
        let last = try host.wait()
        #expect(last.code == 0, "\(last.output)")
        #expect(job.events("swap_rolled_back").first.map { "\($0["reason"] ?? "")".contains(reason) } == true)
        let letters = try job.letters()
        if deed.hasPrefix("FAIL") {
            #expect(!letters.isEmpty && job.outputKeys().count + letters.count == 4_000)
        } else {
            #expect(letters.isEmpty)
            expectWhole(job, 4_000)
        }
        job.expectNoProcessLeft()
    }

    @Test func aBuildThatHangsIsSentBackWhenItsTimeIsUp() throws {
        let (job, host) = try running(2_000, #"probation: 3, timeout: "500ms""#)
        let ended = try job.command("restart", "job", "work", "--plugin", try make("hangs", ["HANG_AT=5"], in: job))
        #expect(ended.code == 69 && ended.output.contains("timeout"), "\(ended.output)")
        #expect(try host.wait().code == 0)
        expectWhole(job, 2_000)
        job.expectNoProcessLeft()
    }

    @Test func manyBuildsThatCrashDoNotUseUpTheRestartsOfTheStage() throws {
        let (job, host) = try running(6_000, #"probation: 3, workers: 2, restart: { max: 2, within: "60s" }"#)
        for round in 1...5 {
            let bad = try make("bad\(round)", ["CRASH_AT=\(round * 3)"], in: job)
            #expect(try job.command("restart", "job", "work", "--plugin", bad).code == 69)
        }
        let last = try host.wait()
        #expect(last.code == 0, "\(last.output)")
        #expect(job.events("stage_gave_up").isEmpty && job.events("unexplained_death").isEmpty)
        expectWhole(job, 6_000)
        job.expectNoProcessLeft()
    }

    // MARK: - What is refused

    @Test func whatCannotTakeOverIsRefusedWithTheReason() throws {
        let (job, host) = try running(6_000)
        try job.write("builds/text.so", "no library at all")
        let whole = try Data(contentsOf: URL(filePath: try make("second", [], in: job)))
        for (name, bytes) in [("empty", 0), ("header", 64), ("half", whole.count / 2), ("most", whole.count - 2_000)] {
            try whole.prefix(bytes).write(to: URL(filePath: job.path("builds/\(name).so")))
        }
        let cases: [(file: String, reason: String)] = [
            (job.path("builds/text.so"), "not ELF"), (job.path("builds/empty.so"), "found an empty file"),
            (job.path("builds/header.so"), "old build stays"), (job.path("builds/half.so"), "old build stays"),
            ("/bin/true", "old build stays"), (Programs.folder + "/libstage-read-lines.so", "is a source"),
            (Programs.folder + "/libstage-keep.so", "it is \"keep\", and the stage runs \"count\""),
            (try make("stateful", Self.stateful, in: job), "stateful"), (try make("refuses", ["REFUSES=1"], in: job), "cannot be opened"),
            (try make("sink", ["KIND=STAGE_KIND_SINK"], in: job), "its plugin is a sink"),
        ]
        for (file, reason) in cases {
            let ended = try job.command("restart", "job", "work", "--plugin", file)
            #expect(ended.code == 69, "\(file): \(ended.output)")
            #expect(ended.output.contains(reason), "\(file): \(ended.output)")
        }
        // The end of a library is its section table, which the loader does not read.
        _ = try job.command("restart", "job", "work", "--plugin", job.path("builds/most.so"))
        let nobody = try job.command("restart", "job", "wrok")
        #expect(nobody.code == 64 && nobody.output.contains("\"work\""), "\(nobody.output)")
        let missing = try job.command("restart", "job", "work", "--plugin", "builds/secnd.so")
        #expect(missing.code == 69 && missing.output.contains("second.so"), "\(missing.output)")
        let folder = try job.command("restart", "job", "work", "--plugin", "builds")
        #expect(folder.code == 69, "\(folder.output)")
        let last = try host.wait()
        #expect(last.code == 0, "\(last.output)")
        expectWhole(job, 6_000)
        job.expectNoProcessLeft()
    }

    @Test func ofTwoRestartsAtOnceOneIsDeniedAndTheOtherTakesPlace() throws {
        let (job, host) = try running(4_000, "probation: 1000")
        let second = try make("second", ["SLOW=1000000"], in: job)
        let first = try job.begin("restart", "job", "work", "--plugin", second)
        try host.until("the take-over") { !job.events("plugin_swapped").isEmpty }
        let denied = try job.command("restart", "job", "work")
        #expect(denied.code == 75 && denied.output.contains("on probation"), "\(denied.output)")
        #expect(try job.command("restart", "job", "write").code == 0)
        #expect(try host.wait().code == 0)
        #expect(try first.wait().code == 0, "\(first.output)")
        expectWhole(job, 4_000)
        job.expectNoProcessLeft()
    }

    @Test func aPausedJobTakesANewBuildAndTriesItWhenItGoesOn() throws {
        let (job, host) = try running()
        #expect(try job.command("pause", "job").code == 0)
        let restart = try job.begin("restart", "job", "work", "--plugin", try make("second", [], in: job))
        try host.until("the take-over") { !job.events("plugin_swapped").isEmpty }
        #expect(try job.command("resume", "job").code == 0)
        #expect(try restart.wait().code == 0, "\(restart.output)")
        #expect(try host.wait().code == 0)
        expectWhole(job, 4_000)
        job.expectNoProcessLeft()
    }

    // MARK: - State

    @Test func theStateIsHandedOverAndWhoCannotReadItNeverServes() throws {
        let (job, host) = try running(5_000, "probation: 4, snapshot_every: 3", first: Self.stateful)
        let foreign = try make("foreign", Self.stateful + ["FORMAT='b'", #"READS="b""#], in: job)
        let refused = try job.command("restart", "job", "work", "--plugin", foreign)
        #expect(refused.code == 69 && refused.output.contains("a state of another format"), "\(refused.output)")
        // It reads the state, writes another format that the first build cannot read, and dies with it.
        let dies = try make("dies", Self.stateful + ["FORMAT='b'", #"READS="ab""#, "CRASH_AT=75"], in: job)
        let sentBack = try job.command("restart", "job", "work", "--plugin", dies)
        #expect(sentBack.code == 69 && sentBack.output.contains("rolled back"), "\(sentBack.output)")
        let second = try make("second", Self.stateful + ["FORMAT='b'", #"READS="ab""#], in: job)
        let taken = try job.command("restart", "job", "work", "--plugin", second)
        #expect(taken.code == 0, "\(taken.output)")
        let last = try host.wait()
        #expect(last.code == 0, "\(last.output)")
        expectWhole(job, 5_000, stateful: true)
        job.expectNoProcessLeft()
    }

    @Test func aStageThatHoldsGoesOnWithTheRepairedBuildAndNotWithAnother() throws {
        let (job, host) = try running(
            2_000, #"probation: 3, workers: 2, on: { SIGSEGV: "hold" }, on_give_up: "hold""#, first: ["CRASH_AT=200"])
        try host.until("the hold") { job.status()?["state"] as? String == "holding" }
        let other = try job.command("restart", "job", "work", "--plugin", Programs.folder + "/libstage-keep.so")
        #expect(other.code == 69 && other.output.contains("stays held"), "\(other.output)")
        let sink = try job.command("restart", "job", "work", "--plugin", Programs.folder + "/libstage-write-lines.so")
        #expect(sink.code == 69 && sink.output.contains("its plugin is a sink"), "\(sink.output)")
        let worse = try job.command("restart", "job", "work", "--plugin", try make("worse", ["REFUSES=1"], in: job))
        #expect(worse.code == 69, "\(worse.output)")
        let mended = try job.command("restart", "job", "work", "--plugin", try make("mended", [], in: job))
        #expect(mended.code == 0, "\(mended.output)")
        let last = try host.wait()
        #expect(last.code == 0, "\(last.output)")
        expectWhole(job, 2_000)
        job.expectNoProcessLeft()
    }

    // MARK: - Later runs

    @Test func aLaterRunGoesOnWithTheBuildThatWasBroughtIn() throws {
        let (job, host) = try running(4_000)
        let second = try make("second", ["SLOW=1000000"], in: job)
        #expect(try job.command("restart", "job", "work", "--plugin", second).code == 0)
        host.signal(SIGINT)
        #expect(try host.wait().code == 75)
        // The file may be gone: the job has its copy.
        try FileManager.default.removeItem(atPath: second)
        let again = try begin(job)
        #expect(again.output.contains("goes on with build"), "\(again.output)")
        #expect(!again.workers(of: "second.so").isEmpty)
        again.killHard()
        #expect(try checkpoint(job)["origin"] as? String == "restart")
        #expect(try job.command("status", "job").output.contains("by `stagehost restart`"))

        // Back to the pipeline's, while nobody runs the job.
        let back = try job.command("restart", "job", "work", "--plugin", job.path("builds/first.so"))
        #expect(back.code == 0 && back.output.contains("the pipeline's own plugin"), "\(back.output)")
        let third = try begin(job)
        #expect(!third.workers(of: "first.so").isEmpty)
        // And to another again, while it runs; then the pipeline's plugin changes, and that counts.
        #expect(try job.command("restart", "job", "work", "--plugin", try make("fourth", ["SLOW=1000000"], in: job)).code == 0)
        third.killHard()
        _ = try make("first", ["NEWER=1"], in: job)
        try job.write("builds/pad", "")
        let file = try FileHandle(forWritingTo: URL(filePath: job.path("builds/first.so")))
        try file.seekToEnd()
        try file.write(contentsOf: Data("newer".utf8))
        try file.close()
        let last = try job.run()
        #expect(last.code == 0 && last.output.contains("the pipeline's plugin has changed"), "\(last.output)")
        expectWhole(job, 4_000)
        job.expectNoProcessLeft()
    }

    @Test func aBuildOnProbationIsOnProbationAgainInTheNextRun() throws {
        let (job, host) = try running(3_000, "probation: 40")
        let bad = try make("bad", ["SLOW=1000000", "CRASH_AT=500"], in: job)
        let restart = try job.begin("restart", "job", "work", "--plugin", bad)
        try host.until("the take-over") { !job.events("plugin_swapped").isEmpty }
        host.killHard()
        #expect(try restart.wait().code == 75, "\(restart.output)")
        #expect(try checkpoint(job)["origin"] as? String == "probation")
        let again = try job.run()
        #expect(again.code == 0 && again.output.contains("on probation"), "\(again.output)")
        #expect(again.output.contains("the old build stays"), "\(again.output)")
        #expect(try checkpoint(job)["origin"] as? String == "pipeline")
        expectWhole(job, 3_000)
        job.expectNoProcessLeft()
    }

    @Test func aBuildForTheNextRunIsKeptAndOneThatCannotServeIsNot() throws {
        let (job, host) = try running(3_000)
        host.killHard()
        let keep = try job.command("restart", "job", "work", "--plugin", Programs.folder + "/libstage-keep.so")
        #expect(keep.code == 69 && keep.output.contains("a build of \"count\""), "\(keep.output)")
        let source = try job.command("restart", "job", "work", "--plugin", Programs.folder + "/libstage-read-lines.so")
        #expect(source.code == 69 && source.output.contains("found: a source"), "\(source.output)")
        #expect(try job.command("restart", "job", "work").code == 75)
        let mended = try job.command("restart", "job", "work", "--plugin", try make("mended", [], in: job))
        #expect(mended.code == 0 && mended.output.contains("the next run begins with"), "\(mended.output)")
        let last = try job.run()
        #expect(last.code == 0, "\(last.output)")
        #expect(job.events("probation_passed").count == 1)
        #expect(try checkpoint(job)["version"] as? String == "mended")
        expectWhole(job, 3_000)
        #expect(try job.command("restart", "job", "work", "--plugin", job.path("builds/first.so")).code == 75)
        job.expectNoProcessLeft()
    }

    // MARK: - Storm

    /// `STAGEHOST_STORM=N`: N times the records.
    @Test func tenSwapsOnTheWayDoNotChangeAByte() throws {
        let records = 30_000 * Storm.rounds(1)
        let options = "workers: 2, standby: 1, probation: 2"
        let pass = #"{ name: "terms", plugin: "count-terms", with: { field: "/text" } }, { name: "tally", plugin: "tally", with: { by: "/words" }, snapshot_every: 4 }"#
        let job = try Job(
            records, Stages.pipeline(
                Stages.read, pass, #"{ name: "work", plugin: "./builds/first.so", \#(options) }"#, Stages.write,
                options: "batch: { records: 100 },"))
        let builds = (try make("first", ["SLOW=100000"], in: job), try make("second", ["SLOW=100000"], in: job))
        let crashes = try make("crashes", ["CRASH_AT=50"], in: job)
        let undisturbed = try Job(
            records, Stages.pipeline(
                Stages.read, pass, #"{ name: "work", plugin: "\#(builds.0)" }"#, Stages.write, options: "batch: { records: 100 },"))
        #expect(try undisturbed.run(seconds: 1_000).code == 0)
        let host = try begin(job)
        var sentBack = 0
        for round in 1...10 {
            // Spread over the whole of it.
            let due = undisturbed.data("output.jsonl").count / 12 * round
            try host.until("round \(round)", seconds: 1_000) { job.size("output.jsonl") >= due }
            let stages = [2: "read", 4: "tally", 7: "write"]
            switch round % 5 {
            case 0, 3:
                let ended = try job.command("restart", "job", "work", "--plugin", crashes)
                #expect(ended.code == 69 && ended.output.contains("rolled back"), "\(ended.output)")
                sentBack += 1
            case 1: #expect(try job.command("restart", "job", "work", "--plugin", round < 5 ? builds.1 : builds.0).code == 0)
            default: #expect(try job.command("restart", "job", stages[round] ?? "tally").code == 0)
            }
        }
        let last = try host.wait(seconds: 1_000)
        #expect(last.code == 0, "\(last.output)")
        #expect(sentBack == 4 && job.events("swap_rolled_back").count == 4)
        #expect(job.events("plugin_swapped").count + job.events("stage_restarted").count == 10)
        #expect(try job.letters().isEmpty)
        #expect(job.data("output.jsonl") == undisturbed.data("output.jsonl"))
        job.expectNoProcessLeft()
    }
}
