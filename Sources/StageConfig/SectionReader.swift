/// Reads the members of one object: each with precedence, default and origin; what is left over is an unknown key.
struct SectionReader {
    let resolver: Resolver
    let path: [String]
    /// Where to point when something is missing.
    let place: Place?
    private let members: [ConfigMember]
    private var known: [String] = []

    init(_ resolver: Resolver, path: [String], node: ConfigNode?) {
        self.resolver = resolver
        self.path = path
        place = node?.place
        switch node?.content {
        case .object(let members): self.members = members
        case nil, .null: members = []
        default:
            members = []
            resolver.diagnostics.append(
                Diagnostic(
                    "invalid value for \(path.joined(separator: "."))", at: node?.place, found: node?.found,
                    expected: "an object", help: "write { key: value }"))
        }
    }

    /// The names of a section whose keys are free; none, with a diagnostic, when there are too many.
    var names: [ConfigMember] {
        guard members.count > Self.mostNames else { return members }
        report(
            "\(path.joined(separator: ".")) has too many keys", at: place, found: "\(members.count)",
            expected: "at most \(Self.mostNames)")
        return []
    }

    private static let mostNames = 64
    /// Beyond so many, more of the same says nothing new.
    private static let mostUnknownKeys = 20

    /// The value that counts: flag before environment before file. A null is a value that was not given.
    mutating func node(_ key: String, allowsEnvironment: Bool = true) -> ConfigNode? {
        known.append(key)
        let written = members.first { $0.key == key }?.node
        var node = written
        if allowsEnvironment, let variable = resolver.environmentNode(for: path + [key]),
            written?.place.source.kind != .flag
        {
            node = variable
        }
        if case .null = node?.content { return nil }
        return node
    }

    mutating func section(_ key: String) -> SectionReader {
        SectionReader(resolver, path: path + [key], node: node(key, allowsEnvironment: false))
    }

    mutating func setting<Value>(_ key: String, default fallback: Value, as form: ValueForm<Value>) -> Setting<Value> {
        resolver.declare(path + [key], form.schema, fallback: form.encode(fallback))
        let given = read(key, as: form)
        let setting = given ?? Setting(fallback)
        let origin = resolver.record(path + [key], form.encode(setting.value), setting.origin)
        return Setting(setting.value, origin: origin, place: setting.place)
    }

    mutating func optional<Value>(_ key: String, as form: ValueForm<Value>) -> Setting<Value?> {
        resolver.declare(path + [key], form.schema)
        let given = read(key, as: form)
        let value = given.map { form.encode($0.value) } ?? .null
        let origin = resolver.record(path + [key], value, given?.origin ?? .default)
        return Setting(given?.value, origin: origin, place: given?.place)
    }

    /// A key that must be there; nil, with a diagnostic, when it is not or does not fit.
    mutating func required<Value>(_ key: String, as form: ValueForm<Value>, help: String) -> Setting<Value>? {
        resolver.declare(path + [key], form.schema, isRequired: true)
        guard let node = node(key) else {
            resolver.diagnostics.append(
                Diagnostic(
                    "\(name(key)) is missing",
                    at: place.map { Place($0.source, $0.range.lowerBound..<$0.range.lowerBound + 1) },
                    expected: form.expected, help: help))
            return nil
        }
        guard let setting = decode(node, key, as: form) else { return nil }
        let origin = resolver.record(path + [key], form.encode(setting.value), setting.origin)
        return Setting(setting.value, origin: origin, place: setting.place)
    }

    private mutating func read<Value>(_ key: String, as form: ValueForm<Value>) -> Setting<Value>? {
        node(key).flatMap { decode($0, key, as: form) }
    }

    func decode<Value>(_ node: ConfigNode, _ key: String, as form: ValueForm<Value>) -> Setting<Value>? {
        guard let value = form.decode(node) else {
            resolver.diagnostics.append(
                Diagnostic(
                    "invalid value for \(name(key))", at: node.place, found: node.found, expected: form.expected,
                    help: form.help(node)))
            return nil
        }
        return Setting(value, origin: node.place.origin, place: node.place)
    }

    func name(_ key: String) -> String { (path + [key]).joined(separator: ".") }

    func report(_ message: String, at place: Place?, found: String? = nil, expected: String? = nil, help: String? = nil)
    {
        resolver.diagnostics.append(Diagnostic(message, at: place, found: found, expected: expected, help: help))
    }

    /// Reports every member that nothing has asked for.
    func finish() {
        for member in members.lazy.filter({ !known.contains($0.key) }).prefix(Self.mostUnknownKeys) {
            let section = path.isEmpty ? "" : " in \(path.joined(separator: "."))"
            let help =
                Suggestion.question(for: member.key, among: known)
                ?? "known keys: \(known.sorted().joined(separator: ", "))"
            report("unknown key \"\(member.key)\"\(section)", at: member.keyPlace, help: help)
        }
    }
}
