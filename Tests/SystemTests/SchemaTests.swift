import Foundation
import Testing

/// The schema of pipeline files, judged by somebody else's validator.
@Suite struct SchemaTests {
    private static let python = Programs.find("python3").flatMap { python in
        (try? Programs.run(python, ["-c", "import jsonschema; jsonschema.Draft202012Validator"]))?.code == 0 ? python : nil
    }

    private static let script = #"""
        import json, sys, jsonschema
        schema = json.load(open(sys.argv[1]))
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        pipeline = json.load(open(sys.argv[2]))["pipeline"]
        for error in validator.iter_errors(pipeline): print("refused:", error.json_path, error.message)
        def spoil(place, key, value):
            spoiled = json.loads(json.dumps(pipeline))
            inner = spoiled
            for step in place: inner = inner[step]
            inner[key] = value
            if validator.is_valid(spoiled): print("taken:", place, key, value)
        spoil([], "bacth", 1)
        spoil(["batch"], "records", 0)
        spoil([], "sync", "sometimes")
        spoil(["stages", 0, "with"], "nonsense", 1)
        spoil(["stages", 1], "workers", "many")
        spoil(["stages", 1, "restart"], "within", "soon")
        spoil(["stages", 1, "retry"], "on", ["never"])
        spoil(["stages", 1, "on"], "SIGNONE", "stop")
        spoil(["limits", "api"], "speed", 1)
        """#

    @Test(.enabled(if: python != nil, "python3 with jsonschema is not here (Debian's python3-jsonschema): the schema is not tried"))
    func theSchemaTakesWhatRunsAndRefusesWhatDoesNot() throws {
        let job = try Job(
            10,
            Stages.pipeline(
                Stages.read,
                Stages.misbehave(
                    "", #"timeout: "0", memory: "1GiB", retry: { backoff: "1.5s" }, on: { SIGSEGV: "stop" }, workers: 2, limit: "api""#, name: "pass"),
                Stages.write,
                options: #"$schema: "./x.json", limits: { api: { concurrency: 1000 } }, budget: { cents: 5 }, progress_interval: "2s", sync: "batch","#))
        #expect(try job.run().code == 0)
        let schema = try job.command("schema")
        #expect(schema.code == 0)
        try job.write("schema.json", schema.output)
        try job.write("check.py", Self.script)
        let checked = try Programs.run(
            try #require(Self.python), [job.path("check.py"), job.path("schema.json"), job.path(".stagehost/job/pipeline.json")])
        #expect(checked.code == 0 && checked.output.isEmpty, "\(checked.output)")
    }
}
