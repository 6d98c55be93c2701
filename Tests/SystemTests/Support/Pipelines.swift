import Foundation

/// Stages that most tests build their pipelines from.
enum Stages {
    static let read = #"{ name: "read", plugin: "read-lines", with: { path: "input.jsonl", key: "/id" } }"#
    static let write = #"{ name: "write", plugin: "write-lines", with: { path: "output.jsonl", format: "json" } }"#

    /// A `misbehave` stage.
    static func misbehave(_ with: String, _ options: String = "", name: String = "trouble") -> String {
        #"{ name: "\#(name)", plugin: "misbehave", with: { \#(with) }, \#(options) }"#
    }

    /// A pipeline called "job".
    static func pipeline(_ stages: String..., options: String = "") -> String {
        "{ name: \"job\", \(options) stages: [\n" + stages.joined(separator: ",\n") + "\n] }"
    }
}

extension Job {
    /// A job over `records` lines of input.
    convenience init(_ records: Int, _ pipeline: String, in parent: String? = nil) throws {
        try self.init(pipeline, in: parent)
        try write("input.jsonl", Input.lines(records))
    }

    /// The keys of the output, in order.
    func outputKeys() -> [String] {
        lines("output.jsonl").compactMap { line in
            line.range(of: "\"key\":\"").map { String(line[$0.upperBound...].prefix(7)) }
        }
    }
}

extension Job {
    func writeBytes(_ name: String, _ bytes: [UInt8]) throws {
        try write(name, "")
        try Data(bytes).write(to: URL(filePath: path(name)))
    }
}
