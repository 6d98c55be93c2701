/// A resolved pipeline as text, so that a job can be taken up again exactly as it was decided.
extension Pipeline {
    private static let documentFormat: Int64 = 1

    /// Strict JSON: the pipeline as a file with every value written out, the folder of its relative paths, and where
    /// each value that is no default came from.
    package var document: String {
        var tree = ConfigTree()
        for entry in resolved { tree.insert(entry.value, at: entry.path[...]) }
        let origins = resolved.filter { $0.origin != .default }
        return JSONValue.object([
            .init("format", .integer(Self.documentFormat)),
            .init("file", .string(file)),
            .init("directory", .string(directory)),
            .init("pipeline", tree.value(depth: 0)),
            .init("origins", .object(origins.map { .init($0.key, .string($0.origin.text)) })),
        ]).json(indented: true) + "\n"
    }

    /// Reads back what `document` wrote. `name` is what diagnostics call the text.
    package static func read(document text: String, name: String) -> Resolution {
        let source = SourceText(name: name, text: text)
        let root: ConfigNode
        switch ConfigParser.parse(source, limits: .ownDocument) {
        case .failure(let problems): return Resolution(pipeline: nil, diagnostics: problems.all)
        case .success(let node): root = node
        }
        guard case .integer(documentFormat) = root["format"]?.content, let file = root["file"]?.string,
            let directory = root["directory"]?.string, let pipeline = root["pipeline"]
        else {
            let problem = Diagnostic(
                "this is no resolved pipeline", at: root.place, found: "format \(root["format"]?.found ?? "missing")",
                expected: "format \(documentFormat), file, directory and pipeline",
                help: "start the job over with --fresh")
            return Resolution(pipeline: nil, diagnostics: [problem])
        }
        var recorded: [String: Origin] = [:]
        if case .object(let members) = root["origins"]?.content {
            for member in members { recorded[member.key] = member.node.string.flatMap(Origin.init(text:)) }
        }
        let readBack = resolve(pipeline, file: file, directory: directory, recordedOrigins: recorded)
        guard var result = readBack.pipeline else { return readBack }
        // What was a default when the job began is one still, though it stands in the document.
        for index in result.resolved.indices where recorded[result.resolved[index].key] == nil {
            result.resolved[index].origin = .default
        }
        return Resolution(pipeline: result, diagnostics: readBack.diagnostics)
    }
}

/// Paths and values, put together into one value again.
private struct ConfigTree {
    private var keys: [String] = []
    private var children: [String: ConfigTree] = [:]
    private var leaf: JSONValue?

    mutating func insert(_ value: JSONValue, at path: ArraySlice<String>) {
        guard let key = path.first else {
            leaf = value
            return
        }
        if children[key] == nil { keys.append(key) }
        children[key, default: ConfigTree()].insert(value, at: path.dropFirst())
    }

    /// An object; the stages of the top level are an array, since their order counts.
    func value(depth: Int, isStages: Bool = false) -> JSONValue {
        if let leaf { return leaf }
        let members = keys.compactMap { key in
            children[key].map { child in
                JSONValue.Member(key, child.value(depth: depth + 1, isStages: depth == 0 && key == "stages"))
            }
        }
        return isStages ? .array(members.map(\.value)) : .object(members)
    }
}
