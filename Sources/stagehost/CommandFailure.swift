import LinuxIO
import StageCommand
import StageConfig
import StageLog

/// Why a command cannot do what it was asked: the words for it, and the exit code.
struct CommandFailure: Error {
    var text: String
    var code: ExitCode

    init(_ message: String, found: String? = nil, expected: String? = nil, help: String? = nil, _ code: ExitCode) {
        text = "error: \(message)"
        for (label, words) in [("found", found), ("expected", expected), ("help", help)] {
            if let words { text += "\n = \(label): \(words)" }
        }
        self.code = code
    }

    init(_ error: LogError, job: String) {
        switch error.code {
        case .damaged, .foreign, .unsupported, .missing: code = .damagedData
        default: code = .inputOutput
        }
        let place = error.offset.map { " at byte \($0)" } ?? ""
        text =
            "error: a log of job \"\(job)\" is damaged: \(error.file)\(place)\n = found: \(error.found)\n = expected: \(error.expected)\n = help: `stagehost verify \(job)` shows what is whole; `--repair` keeps every whole entry"
        if code == .inputOutput { text = "error: \(error)" }
    }

    init(rendered problems: [Diagnostic], _ code: ExitCode) {
        text = problems.map { $0.rendered() }.joined(separator: "\n")
        self.code = code
    }

    /// Runs a command's body; a failure is said and becomes the exit code.
    static func reported(_ body: () throws(CommandFailure) -> ExitCode) -> ExitCode {
        do throws(CommandFailure) {
            return try body()
        } catch {
            Console.error(error.text)
            return error.code
        }
    }
}

/// Runs something that touches the file system; its failure is one to create or write.
func orFail<Value: ~Copyable>(_ subject: String, _ body: () throws(SystemError) -> Value) throws(CommandFailure) -> Value {
    do throws(SystemError) { return try body() } catch { throw CommandFailure("\(error)", .cannotCreate) }
}
