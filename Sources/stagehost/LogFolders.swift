import LinuxIO
import StageCommand
import StageRuntime
import StageScheduler

/// Which of the logs of a job are there. Hosts begin them all before the first batch, from the source on; so one that is
/// missing beside one with something in it was not forgotten by a host, and must not be begun anew in silence.
enum LogFolders {
    /// No log, or not all, and nothing in those that are there: nothing has happened yet.
    case none
    case all
    /// The folder of a log that should be there.
    case missing(String)

    /// A log that was begun and has no entry yet.
    private static let emptyLogBytes: UInt64 = 192

    init(_ folder: String, _ policies: [StagePolicy]) {
        let logs = policies.enumerated().map { folder + "/" + JobLayout.logFolder($0, $1.name) }
        let sizes = logs.map { log in
            ((try? namesIn(log)) ?? []).filter { $0.hasSuffix(".log") }.map { FileFacts(of: log + "/" + $0)?.bytes ?? 0 }
        }
        guard let first = sizes.firstIndex(where: \.isEmpty) else {
            self = .all
            return
        }
        let isBegun = sizes.contains { $0.count > 1 || $0.contains { $0 > Self.emptyLogBytes } }
        self = isBegun ? .missing(logs[first]) : .none
    }
}

extension CommandFailure {
    init(missingLog folder: String, job: String) {
        self.init(
            "a log of job \"\(job)\" is gone: \(folder)", found: "no log", expected: "one, beside those of the other stages",
            help: "put it back, or start the job over with `stagehost run PIPELINE --fresh`", .damagedData)
    }
}
