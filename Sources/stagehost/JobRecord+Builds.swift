import StageConfig
import StageReport
import StageRuntime

extension JobRecord {
    /// A build of a plugin that `stagehost restart` has brought into the job.
    struct Brought: Equatable {
        /// The file that it was copied from.
        var path: String
        var digest: String
        var at: String

        init(_ build: PluginBuild) {
            path = build.origin
            digest = build.digest
            at = Timestamp.now()
        }

        init?(_ node: ConfigNode?) {
            guard let path = node?["path"]?.string, let digest = node?["digest"]?.string, let at = node?["at"]?.string else {
                return nil
            }
            self.path = path
            self.digest = digest
            self.at = at
        }

        var json: JSONValue {
            .object([.init("path", .string(path)), .init("digest", .string(digest)), .init("at", .string(at))])
        }
    }
}

extension JobRecord.PluginUse {
    private var latest: JobRecord.Brought? { trial ?? brought }

    /// SHA-256 of the build that serves the stage, or is to serve it.
    var digest: String { latest?.digest ?? own }

    /// The file that this build was copied from.
    var file: String { latest?.path ?? path }

    /// For programs: where this build came from.
    var origin: String { trial != nil ? "probation" : brought != nil ? "restart" : "pipeline" }

    /// For people; nil when there is nothing to say.
    var remark: String? {
        guard let latest else { return nil }
        let state = trial != nil ? ", on probation" : ""
        return "build \(latest.digest.prefix(12)) from \(latest.path), by `stagehost restart`\(state)"
    }

    /// The next run is to begin with a build.
    ///
    /// - Returns: What that is, in words.
    mutating func begin(with build: PluginBuild, _ newVersion: String) -> String {
        version = newVersion
        trial = nil
        if build.digest == own {
            brought = nil
            return "the pipeline's own plugin"
        }
        if build.digest != brought?.digest { trial = JobRecord.Brought(build) }
        return remark ?? ""
    }

    /// Another build serves, or does no longer.
    mutating func take(_ build: PluginBuild, _ news: BuildNews) {
        switch news {
        case .onProbation: trial = JobRecord.Brought(build)
        case .serves:
            brought = build.digest == own ? nil : JobRecord.Brought(build)
            trial = nil
        case .sentBack: trial = nil
        }
        version = build.version.isEmpty ? nil : build.version
    }
}
