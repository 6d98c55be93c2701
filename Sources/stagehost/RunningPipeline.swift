import LinuxIO
import StageConfig
import StageReport

/// The pipeline of a job that runs here, as it is now: its file may be changed, and read again.
final class RunningPipeline {
    private(set) var pipeline: Pipeline
    private let file: String
    private let kept: String
    /// What plugins have said of themselves, by stage.
    private var plugins: [Int: [PluginDescription]] = [:]

    /// - Parameters:
    ///   - file: The path of the pipeline file.
    ///   - kept: Where the job keeps its pipeline.
    init(_ pipeline: Pipeline, file: String, kept: String) {
        self.pipeline = pipeline
        self.file = file
        self.kept = kept
    }

    /// What is wrong with using a plugin that says this of itself.
    func check(_ description: PluginDescription, forStageAt stage: Int) -> [Diagnostic] {
        plugins[stage, default: []].append(description)
        return pipeline.check(description, forStageAt: stage)
    }

    /// Reads the file again, tells what becomes of it, and keeps it for later runs.
    ///
    /// - Returns: What is to hold from now on; nil: nothing else than before.
    func reread(_ display: RunDisplay, _ events: EventFile) -> Pipeline? {
        let outcome: PipelineReread
        switch PipelineFile.read(file) {
        case .failure(let problem): outcome = .refused("the file cannot be read", [problem.diagnostic])
        case .success(let read): outcome = pipeline.reread(read.source) { plugins[$0] ?? [] }
        }
        switch outcome {
        case .same:
            events.write("policy_changed", [.init("changes", .array([]))])
            display.say("\(file) was read again: nothing in it has changed")
            return nil
        case .refused(let reason, let diagnostics):
            refuse(reason, diagnostics, display, events)
            return nil
        case .changed(let new, let changes):
            do throws(SystemError) {
                try writeFileAtomically(kept, Array(new.document.utf8), durable: false)
            } catch {
                refuse("\(error)", [], display, events)
                return nil
            }
            pipeline = new
            events.write("policy_changed", [.init("changes", .array(changes.map(\.json)))])
            display.say("\(file) was read again: \(changes.map(\.words).joined(separator: ", "))")
            return new
        }
    }

    private func refuse(_ reason: String, _ diagnostics: [Diagnostic], _ display: RunDisplay, _ events: EventFile) {
        let first = diagnostics.first.map { problem in
            (problem.line.map { "line \($0): " } ?? "") + PrintableText.line(problem.message)
        }
        events.write(
            "policy_refused", [.init("reason", .string(reason)), .init("message", first.map(JSONValue.string) ?? .null)])
        let details = diagnostics.map { "\n" + $0.rendered() }.joined()
        display.complain("\(file) was read again, and nothing of it is taken over: \(reason)\(details)")
    }
}
