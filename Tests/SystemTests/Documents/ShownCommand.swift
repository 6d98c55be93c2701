import Foundation
import Testing

/// A command as a document shows it.
struct ShownCommand {
    var text: String
    /// Where it is shown.
    var place: String
    /// The first one of its block: what it needs is made anew.
    var isFirst: Bool

    /// Every command that a document shows: the lines of its `sh` blocks (one that goes on over several lines, and a loop, as
    /// one), and in the text between, in their order, those that name a built program or compile an example.
    static func all(in document: Document) throws -> [ShownCommand] {
        var found: [(line: Int, command: ShownCommand)] = []
        for block in document.blocks(in: "sh") {
            for (index, text) in try split(block.text, "\(document.path):\(block.line)").enumerated() {
                found.append((block.line, ShownCommand(text: text, place: "\(document.path):\(block.line)", isFirst: index == 0)))
            }
        }
        for span in document.spans where span.text.contains(/^(\.build\/release\/\S+ |(gcc|g\+\+|rustc|python3|sqlite3|swift) .*examples\/)/) {
            // What a block of some page shows as well is run there.
            if span.text.components(separatedBy: " && ").allSatisfy(try inBlocks.get().contains) { continue }
            found.append((span.line, ShownCommand(text: span.text, place: "\(document.path):\(span.line)", isFirst: true)))
        }
        return found.sorted { $0.line < $1.line }.map(\.command)
    }

    /// The text of the `sh` blocks of all pages.
    private static let inBlocks = Result { try Document.all().flatMap { $0.blocks(in: "sh") }.map(\.text).joined() }

    /// Lines go together as long as the shell would ask for more.
    private static func split(_ text: String, _ place: String) throws -> [String] {
        var commands: [String] = []
        var pending = ""
        for line in text.split(separator: "\n") {
            if pending.isEmpty, line.hasPrefix("#") { continue }
            pending += (pending.isEmpty ? "" : "\n") + line
            if try !line.hasSuffix("\\") && Programs.run("/bin/bash", ["-n", "-c", pending]) == (0, "") {
                commands.append(pending)
                pending = ""
            }
        }
        #expect(pending.isEmpty, "\(place): the shell would wait for more after: \(pending)")
        return commands
    }
}
