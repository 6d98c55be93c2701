import Foundation
import Testing

/// A Markdown file of the project, with what in it can be held to account.
struct Document: CustomTestStringConvertible {
    /// What stands between fences.
    struct Block {
        var language: String
        var text: String
        /// The line of the opening fence, from 1.
        var line: Int
    }

    /// What stands between backquotes, in one line.
    struct Span {
        var text: String
        /// The line where its paragraph begins, from 1.
        var line: Int
    }

    /// From the top of the repository.
    let path: String
    let text: String
    private(set) var blocks: [Block] = []
    private(set) var spans: [Span] = []

    var testDescription: String { path }

    /// The documents for users and for those who carry the work on: all but the history.
    static func all() throws -> [Document] { try everything.get() }

    /// Read once: all tests look at all of them.
    private static let everything = Result { try read() }

    private static func read() throws -> [Document] {
        let below = try ["docs", "examples"].flatMap { folder in
            try FileManager.default.subpathsOfDirectory(atPath: Programs.repository + "/" + folder)
                .filter { $0.hasSuffix(".md") && !$0.contains(".build/") }.map { "\(folder)/\($0)" }
        }
        return try (["README.md"] + below).sorted().map { path in
            Document(path: path, text: try String(contentsOfFile: Programs.repository + "/" + path, encoding: .utf8))
        }
    }

    /// Those that have a block in one of the languages.
    static func all(with languages: String...) throws -> [Document] {
        try all().filter { $0.blocks.contains { languages.contains($0.language) } }
    }

    init(path: String, text: String) {
        self.path = path
        self.text = text
        var open: Block?
        var paragraph = (text: "", line: 1)
        func endParagraph(before line: Int) {
            for match in paragraph.text.matches(of: /(`+)(.+?)\1/) {
                spans.append(Span(text: String(match.2), line: paragraph.line))
            }
            paragraph = ("", line + 1)
        }
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let number = index + 1
            if var block = open {
                if line == "```" {
                    blocks.append(block)
                    open = nil
                    paragraph.line = number + 1
                } else {
                    block.text += line + "\n"
                    open = block
                }
            } else if line.hasPrefix("```") {
                endParagraph(before: number)
                open = Block(language: String(line.dropFirst(3)), text: "", line: number)
            } else if line.isEmpty || line.hasPrefix("|") || line.hasPrefix("- ") {
                // A row of a table, or an item of a list, is a paragraph of its own.
                endParagraph(before: number - 1)
                paragraph.text = String(line)
                if line.isEmpty { paragraph.line = number + 1 }
            } else {
                paragraph.text += (paragraph.text.isEmpty ? "" : " ") + line
            }
        }
        endParagraph(before: 0)
    }

    /// Whether there is no heading between two lines.
    func isOneSection(_ first: Int, _ last: Int) -> Bool {
        !text.split(separator: "\n", omittingEmptySubsequences: false)[first..<last].contains { $0.hasPrefix("## ") || $0.hasPrefix("### ") }
    }

    func blocks(in language: String) -> [Block] { blocks.filter { $0.language == language } }
}
