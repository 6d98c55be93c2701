package import StageConfig
package import StageScheduler

/// What the runtime needs to know of one stage, beside its policy.
package struct StageSetup: Sendable {
    package var policy: StagePolicy
    /// The build of its plugin to begin with.
    package var build: PluginBuild
    /// Another build, which serves at once and is on probation: `build` comes back if it does worse.
    package var trial: PluginBuild?
    /// The `with` object as JSON text.
    package var configuration: String
    /// A core is wanted of workers that crash or hang.
    package var dumpsCore = false

    package init(policy: StagePolicy, build: PluginBuild, trial: PluginBuild? = nil, configuration: String) {
        self.policy = policy
        self.build = build
        self.trial = trial
        self.configuration = configuration
    }
}

/// Everything that a run needs: made by the command line from a pipeline file.
package struct HostSetup {
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
    /// What is wrong with using a plugin that says this of itself for the stage of that number; asked once for each build,
    /// before anything is opened.
    package var objections: (_ stage: Int, PluginDescription) -> [Diagnostic] = { _, _ in [] }
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
    /// Another build serves a stage, or does no longer. Comes before whoever asked for it gets an answer.
    func changed(stage: Int, _ build: PluginBuild, _ news: BuildNews)
    /// About ten times a second, and once at the end.
    func ticked(_ status: @autoclosure () -> JobStatus, isLast: Bool)
    /// The status as one JSON object in one line, for the control socket.
    func statusLine(_ status: JobStatus) -> String
    /// Somebody has asked, by a signal, to be shown the status.
    func show(_ status: JobStatus)
    /// Somebody has asked for other numbers, by a signal: what is to hold from now on; nil: what holds already.
    func policyWanted() -> JobPolicy?
    /// Somebody has asked for a pause, which is to outlive the host, or for its end.
    func paused(_ isPaused: Bool)
}

extension StageSetup {
    /// What a worker of the stage does to itself before it loads anything: entries of its environment.
    var limits: [String] {
        var entries: [String] = []
        if dumpsCore { entries.append("STAGEHOST_CORE=1") }
        if let memory = policy.memoryBytes {
            // Memory is looked at ten times a second. In between a plugin may take as much again, and no more; what
            // allocators and thread stacks set aside without using it has room, too.
            let room = UInt64(256 << 20) + UInt64(policy.threads) * (16 << 20)
            let (bytes, overflow) = memory.multipliedReportingOverflow(by: 2)
            if !overflow { entries.append("STAGEHOST_DATA_LIMIT=\(bytes.addingReportingOverflow(room).partialValue)") }
        }
        return entries
    }
}
