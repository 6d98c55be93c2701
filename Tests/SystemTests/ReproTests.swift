import Foundation
import Glibc
import Testing

/// A dead letter, run again alone.
@Suite struct ReproTests {
    private func brokenJob() throws -> Job {
        let job = try Job(
            40,
            Stages.pipeline(Stages.read, #"{ name: "brittle", plugin: "./libstage-brittle.so" }"#, Stages.write))
        _ = try Brittle.build("brittle", isRepaired: false, in: job)
        #expect(try job.run().code == 0)
        return job
    }

    private func letter(_ key: String, of job: Job) throws -> String {
        "\(try #require(try job.letters()[key]?["letter"] as? Int))"
    }

    @Test func ofACrashDiesOfTheSameSignalAndShowsTheFrames() throws {
        let job = try brokenJob()
        let before = try job.command("status", "job", "--json").output
        let crash = try job.command("repro", "job", try letter("k000017", of: job))
        #expect(crash.code == 4)
        #expect(crash.output.contains("SIGSEGV"), "\(crash.output)")
        #expect(crash.output.contains("libstage-brittle.so+0x"), "\(crash.output)")
        let failure = try job.command("repro", "job", try letter("k000013", of: job))
        #expect(failure.code == 4 && failure.output.contains("no threes"), "\(failure.output)")
        #expect(try job.command("status", "job", "--json").output == before)
        // The build that failed is the job's own copy; another can be tried on the same record.
        let repaired = try Brittle.build("repaired", isRepaired: true, in: job)
        let passes = try job.command("repro", "job", try letter("k000017", of: job), "--plugin", repaired)
        #expect(passes.code == 0 && passes.output.contains("it passes"), "\(passes.output)")
        job.expectNoProcessLeft()
    }

    @Test func asAFolderRunsByItself() throws {
        let job = try brokenJob()
        let exported = try job.command("repro", "job", try letter("k000017", of: job), "--export", job.path("bug"))
        #expect(exported.code == 0, "\(exported.output)")
        for name in ["libstage-brittle.so", "record.key", "record.value", "config.json", "letter.json", "run.sh"] {
            #expect(FileManager.default.fileExists(atPath: job.path("bug/" + name)), "\(name)")
        }
        // Elsewhere, and without the job.
        let elsewhere = job.path("somewhere else's")
        try FileManager.default.moveItem(atPath: job.path("bug"), toPath: elsewhere)
        try FileManager.default.removeItem(atPath: job.path(".stagehost"))
        for _ in 0..<2 {
            let run = try Programs.run("/bin/sh", [elsewhere + "/run.sh"])
            #expect(run.code == 128 + SIGSEGV, "\(run.output)")
            #expect(run.output.contains("break_down") || run.output.contains("libstage-brittle.so+0x"), "\(run.output)")
        }
        let wrong = try Programs.run("/bin/sh", [elsewhere + "/run.sh", "--what"])
        #expect(wrong.code == 64)
    }

    @Test(arguments: ["gdb", "valgrind"]) func runsUnderATool(_ tool: String) throws {
        let job = try brokenJob()
        let ended = try job.command("repro", "job", try letter("k000017", of: job), "--" + tool)
        guard Programs.find(tool) != nil else {
            #expect(ended.code == 69 && ended.output.contains("\(tool) is not installed"), "\(ended.output)")
            return
        }
        #expect(ended.output.contains("brittle.c:"), "\(ended.output)")
        #expect(ended.code == 4 && ended.output.contains("killed by signal 11 (SIGSEGV)"), "\(ended.code): \(ended.output)")
    }

    @Test func ofASinkIsNotRunByTheWay() throws {
        let job = try Job(
            10, Stages.pipeline(Stages.read, #"{ name: "write", plugin: "write-lines", with: { path: "output.jsonl", format: "json" } }"#))
        #expect(try job.run().code == 0)
        let none = try job.command("repro", "job", "1")
        #expect(none.code == 66 && none.output.contains("no letter 1"), "\(none.output)")
    }
}
