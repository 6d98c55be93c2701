import StageCommand
import StageRuntime

/// The builds that `stagehost restart` has brought into a job: a later run goes on with them, as long as the pipeline's own plugin
/// is the one that they took the place of.
struct RememberedBuilds {
    let job: String
    /// What there is to say about them.
    private(set) var notes: [String] = []

    init(job: String) { self.job = job }

    /// Lets a stage begin with the builds that an earlier run, or a command, has left for it.
    ///
    /// - Parameter old: What the job's record says of the stage.
    mutating func apply(
        _ old: JobRecord.PluginUse, to use: inout JobRecord.PluginUse, _ stage: inout StageSetup,
        _ directory: borrowing JobDirectory
    ) throws(CommandFailure) {
        guard let remark = old.remark else { return }
        guard old.own == use.own else {
            notes.append(
                "stage \"\(use.stage)\": the pipeline's plugin has changed (\(use.own.prefix(12)) from \(use.path)) and is used; forgotten is \(remark)")
            return
        }
        if let brought = old.brought {
            stage.build = try copy(of: brought, use, directory)
            use.brought = brought
        }
        if let trial = old.trial {
            stage.trial = try copy(of: trial, use, directory)
            use.trial = trial
        }
        notes.append(
            "stage \"\(use.stage)\": goes on with \(remark); `stagehost restart \(job) \(use.stage) --plugin \(use.path)` goes back to the pipeline's")
    }

    private func copy(
        of brought: JobRecord.Brought, _ use: JobRecord.PluginUse, _ directory: borrowing JobDirectory
    ) throws(CommandFailure) -> PluginBuild {
        if let build = directory.keptBuild(digest: brought.digest, origin: brought.path) { return build }
        throw CommandFailure(
            "stage \"\(use.stage)\": the job's copy of the build that `stagehost restart` brought in is damaged or gone",
            expected: JobDirectory.copyPath(digest: brought.digest, of: brought.path, in: directory.path),
            help: "`stagehost restart \(job) \(use.stage) --plugin FILE` brings it in again, and with FILE = \(use.path) goes back to the pipeline's",
            .pluginRefused)
    }
}
