import Foundation
import StageConfig
import Testing

private func manual() throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return String(decoding: try Data(contentsOf: root.appendingPathComponent("docs/pipeline-files.md")), as: UTF8.self)
}

@Test func `the example of the manual is a pipeline`() throws {
    let parts = try manual().components(separatedBy: "```")
    let example = try #require(parts.first { $0.hasPrefix("json5\n") }).dropFirst(6)
    let pipeline = try pipeline(String(example))
    #expect(pipeline.stages.map(\.name.value) == ["read", "split", "terms", "write"])
}

@Test func `every key is in the manual, with its default`() throws {
    let text = try manual()
    let pipeline = try pipeline(sample())
    for entry in pipeline.resolved {
        let key = try #require(entry.path.last)
        #expect(text.contains("`\(key)`") || text.contains("`\(entry.key)`"), "\(entry.key) is not in the manual")
    }
}

// Without a time limit: a machine under load must not fail it. Work that grows with the square of the keys would take
// hours, and be seen.
@Test(
    arguments: [
        "budget: {\(many)},", "limits: {\(many)},", "\(many),", "batch: {\(many)},",
        "a: 1, \(String(repeating: "a: 1, ", count: 100_000))",
    ])
func `a hundred thousand keys on one line are answered at once`(top: String) throws {
    let resolution = try resolve(sample(top: top))
    #expect(!resolution.errors.isEmpty && resolution.errors.count <= 21)
}

@Test func `a large configuration of a plugin is taken`() throws {
    let pipeline = try pipeline(sample(source: "with: {\(many)}"))
    #expect(pipeline.resolved.filter { $0.key.hasPrefix("stages.read.with") }.count == 1)
}

private let many = (0..<100_000).map { "k\($0): \($0)" }.joined(separator: ", ")
