/// Where things are in a job directory; `docs/job-directory.md` explains them.
package enum JobLayout {
    package static let lock = "lock"
    package static let job = "job.json"
    package static let logs = "logs"
    package static let plugins = "plugins"
    package static let pages = "pages"
    /// Among the pages.
    package static let hostMark = "host"
    package static let attempts = "attempts.json"
    package static let text = "text"
    package static let events = "events.jsonl"
    package static let letters = "letters"
    /// Below `logs`.
    package static let ledger = "ledger"
    package static let status = "status.json"
    package static let history = "history.json"
    package static let report = "report.json"
    package static let reportPage = "report.html"

    /// The folder of a stage's log, below `logs`.
    package static func logFolder(_ index: Int, _ name: String) -> String {
        let number = String(index)
        return String(repeating: "0", count: max(0, 2 - number.count)) + number + "-" + name
    }

    package static func textFile(_ name: String) -> String { text + "/" + name + ".log" }
}
