import Glibc
import LinuxIO
import StageConfig

/// What commands print on the standard output.
enum Screen {
    /// Columns of the terminal; nil when the output goes elsewhere, where nothing need be cut.
    static var width: Int? { terminalSize(STDOUT_FILENO)?.columns }

    static func show(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        Console.output(lines.joined(separator: "\n") + "\n")
    }

    static func show(_ value: JSONValue) { Console.output(value.json(indented: true) + "\n") }
}

