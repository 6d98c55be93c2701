/// A value from the command line that stands above file and environment.
package struct Override: Sendable, Equatable {
    package var key: String
    package var value: String
    /// The flag as it was typed, for diagnostics and origins.
    package var flag: String

    /// A flag that stands for one key: `Override(key: "time_limit", value: "55m", flag: "--time-limit 55m")`.
    package init(key: String, value: String, flag: String) {
        self.key = key
        self.value = value
        self.flag = flag
    }

    /// The text after `--set`: `stages.terms.workers=4`.
    package init(assignment: String) throws(Diagnostic) {
        let flag = "--set \(assignment)"
        guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else {
            throw Diagnostic(
                "\"\(assignment)\" is no setting",
                at: Place(SourceText(kind: .flag, name: "command line", text: flag), 6..<flag.utf8.count),
                expected: "KEY=VALUE", help: "write --set stages.NAME.workers=4")
        }
        self.init(
            key: String(assignment[..<equals]), value: String(assignment[assignment.index(after: equals)...]),
            flag: flag)
    }

    private var source: SourceText { SourceText(kind: .flag, name: "command line", text: flag) }

    /// The value, with its place in the flag: it stands at the end, or nowhere in a flag that takes no value.
    private var node: ConfigNode {
        let source = source
        if flag.hasSuffix(value) { return .typed(in: source, from: source.bytes.count - value.utf8.count) }
        let place = Place(source, 0..<source.bytes.count)
        let typed = ConfigNode.typed(in: SourceText(kind: .flag, name: source.name, text: value), from: 0)
        return ConfigNode(typed.content, at: place)
    }

    private var keyPlace: Place {
        let start = flag.hasPrefix("--set ") ? 6 : 0
        return Place(source, start..<start + max(1, key.utf8.count))
    }

    /// The tree with the value put in its place.
    func applied(to root: ConfigNode) throws(Diagnostic) -> ConfigNode {
        let steps = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !steps.contains(""), steps.count <= ConfigParser.maximumDepth else {
            throw Diagnostic(
                "\"\(key)\" is no key", at: keyPlace,
                expected: "up to \(ConfigParser.maximumDepth) words with dots between them")
        }
        return try put(node, steps[...], into: root, inStages: false)
    }

    private func put(_ value: ConfigNode, _ steps: ArraySlice<String>, into node: ConfigNode, inStages: Bool)
        throws(Diagnostic)
        -> ConfigNode
    {
        guard let step = steps.first else { return value }
        var result = node
        switch node.content {
        case .object(var members):
            if let index = members.firstIndex(where: { $0.key == step }) {
                let isStages = steps.startIndex == 0 && step == "stages"
                members[index].node = try put(value, steps.dropFirst(), into: members[index].node, inStages: isStages)
            } else {
                let empty = ConfigNode(.object([]), at: keyPlace)
                let child = try put(value, steps.dropFirst(), into: empty, inStages: false)
                members.append(ConfigMember(key: step, keyPlace: keyPlace, node: child))
            }
            result.content = .object(members)
        case .null:
            result = try put(value, steps, into: ConfigNode(.object([]), at: keyPlace), inStages: false)
        case .array(var elements):
            let index = inStages ? elements.firstIndex { $0["name"]?.string == step } : Int(step)
            guard let index, elements.indices.contains(index) else {
                let names = inStages ? elements.compactMap { $0["name"]?.string } : elements.indices.map(String.init)
                throw Diagnostic(
                    inStages ? "there is no stage \"\(step)\"" : "there is no element \"\(step)\"", at: keyPlace,
                    expected: names.isEmpty ? nil : "one of " + names.joined(separator: ", "),
                    help: Suggestion.question(for: step, among: names))
            }
            elements[index] = try put(value, steps.dropFirst(), into: elements[index], inStages: false)
            result.content = .array(elements)
        default:
            throw Diagnostic(
                "\"\(key)\" leads through a value that has no keys", at: keyPlace, found: node.found,
                expected: "an object before \"\(step)\"")
        }
        return result
    }
}
