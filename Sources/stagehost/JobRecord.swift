import LinuxIO
import StageConfig
import StageReport
import StageRuntime
import StageScheduler

/// `job.json`: what a job is, beside its resolved pipeline (`pipeline.json`) and its logs. It says how the last run ended,
/// never how far the job is: that is in the logs alone.
struct JobRecord {
    struct PluginUse: Equatable {
        var stage: String
        var name: String
        /// The pipeline's plugin, and its SHA-256.
        var path: String
        var own: String
        /// What the plugin said of itself; nil until it was loaded.
        var version: String?
        /// A build that `stagehost restart` has put in its place for good, and one that is on probation.
        var brought: Brought?
        var trial: Brought?
    }

    var job: String
    var created: String
    /// Random; new when the job starts over.
    var run: String
    var skip: UInt64 = 0
    var limit: UInt64?
    var plugins: [PluginUse] = []
    /// What somebody wanted of a job while no host ran it, for hosts to come.
    enum Wish: String {
        /// None is to run it before `stagehost resume`.
        case pause
        /// None is ever to run it again.
        case stop
    }

    /// nil: to go on whenever somebody runs it.
    var wish: Wish?
    /// How the last run ended; nil while one runs, or after one was killed.
    var endState: String?
    var endMessage: String?
    /// By stage: what had come in and what had failed when too many failures last ended a run.
    var forgiven: [Counts] = []

    static func path(_ folder: String) -> String { folder + "/" + JobLayout.job }
    static func pipelinePath(_ folder: String) -> String { folder + "/pipeline.json" }

    func write(to folder: String, durable: Bool = false) throws(SystemError) {
        let uses = plugins.map {
            JSONValue.object([
                .init("stage", .string($0.stage)), .init("name", .string($0.name)), .init("path", .string($0.path)),
                .init("digest", .string($0.digest)), .init("version", $0.version.map(JSONValue.string) ?? .null),
                .init("own_digest", .string($0.own)), .init("brought", $0.brought?.json ?? .null),
                .init("trial", $0.trial?.json ?? .null),
            ])
        }
        let value = JSONValue.object([
            .init("job", .string(job)), .init("created", .string(created)), .init("run", .string(run)), .init("skip", .count(skip)),
            .init("limit", limit.map(JSONValue.count) ?? .null), .init("plugins", .array(uses)),
            .init(
                "end",
                endState.map {
                    .object([.init("state", .string($0)), .init("message", endMessage.map(JSONValue.string) ?? .null)])
                } ?? .null),
            .init(
                "forgiven",
                .array(
                    forgiven.map {
                        .object([.init("records_in", .count($0.inputs)), .init("failed", .count($0.failed))])
                    })),
            .init("wish", wish.map { .string($0.rawValue) } ?? .null),
        ])
        try writeFileAtomically(Self.path(folder), Array((value.json(indented: true) + "\n").utf8), durable: durable)
    }

    /// Reads a record; nil when there is none, or when it is no such record.
    init?(folder: String) {
        guard let bytes = try? readSmallFile(Self.path(folder)),
            case .success(let root) = ConfigParser.parse(
                SourceText(name: Self.path(folder), text: String(decoding: bytes, as: UTF8.self))),
            let job = root["job"]?.string, let created = root["created"]?.string
        else { return nil }
        self.job = job
        self.created = created
        run = root["run"]?.string ?? ""
        skip = root["skip"]?.count ?? 0
        limit = root["limit"]?.count
        if case .array(let uses) = root["plugins"]?.content {
            plugins = uses.compactMap { use in
                guard let stage = use["stage"]?.string, let name = use["name"]?.string, let path = use["path"]?.string,
                    let digest = use["digest"]?.string
                else { return nil }
                return PluginUse(
                    stage: stage, name: name, path: path, own: use["own_digest"]?.string ?? digest,
                    version: use["version"]?.string, brought: Brought(use["brought"]), trial: Brought(use["trial"]))
            }
        }
        endState = root["end"]?["state"]?.string
        endMessage = root["end"]?["message"]?.string
        if case .array(let stages) = root["forgiven"]?.content {
            forgiven = stages.map { stage in
                var counts = Counts()
                counts.inputs = stage["records_in"]?.count ?? 0
                counts.failed = stage["failed"]?.count ?? 0
                return counts
            }
        }
        wish = root["wish"]?.string.flatMap(Wish.init)
    }

    init(job: String, created: String) {
        self.job = job
        self.created = created
        run = String(UInt64.random(in: .min ... .max), radix: 16)
    }
}

extension ConfigNode {
    fileprivate var count: UInt64? {
        guard case .integer(let value) = content, value >= 0 else { return nil }
        return UInt64(value)
    }
}
