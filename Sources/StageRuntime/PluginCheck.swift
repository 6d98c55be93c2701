import StageConfig
import StageModel
import StageScheduler

/// Whether the pipeline file asks of each plugin what that plugin offers, found out when its first worker says hello.
///
/// The plugins that a run begins with are judged together, and before any of them is opened: the file is wrong in all its
/// wrong places, and nothing has happened yet. A build that is brought in later is judged alone.
struct PluginCheck {
    private struct Build: Hashable {
        var stage: Int
        var build: Int
    }

    private let kinds: [StageKind]
    private var stages: Int { kinds.count }
    private var judged: [Build: [Diagnostic]] = [:]
    /// The plugins that the run began with, by stage. Another plugin in the place of one is the scheduler's to refuse, whatever
    /// it would think of the configuration.
    private var identifiers: [Int: String] = [:]
    private let objections: (Int, PluginDescription) -> [Diagnostic]

    /// - Parameter kinds: What the places in the pipeline are for. A plugin of another kind is the scheduler's to refuse.
    init(kinds: [StageKind], objections: @escaping (Int, PluginDescription) -> [Diagnostic]) {
        self.kinds = kinds
        self.objections = objections
    }

    /// Everything that is wrong with the plugins that the run began with, stage by stage.
    var found: [Diagnostic] { (0..<stages).flatMap { judged[Build(stage: $0, build: 0)] ?? [] } }

    /// What to tell the scheduler of a worker that has said hello: that it is loaded, or something else instead; nil: nothing.
    mutating func event(for loaded: Event, of worker: WorkerProcess) -> Event? {
        guard let description = worker.reader.identity.description else { return loaded }
        let key = Build(stage: worker.stage, build: worker.build)
        if worker.build == 0 { identifiers[worker.stage] = description.id }
        if let own = identifiers[worker.stage], own != description.id { return loaded }
        if judged[key] == nil {
            let fits = worker.reader.identity.facts?.kind == kinds[worker.stage]
            judged[key] = fits ? objections(worker.stage, description).filter { $0.severity == .error } : []
        }
        let wrong = judged[key] ?? []
        guard worker.build == 0 else {
            guard let first = wrong.first else { return loaded }
            return .refused(worker.id, fatal: true, message: Self.sentence(first))
        }
        guard let first = found.first else { return loaded }
        // The others may have something wrong, too: they are waited for.
        guard (0..<stages).allSatisfy({ judged[Build(stage: $0, build: 0)] != nil }) else {
            return wrong.isEmpty ? loaded : nil
        }
        return .misconfigured(Self.sentence(first))
    }

    private static func sentence(_ problem: Diagnostic) -> String {
        var text = problem.message
        if let found = problem.found { text += ": found \(found)" }
        if let expected = problem.expected { text += ", expected \(expected)" }
        return text
    }
}
