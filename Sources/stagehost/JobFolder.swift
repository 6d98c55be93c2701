import LinuxIO
import StageCommand
import StageConfig
import StageRuntime

/// Where jobs are: a folder each, below the state directory.
enum JobFolder {
    static func isValidName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 100 && name.first != "."
            && name.unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "-" || $0 == "_" || $0 == "."
            }
    }

    static func path(_ job: String, _ arguments: ParsedCommand) -> String {
        stateDirectory(arguments) + "/" + job
    }

    static func stateDirectory(_ arguments: ParsedCommand) -> String {
        let state = arguments.stateDirectory(environment: Surroundings.environment)
        return state.hasPrefix("/") ? state : currentFolder() + "/" + state
    }

    /// Whether a folder is a job's: it has a record or logs.
    static func isJob(_ folder: String) -> Bool {
        fileExists(JobRecord.path(folder)) || FileFacts(of: folder + "/" + JobLayout.logs)?.isFolder ?? false
    }

    /// The names of all jobs, sorted.
    static func names(in stateDirectory: String) -> [String] {
        ((try? namesIn(stateDirectory)) ?? []).filter { isValidName($0) && isJob(stateDirectory + "/" + $0) }
    }

    /// The folder of a job that is there.
    static func existing(_ job: String, _ arguments: ParsedCommand) throws(CommandFailure) -> String {
        let state = stateDirectory(arguments)
        if isValidName(job), isJob(state + "/" + job) { return state + "/" + job }
        let names = names(in: state)
        let listed = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
        throw CommandFailure(
            "there is no job \"\(job)\" in \(state)",
            found: names.isEmpty ? "no jobs" : listed, expected: "the name of a job",
            help: Suggestion.question(for: job, among: names)
                ?? "`stagehost jobs` lists them; --state-dir names another folder", .noInput)
    }
}
