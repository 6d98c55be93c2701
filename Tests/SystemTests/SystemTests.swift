import Foundation
import Glibc
import Testing

/// Small jobs that nothing disturbs: what they write, what they say, what they refuse.
@Suite struct SystemTests {
    @Test func theOutputOfASmallPipelineIsWhatAnIndependentCountSays() throws {
        let job = try Job(
            500,
            Stages.pipeline(
                Stages.read,
                #"{ name: "keep", plugin: "keep", with: { json: "/cents", min: 10 } }"#,
                #"{ name: "terms", plugin: "count-terms", workers: 2, with: { field: "/text", top: 100 } }"#,
                Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let kept = (1...500).filter { $0 % 100 >= 10 }
        let written = job.objects("output.jsonl")
        #expect(written.compactMap { $0["key"] as? String } == kept.map(Input.key))
        for (object, number) in zip(written, kept) {
            let value = try #require(object["value"] as? [String: Any])
            let line = try #require(jsonObject(Input.line(number)))
            let words = try #require(line["text"] as? String).lowercased().split(separator: " ").map(String.init)
            #expect(value["words"] as? Int == words.count)
            let counted = Dictionary(words.map { ($0, 1) }, uniquingKeysWith: +)
            #expect(value["terms"] as? [String: Int] == counted)
        }
        let records = try #require(job.status()?["records"] as? [String: Any])
        #expect(records["read"] as? Int == 500)
        #expect(records["written"] as? Int == kept.count)
        #expect(records["filtered"] as? Int == 500 - kept.count)
        #expect(records["failed"] as? Int == 0)
    }

    @Test func aFinishedJobSaysThatThereIsNothingToDo() throws {
        let job = try Job(300, Stages.pipeline(Stages.read, Stages.write))
        #expect(try job.run().code == 0)
        let output = job.data("output.jsonl")
        let again = try job.run()
        #expect(again.code == 0)
        #expect(again.output.contains("complete, nothing to do"))
        #expect(job.data("output.jsonl") == output)
    }

    @Test func freshStartsOver() throws {
        let job = try Job(300, Stages.pipeline(Stages.read, Stages.write))
        #expect(try job.run().code == 0)
        let output = job.data("output.jsonl")
        try job.write("input.jsonl", Input.lines(400))
        #expect(try job.run("--fresh").code == 0)
        #expect(job.data("output.jsonl").starts(with: output))
        #expect(job.outputKeys() == (1...400).map(Input.key))
    }

    @Test func aLimitTakesTheFirstRecords() throws {
        let job = try Job(1_000, Stages.pipeline(Stages.read, Stages.write))
        let ended = try job.run("--limit", "330")
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...330).map(Input.key))
    }

    @Test
    func limitAndSkipTakeAPart() throws {
        let job = try Job(1_000, Stages.pipeline(Stages.read, Stages.write))
        let ended = try job.run("--skip", "250", "--limit", "330")
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (251...580).map(Input.key))
    }

    @Test func anEmptyInputIsAJobWithNothingInIt() throws {
        let job = try Job(Stages.pipeline(Stages.read, Stages.misbehave("", name: "pass"), Stages.write))
        try job.write("input.jsonl", "")
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.data("output.jsonl").isEmpty)
    }

    @Test func aCPluginBuiltWithAPlainCompilerAndDroppedBesideThePipelineRuns() throws {
        guard let compiler = Programs.find("gcc", "cc", "clang") else {
            withKnownIssue("no C compiler on PATH: not tested") { Issue.record("no C compiler") }
            return
        }
        let job = try Job(
            100, Stages.pipeline(Stages.read, #"{ name: "shout", plugin: "shout" }"#, Stages.write))
        try FileManager.default.createDirectory(atPath: job.path("plugins"), withIntermediateDirectories: true)
        let built = try Programs.run(
            compiler,
            [
                "-shared", "-fPIC", "-I", Programs.repository + "/Sources/CStage/include", "-o",
                job.path("plugins/libstage-shout.so"), Programs.repository + "/examples/plugins/c/shout.c",
            ])
        try #require(built.code == 0, "\(built.output)")
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.lines("output.jsonl").count == 100)
        #expect(job.lines("output.jsonl").first?.contains("DOGS AND THE 1 CATS") == true)
    }

    @Test func theSameCommandOfTwoHostsRefusesTheSecondAndLeavesTheFirstUnharmed() throws {
        let job = try Job(400, Stages.pipeline(Stages.read, Stages.misbehave("each_ms: 3", name: "slow"), Stages.write))
        let first = try job.start()
        try first.until("the first records") { !job.data("output.jsonl").isEmpty }
        let second = try job.run()
        #expect(second.code == 73)
        #expect(second.output.contains("is running in another process"))
        let fresh = try job.run("--fresh")
        #expect(fresh.code == 73)
        #expect(try first.wait().code == 0)
        #expect(job.outputKeys() == (1...400).map(Input.key))
    }

    @Test func tallyCountsWhatAnIndependentCountSays() throws {
        let job = try Job(
            1_000, Stages.pipeline(Stages.read, #"{ name: "tally", plugin: "tally", with: { by: "/lang", sum: "/cents" } }"#, Stages.write))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let totals = try #require(job.objects("output.jsonl").last?["value"] as? [String: [String: Double]])
        for (index, language) in Input.languages.enumerated() {
            let numbers = (1...1_000).filter { $0 % 5 == index }
            #expect(totals[language] == ["count": Double(numbers.count), "sum": Double(numbers.reduce(0) { $0 + $1 % 100 })])
        }
    }

    @Test func aSlowSinkHoldsTheSourceBackAndTheMemoryOfTheHostStaysSmall() throws {
        let job = try Job(
            60_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave("", name: "pass"),
                Stages.misbehave("do: \"sleep\", ms: 30, when: { probability: 0.01, seed: 1 }", name: "slow"), Stages.write,
                options: "window: 4, batch: { records: 50 },"))
        let host = try job.start()
        try host.until("a status with records") {
            ((job.status()?["records"] as? [String: Any])?["written"] as? Int ?? 0) > 1_000
        }
        let records = try #require(job.status()?["records"] as? [String: Any])
        let read = try #require(records["read"] as? Int)
        let written = try #require(records["written"] as? Int)
        // Four batches for each of four stages, and those between them.
        #expect(read - written <= 50 * 4 * 8, "\(read) read, \(written) written")
        let kilobytes = String(decoding: FileManager.default.contents(atPath: "/proc/\(host.pid)/status") ?? Data(), as: UTF8.self)
            .split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        #expect(try #require(kilobytes) < 64 << 10)
        host.signal(SIGINT)
        #expect(try host.wait(seconds: 20).code == 75)
    }
}
