import LinuxIO
import StageCommand
import StageConfig
import StageReport
import StageRuntime

/// `stagehost events JOB`: what happened, as it stands in the job's file of events, or as a line for people.
enum EventsCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        CommandFailure.reported { () throws(CommandFailure) in
            let job = try StoredJob.named(arguments)
            if let stage = arguments.string("stage") { _ = try job.stage(named: stage) }
            var printer = EventPrinter(isJSON: arguments.has("json"), stage: arguments.string("stage"))
            let followed = FollowedFile(job.folder + "/" + JobLayout.events)
            let isFollowing = arguments.has("follow")
            followed.readMore { printer.add($0) }
            printer.flush()
            if isFollowing {
                whileRunning({ JobDirectory.isTaken(job.folder) }) {
                    followed.readMore { printer.add($0) }
                    printer.flush()
                }
            }
            if printer.unreadable > 0 {
                Console.error("\(printer.unreadable) lines of \(JobLayout.events) cannot be read: a host was killed as it wrote them")
            }
            return .complete
        }
    }
}

/// Cuts pieces of text into lines and prints those that are events.
private struct EventPrinter {
    /// Longer lines are none of ours.
    private static let limitBytes = 1 << 20

    let isJSON: Bool
    let stage: String?
    private(set) var unreadable = 0
    private var line: [UInt8] = []
    private var text = ""

    init(isJSON: Bool, stage: String?) {
        self.isJSON = isJSON
        self.stage = stage
    }

    mutating func add(_ piece: [UInt8]) {
        var rest = piece[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if line.count <= Self.limitBytes { line += rest[..<end] }
            take()
            rest = rest[(end + 1)...]
        }
        if line.count <= Self.limitBytes { line += rest }
    }

    mutating func flush() {
        Console.output(text)
        text = ""
    }

    private mutating func take() {
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else { return }
        guard line.count <= Self.limitBytes,
            case .success(let node) = ConfigParser.parse(SourceText(name: JobLayout.events, bytes: line)),
            case .object(let members) = node.content, let event = node["event"]?.string, let at = node["at"]?.string
        else {
            unreadable += 1
            return
        }
        if let stage, node["stage"]?.string != stage { return }
        text += isJSON ? String(decoding: line, as: UTF8.self) : words(at, event, node["stage"]?.string, members)
        text += "\n"
        if text.utf8.count > 65_536 { flush() }
    }

    /// "2026-01-31T12:34:56.789Z  terms  worker_crashed  cause: crash, batch: 3"
    private func words(_ at: String, _ event: String, _ stage: String?, _ members: [ConfigMember]) -> String {
        let facts = members.compactMap { member -> String? in
            if ["at", "event", "stage"].contains(member.key) { return nil }
            if case .null = member.node.content { return nil }
            return "\(member.key): \(member.node.string ?? member.node.plain.json())"
        }
        let head = [at, event.padded(to: 20), (stage ?? "-").padded(to: 12)].joined(separator: "  ")
        return PrintableText.line(head + "  " + facts.joined(separator: ", "), limit: 500)
    }
}
