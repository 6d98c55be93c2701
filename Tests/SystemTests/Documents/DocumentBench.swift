import Foundation
import LinuxIO
import Testing

/// A folder in which the commands of a document find what the document takes for granted: the examples and documents, the programs
/// in `.build/release` and on PATH, the pipeline `index.json5` of a job that has dead letters, and what the page itself shows.
final class DocumentBench {
    let job: Job
    private let document: Document
    /// Hosts and services that were begun in the background.
    private var background: [String: Host] = [:]
    private var prepared: Set<String> = []
    /// Jobs that the page itself has left running, with `&`.
    private var runningByThePage: Set<String> = []

    init(_ document: Document) throws {
        self.document = document
        job = try Job("{}")
        job.environment["TMPDIR"] = job.folder
        job.environment["PATH"] = job.path(".build/release") + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
        let files = FileManager.default
        for folder in [".build", "build", "examples", "node-exporter", ".config/fish/completions"] {
            try files.createDirectory(atPath: job.path(folder), withIntermediateDirectories: true)
        }
        try files.createSymbolicLink(atPath: job.path(".build/release"), withDestinationPath: Programs.folder)
        for folder in ["Sources", "Plugins", "Tests"] {
            try files.createSymbolicLink(atPath: job.path(folder), withDestinationPath: Programs.repository + "/" + folder)
        }
        try files.copyItem(atPath: Programs.repository + "/docs", toPath: job.path("docs"))
        for name in [".variables", ".variables-refused"] {
            try job.write(name, "")
            try files.setAttributes([.posixPermissions: 0o666], ofItemAtPath: job.path(name))
        }
        try files.setAttributes([.posixPermissions: 0o777], ofItemAtPath: job.folder)
        try copyExamples()
        if document.text.contains(/\bindex\.json5|stagehost \w+ index\b|\.stagehost\/index\//) { try addIndex() }
        try add(shownBy: document)
    }

    deinit { background.removeAll() }

    /// Without what somebody's runs and builds have left in the folders.
    private func copyExamples() throws {
        let top = Programs.repository + "/examples"
        let names = try FileManager.default.subpathsOfDirectory(atPath: top).filter { !$0.contains(/(^|\/)(out|\.build|\.stagehost)/) }
        for name in names.sorted() {
            if (try? FileManager.default.contentsOfDirectory(atPath: top + "/" + name)) != nil {
                try FileManager.default.createDirectory(atPath: job.path("examples/" + name), withIntermediateDirectories: true)
            } else {
                try FileManager.default.copyItem(atPath: top + "/" + name, toPath: job.path("examples/" + name))
            }
        }
    }

    // MARK: - The job `index`

    /// Its plugin of the stage `terms` is broken: letters 1 to 16 failed, some for now and some for good, 17 and 18 kill the worker.
    /// Two repaired builds are there.
    private func addIndex() throws {
        try job.write(
            "index.json5",
            """
            {
              name: "index",
              batch: { records: 20 },
              stages: [
                { name: "read", plugin: "read-lines", with: { path: "input.jsonl", key: "/id" } },
                { name: "terms", plugin: "count-terms", with: { top: 10, field: "/text" },
                  retry: { attempts: 2, backoff: "1ms" }, restart: { max: 1000, backoff: "1ms" } },
                { name: "write", plugin: "write-lines", with: { path: "out/terms.jsonl", format: "json" } },
              ],
            }
            """)
        try job.write("input.jsonl", (0..<600).map { "{\"id\":\"paper-\($0)\",\"text\":\"the quick brown fox\"}\n" }.joined())
        let broken = try Compiled.plugin(
            "count-terms", "#include <signal.h>", flags: "STAGE_FLAG_RECORD_BY_RECORD",
            process: """
                for (uint32_t i = 0; i < batch->count; i++) {
                  const stage_record *record = &batch->records[i];
                  output->begin(output, i);
                  if (record->id == 100 || record->id == 101) raise(SIGSEGV);
                  if (record->id < 32 && record->id % 4 == 1) output->fail(output, i, STAGE_FAILURE_PERMANENT, stage_text("no threes"), 0);
                  else if (record->id < 32 && record->id % 4 == 2) output->fail(output, i, STAGE_FAILURE_TRANSIENT, stage_text("busy"), 0);
                  else output->emit(output, i, record->key, record->value);
                  output->done(output, i);
                }
                """)
        guard let broken else { return }
        try FileManager.default.createDirectory(atPath: job.path("plugins"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: broken.path, toPath: job.path("plugins/libstage-count-terms.so"))
        try addRepaired("libstage-terms.so")
    }

    /// A build of count-terms that works, and is not the one beside the programs.
    private func addRepaired(_ name: String) throws {
        let library = try Data(contentsOf: URL(filePath: Programs.folder + "/libstage-count-terms.so"))
        try (library + Data("another build".utf8)).write(to: URL(filePath: job.path(name)))
    }

    // MARK: - What the page shows

    /// Whole pipelines as `NAME.json5`, plugins in C as `ID.c`.
    private func add(shownBy document: Document) throws {
        for block in document.blocks(in: "json5") where block.text.contains("stages:") {
            guard let name = block.text.firstMatch(of: /name: "([^"]+)"/)?.1, pipelines()[String(name)] == nil else { continue }
            try job.write("\(name).json5", block.text)
        }
        for block in document.blocks(in: "c") {
            guard let id = block.text.firstMatch(of: /\.id = "([^"]+)"/)?.1 else { continue }
            try job.write("\(id).c", block.text)
        }
        try addRepaired("build/libstage-count-terms.so")
    }

    /// The pipeline files that are here, by the names of their jobs.
    private func pipelines() -> [String: String] {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: job.folder)) ?? []
        let pairs = names.filter { $0.hasSuffix(".json5") && !$0.contains("/.") }.sorted().compactMap { file in
            String(decoding: job.data(file), as: UTF8.self).firstMatch(of: /\n  name: "([^"]+)"/).map { (String($0.1), file) }
        }
        return Dictionary(pairs) { first, _ in first }
    }

    // MARK: - Commands

    /// Makes true what a command takes for granted, and runs it.
    ///
    /// - Returns: nil for a service, which is begun and left running.
    func run(_ command: ShownCommand) throws -> Ended? {
        let text = Circumstances.inBench(command.text)
        if Circumstances.isService(text) { return try begin(service: text) }
        try prepare(command)
        // What people have in their own folders goes into this one; zsh has a list of some more.
        let home = text.contains("~/") ? "HOME=$PWD; " : ""
        let zsh = text.contains("fpath") ? "fpath=('' \"$PWD\"); " : ""
        // A page is typed into one shell: what it sets stays set.
        let line = """
            . ./.variables 2> .variables-refused
            \(home)\(zsh)\(text)
            code=$?
            declare -p | grep -vE '^declare -[A-Za-z]*r|^declare -[^ ]+ (HOME|fpath|code|_)=' > .variables
            exit $code
            """
        return try job.shell(line, asNobody: Circumstances.refusesRoot(text, of: document)).wait(seconds: 120)
    }

    /// What all commands have said so far, also those that are still running.
    var output: String {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: job.folder)) ?? []
        return names.filter { $0.hasPrefix(".output-") }.map { String(decoding: job.data($0), as: UTF8.self) }.joined(separator: "\n")
    }

    /// - Returns: How it ended, if it could not begin: its port is taken.
    private func begin(service: String) throws -> Ended? {
        let host = try job.shell("exec " + service)
        background[service] = host
        let patience = Patience(seconds: 30)
        while !host.output.contains("listening") {
            if host.hasEnded(within: 3) { return try host.wait() }
            guard patience.lasts else { throw Overdue(what: "the service", seconds: 30, output: host.output) }
        }
        return nil
    }

    private func prepare(_ command: ShownCommand) throws {
        if command.isFirst { prepared = [] }
        let pipelines = pipelines()
        let words = command.text.split { $0.isWhitespace || $0 == "/" }.map(String.init)
        if command.text.contains("stagehost run "), let file = pipelines.first(where: { command.text.contains($0.value) }) {
            prepared.insert(file.key)
            if command.text.hasSuffix("&") { runningByThePage.insert(file.key) }
            // A job that this bench has begun for its own ends is not in the way of a `run`.
            if background.removeValue(forKey: file.key) != nil {
                try FileManager.default.removeItem(atPath: job.path(".stagehost/" + file.key))
            }
        }
        guard let name = words.first(where: { pipelines[$0] != nil }), let file = pipelines[name] else { return }
        if runningByThePage.contains(name) { return try waitForThePage(name) }
        switch Circumstances.need(of: command.text, at: command.place) {
        case .nothing: break
        case .job: if state(of: name) == nil { try complete(name, file) }
        case .letters:
            // Those of `index` are made anew: the page may have tried them again, or given them up.
            if state(of: name) == nil || (name == "index" && prepared.insert(name).inserted) { try complete(name, file) }
        case .running: try start(name, file)
        case .interrupted: try interrupt(name, file)
        case .unfinished: if prepared.insert(name).inserted { try interrupt(name, file) }
        }
        prepared.insert(name)
    }

    private func state(of name: String) -> String? { job.status(of: name)?["state"] as? String }

    /// Until the job of the page waits for somebody, or is over: what a page shows next is how it stands then.
    private func waitForThePage(_ name: String) throws {
        let patience = Patience(seconds: 30)
        while !["holding", "complete", "failed"].contains(state(of: name)) {
            guard patience.lasts else { throw Overdue(what: "the job \(name) of the page", seconds: 30, output: state(of: name) ?? "none") }
            patience.rest()
        }
    }

    private func complete(_ name: String, _ file: String) throws {
        background[name] = nil
        let ended = try job.command("run", file, "--fresh")
        try #require(ended.code == 0, "\(name): \(ended.output)")
    }

    /// A host that takes some seconds, in small batches.
    private func start(_ name: String, _ file: String) throws {
        background[name] = nil
        // So that nobody takes the status of an earlier run for that of this one.
        try? FileManager.default.removeItem(atPath: job.path(".stagehost/" + name))
        let rate = name == "index" ? 300 : 100
        let host = try job.begin(
            "run", file, "--set", "batch.records=1", "--set", "stages.terms.rate.records_per_second=\(rate)")
        background[name] = host
        try host.until("the first results of \(name)") {
            (job.status(of: name)?["records"] as? [String: Any])?["written"] as? Int ?? 0 > 0
        }
    }

    private func interrupt(_ name: String, _ file: String) throws {
        try start(name, file)
        background[name]?.signal(SIGINT)
        let ended = try background[name]?.wait()
        try #require(ended?.code == 75, "\(ended?.output ?? "")")
    }
}
