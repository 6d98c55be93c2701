import Foundation
import Glibc
import Testing

/// A program in another language as a stage: what becomes of its raising, exiting, sleeping and chattering.
@Suite(.enabled(if: Programs.find("python3") != nil, "needs python3")) struct RunCommandTests {
    private static let script = """
        import json, os, signal, sys, time
        for line in sys.stdin:
            request = json.loads(line)
            record = json.loads(request["value"])
            name = record["id"]
            with open("seen.txt", "a") as seen:
                seen.write(name + "\\n")
            answer = {"id": request["id"]}
            if name == "k000101":
                raise ValueError("no such thing as " + name)
            elif name == "k000202":
                sys.exit(3)
            elif name == "k000303":
                time.sleep(1000)
            elif name == "k000404":
                os.kill(os.getpid(), signal.SIGSEGV)
            elif name == "k000505":
                answer["fail"] = "too long"
            elif name == "k000506":
                attempts = open("seen.txt").read().count(name)
                answer.update({"fail": "busy", "transient": True, "retry_after": 0.05} if attempts < 3 else {"value": attempts})
            elif name == "k000607":
                print("{this is no answer", flush=True)
                continue
            elif name == "k000608":
                pass
            elif name == "k000609":
                answer["emit"] = []
            elif name == "k000610":
                answer["emit"] = [{"key": "a", "value": "one"}, {"value": {"two": 2.50}}, {"base64": "dGhyZWU="}]
                answer["costs"] = {"tokens": 12}
            else:
                answer["value"] = name
            if name == "k000700":
                print("Downloading a model …", flush=True)
            print(json.dumps(answer), flush=True)
        """

    @Test(arguments: [1, 8]) func aProgramThatRaisesExitsAndSleepsOnSomeRecordsCostsNoOthers(_ inFlight: Int) throws {
        let job = try Job(
            1_000,
            Stages.pipeline(
                Stages.read,
                #"{ name: "py", plugin: "run-command", with: { command: ["python3", "stage.py"], in_flight: \#(inFlight) }, timeout: "3s", workers: 2 }"#,
                Stages.write))
        try job.write("stage.py", Self.script)
        let ended = try job.run(seconds: 120)
        #expect(ended.code == 0, "\(ended.output)")
        let letters = try job.letters()
        let dead = ["k000101", "k000202", "k000303", "k000404", "k000505", "k000607", "k000608"]
        #expect(letters.keys.sorted() == dead)
        let categories = dead.map { letters[$0]?["category"] as? String ?? "none" }
        #expect(categories == ["exit", "exit", "timeout", "crash", "permanent", "permanent", "permanent"])
        #expect(letters["k000404"]?["signal"] as? String == "SIGSEGV")
        #expect(letters["k000505"]?["message"] as? String == "too long")
        #expect((letters["k000607"]?["message"] as? String)?.contains("{this is no answer") == true)
        #expect((letters["k000608"]?["message"] as? String)?.contains("found none of value, emit and fail") == true)
        // What Python said about it is part of the evidence.
        #expect("\(letters["k000101"] ?? [:])".contains("no such thing as k000101"))

        let filtered = dead + ["k000609", "k000610"]
        let expected = Set((1...1000).map(Input.key)).subtracting(filtered)
        let lines = job.objects("output.jsonl")
        let values = Dictionary(grouping: lines) { $0["key"] as? String ?? "" }
        #expect(Set(values.keys) == expected.union(["a", "k000610"]))
        #expect(values["a"]?.first?["value"] as? String == "one")
        #expect(values["k000610"]?.count == 2)
        #expect(values["k000506"]?.first?["value"] as? Int == 3)
        // Quick records may be repeated that were answered just before a death; there are two deaths in a batch here.
        let seen = Dictionary(grouping: job.lines("seen.txt")) { $0 }.mapValues(\.count)
        for key in expected.subtracting(["k000506"]) { #expect((1...3).contains(seen[key] ?? 0), "\(key)") }
        let logs = try job.command("logs", "job", "py").output
        #expect(logs.contains("Downloading a model"))
        job.expectNoProcessLeft()
    }

    @Test func theProgramGoesWithItsWorker() throws {
        let job = try Job(
            400,
            Stages.pipeline(
                Stages.read, #"{ name: "py", plugin: "run-command", with: { command: ["python3", "stage.py"] } }"#, Stages.write,
                options: "batch: { records: 10 },"))
        try job.write(
            "stage.py",
            """
            import json, sys, time
            for line in sys.stdin:
                request = json.loads(line)
                time.sleep(0.002)
                print(json.dumps({"id": request["id"], "value": request["value"]}), flush=True)
            """)
        let host = try job.start()
        for round in 1...5 {
            try host.until("some output") { job.lines("output.jsonl").count > round * 20 }
            host.workers().forEach { kill($0, SIGKILL) }
        }
        let ended = try host.wait()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...400).map(Input.key))
        job.expectNoProcessLeft()
    }

    @Test func aProgramThatIsNotThereIsRefusedByName() throws {
        let job = try Job(
            10, Stages.pipeline(Stages.read, #"{ name: "py", plugin: "run-command", with: { command: ["./no-such-program"] } }"#, Stages.write))
        let ended = try job.run()
        #expect(ended.code == 69)
        #expect(ended.output.contains("./no-such-program: cannot be started: No such file or directory; expected a program in PATH"))
    }

    @Test func bytesTravelAsBase64() throws {
        let job = try Job(
            Stages.pipeline(
                #"{ name: "read", plugin: "read-files", with: { glob: "in/*", content: true } }"#,
                #"{ name: "py", plugin: "run-command", with: { command: ["python3", "stage.py"], input: "base64", environment: { GREETING: "hello" } } }"#,
                Stages.write))
        for size in 0..<12 { try job.writeBytes("in/\(size)", (0..<size).map { UInt8(255 - 16 * $0) }) }
        try job.write(
            "stage.py",
            """
            import base64, json, os, sys
            for line in sys.stdin:
                request = json.loads(line)
                value = base64.b64decode(request["base64"], validate=True)
                text = os.environ["GREETING"] + " " + value.hex()
                print(json.dumps({"id": request["id"], "base64": base64.b64encode(text.encode()).decode()}), flush=True)
            """)
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let values = job.objects("output.jsonl").compactMap { $0["value"] as? String }
        let expected = (0..<12).map { size in "hello " + (0..<size).map { String(format: "%02x", 255 - 16 * $0) }.joined() }
        #expect(Set(values) == Set(expected))
    }
}
