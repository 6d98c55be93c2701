import Foundation
import Testing

/// What the commands of the documents assume of the world around them, and the few that a test leaves out.
enum Circumstances {
    /// What must be true of the job that a command names.
    enum Need {
        /// It may, or may not, be there: the command begins it.
        case nothing
        /// It is there, whatever its state.
        case job
        /// It is complete, and has dead letters.
        case letters
        /// A host has it, and will have it for a while.
        case running
        /// It was begun, and no host has it.
        case interrupted
        /// As it is; but where no host has it, it is unfinished.
        case unfinished
    }

    /// Commands that are not run, and why.
    static func reasonNotToRun(_ command: String) -> String? {
        switch command {
        case let text where text.contains(/swift build/): "it builds the project: the programs that are tested were made by it"
        case let text where text.contains(/swift test/): "it is this suite"
        case let text where text.contains(/pgrep|pkill|killall/): "it would find hosts that belong to others"
        default: nil
        }
    }

    /// Programs that not everybody has.
    static let optionalTools = [
        "promtool", "sqlite3", "gdb", "valgrind", "python3", "gcc", "g++", "rustc", "psql", "tmux", "curl", "jq",
    ]

    /// Tools that a command needs and that are not here.
    static func missingTools(for command: String) -> [String] {
        let words = command.split { !$0.isLetter && !$0.isNumber && $0 != "+" && $0 != "_" && $0 != "." }
        return optionalTools.filter { words.contains(Substring($0)) && Programs.find($0) == nil }
            + (command.contains(/postgres|psql|\$bin/) && !hasPostgres ? ["postgresql"] : [])
    }

    private static let hasPostgres: Bool = {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        return versions.contains { FileManager.default.isExecutableFile(atPath: "/usr/lib/postgresql/\($0)/bin/initdb") }
    }()

    /// A PostgreSQL server, and its folder, are not root's.
    static func refusesRoot(_ command: String, of document: Document) -> Bool {
        document.text.contains("refuses to run as root") && command.contains(/mktemp|initdb|pg_ctl/)
    }

    /// The exit code that the page tells of.
    static func exitCode(of command: String) -> Int32 {
        // Letter 17 of the job `index` still kills its worker.
        command.contains(#/stagehost repro /#) && !command.contains("--export") ? 4 : 0
    }

    /// A folder of the system, where a test has nothing to write, and what stands for it.
    static func inBench(_ command: String) -> String {
        command.replacing("/var/lib/prometheus/node-exporter/", with: "node-exporter/")
    }

    /// What one terminal shows while another goes on.
    static func isService(_ command: String) -> Bool { command.hasSuffix("/service.py") }

    static func need(of command: String, at place: String) -> Need {
        // "When no host runs the job", says the page.
        if place.hasPrefix("docs/operations.md"), command.hasPrefix("stagehost restart index terms --plugin") { return .interrupted }
        if command.contains("control.sock") || command.contains(#/^kill /#) { return .running }
        guard let verb = command.firstMatch(of: /stagehost ([a-z]+)/)?.1 else { return .nothing }
        return switch verb {
        case "run", "validate", "config", "plugins", "schema", "completions", "man", "jobs": .nothing
        case "restart", "pause", "watch", "stop": .running
        case "resume": .unfinished
        case "failures", "repro", "retry", "discard": .letters
        default: .job
        }
    }
}
