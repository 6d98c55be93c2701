package import StageScheduler

/// What the runtime needs to know of one stage, beside its policy.
package struct StageSetup: Sendable {
    package var policy: StagePolicy
    /// The library, as an absolute path.
    package var plugin: String
    /// SHA-256 of the library.
    package var digest: String
    /// The `with` object as JSON text.
    package var configuration: String

    package init(policy: StagePolicy, plugin: String, digest: String, configuration: String) {
        self.policy = policy
        self.plugin = plugin
        self.digest = digest
        self.configuration = configuration
    }
}

/// Everything that a run needs: made by the command line from a pipeline file.
package struct HostSetup: Sendable {
    package var job: String
    package var policy: JobPolicy
    package var stages: [StageSetup]
    /// The working directory of the workers: the folder of the pipeline file.
    package var folder: String
    package var jobFolder: String
    /// The worker program, as an absolute path.
    package var workerProgram: String
    /// Names this run of the job, from its beginning to its completion, across hosts: `STAGEHOST_RUN` in the workers.
    package var runIdentity = ""
    /// Log segments are kept after they are done with.
    package var keepsLogs = false
    /// The observer wants to know of each record whether something was emitted for it.
    package var tellsEveryRecord = false

    package init(
        job: String, policy: JobPolicy, stages: [StageSetup], folder: String, jobFolder: String, workerProgram: String
    ) {
        self.job = job
        self.policy = policy
        self.stages = stages
        self.folder = folder
        self.jobFolder = jobFolder
        self.workerProgram = workerProgram
    }
}

/// Who wants to know how a run goes. Called on the host's thread; must not wait for anything.
package protocol HostObserver: AnyObject {
    func noted(_ note: Note)
    /// About ten times a second, and once at the end.
    func ticked(_ status: @autoclosure () -> JobStatus, isLast: Bool)
    /// The status as one JSON object in one line, for the control socket.
    func statusLine(_ status: JobStatus) -> String
}

/// A signal that the host was sent.
package enum HostSignal: Sendable {
    case interrupt, showStatus
}
