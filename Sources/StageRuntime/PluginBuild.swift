/// One build of a stage's plugin, as the job directory has it.
package struct PluginBuild: Sendable, Equatable {
    /// The job's own copy, as an absolute path.
    package var path: String
    /// SHA-256 of the library.
    package var digest: String
    /// The file that it was copied from.
    package var origin: String
    /// What it says of itself; empty until a worker has loaded it.
    package var version = ""

    package init(path: String, digest: String, origin: String) {
        self.path = path
        self.digest = digest
        self.origin = origin
    }
}

/// What has become of a build that was brought into a running job.
package enum BuildNews: Sendable, Equatable {
    /// It serves, and the one before comes back if it does worse.
    case onProbation
    /// It serves for good.
    case serves
    /// The one before serves again, or went on.
    case sentBack
}
