import Glibc
import LinuxIO
import StageCommand
import StageRuntime

/// `stagehost logs JOB STAGE`: what the plugin of a stage wrote to stdout and stderr, as it wrote it.
enum LogsCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            let stage = arguments.argument("STAGE")
            _ = try job.stage(named: stage)
            let followed = FollowedFile(job.folder + "/" + JobLayout.textFile(stage), older: true)
            if let lines = arguments.count("lines") {
                var tail = LineTail(limit: lines)
                followed.readMore { tail.add($0) }
                Console.bytes(tail.bytes)
            } else {
                followed.readMore { Console.bytes($0[...]) }
            }
            if arguments.has("follow") {
                whileRunning({ JobDirectory.isTaken(job.folder) }) { followed.readMore { Console.bytes($0[...]) } }
            }
            return .complete
        }
    }
}

/// The last lines of a text that comes in pieces.
private struct LineTail {
    let limit: Int
    private var text: [UInt8] = []

    init(limit: Int) { self.limit = limit }

    mutating func add(_ piece: [UInt8]) {
        text += piece
        if text.count > 1 << 20 { text = Array(bytes) }
    }

    var bytes: ArraySlice<UInt8> {
        var start = text.endIndex
        var left = limit
        while start > text.startIndex {
            let isBreak = text[start - 1] == UInt8(ascii: "\n") && start < text.endIndex
            if isBreak || start == text.endIndex && left == 0 {
                left -= isBreak ? 1 : 0
                if left <= 0 { break }
            }
            start -= 1
        }
        return text[start...]
    }
}
