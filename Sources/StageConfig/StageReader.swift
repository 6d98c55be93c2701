/// Reads one stage of a pipeline file.
struct StageReader {
    let resolver: Resolver
    /// The names of the shared limits.
    let limits: [String]

    func read(_ node: ConfigNode, number: Int) -> StageSettings? {
        let label = node["name"]?.string ?? String(number)
        var stage = SectionReader(resolver, path: ["stages", label], node: node)
        guard case .object = node.content else { return nil }
        // A name from the environment would change what the other variables of the stage are called.
        let name = readName(&stage, number: number)
        let plugin = stage.required(
            "plugin", as: .text("the name of a plugin, or a path with a slash in it", pattern: ".") { !$0.isEmpty },
            help: "write plugin: \"NAME\"; `stagehost plugins` lists what there is")
        let with = readWith(&stage, node)
        let workers = stage.setting("workers", default: 1, as: .integer(1...256))
        let threads = stage.setting("threads", default: 1, as: .integer(1...1024))
        let standby = stage.setting("standby", default: 0, as: .integer(0...16))
        let durable = stage.setting("durable", default: true, as: .boolean)
        let ordered = stage.setting("ordered", default: true, as: .boolean)
        let timeout = stage.setting("timeout", default: .zero, as: .duration())
        let timeoutScope = stage.setting("timeout_per", default: TimeoutScope.batch, as: .choice)
        let core = stage.setting("core", default: false, as: .boolean)
        let memory = stage.optional("memory", as: .size(from: 1 << 20))
        let memorySoft = stage.optional("memory_soft", as: .size(from: 1 << 20))
        let recycleAfter = stage.optional("recycle_after", as: .integer(1...1_000_000_000))
        let snapshotEvery = stage.setting("snapshot_every", default: 64, as: .integer(1...1_000_000))
        let probation = stage.setting("probation", default: 16, as: .integer(0...1_000_000))
        let retry = RetrySettings(&stage)
        let restart = RestartSettings(&stage)
        let rules = readRules(&stage)
        let onGiveUp = stage.setting("on_give_up", default: GiveUpAction.stop, as: .choice)
        var rateReader = stage.section("rate")
        let rate = RateSettings(&rateReader)
        rateReader.finish()
        let limit = stage.optional("limit", as: .text("the name of one of the limits"))
        let failures = FailureLimits(&stage)
        let window = stage.optional("window", as: .window)
        stage.finish()
        checkLimit(limit, stage)
        checkMemory(memory, memorySoft, stage)
        guard let name, let plugin else { return nil }
        if timeoutScope.value == .record, timeout.value == .zero {
            resolver.diagnostics.append(
                .warning(
                    "timeout_per has no effect on stage \"\(name.value)\"", at: timeoutScope.place,
                    help: "give the stage a timeout"))
        }
        return StageSettings(
            name: name, plugin: plugin, with: with, workers: workers, threads: threads, standby: standby,
            durable: durable, ordered: ordered, timeout: timeout, timeoutScope: timeoutScope, core: core, memory: memory,
            memorySoft: memorySoft, recycleAfter: recycleAfter, snapshotEvery: snapshotEvery, probation: probation,
            retry: retry, restart: restart, on: rules, onGiveUp: onGiveUp, rate: rate, limit: limit,
            failures: failures, window: window)
    }

    private func readName(_ stage: inout SectionReader, number: Int) -> Setting<String>? {
        let form = ValueForm.name
        resolver.declare(stage.path + ["name"], form.schema, isRequired: true)
        guard let node = stage.node("name", allowsEnvironment: false) else {
            stage.report(
                "stage \(number) has no name", at: stage.place.map { Place($0.source, $0.range.prefix(1)) },
                expected: form.expected, help: "write name: \"…\"")
            return nil
        }
        guard let name = stage.decode(node, "name", as: form) else { return nil }
        let origin = resolver.record(stage.path + ["name"], .string(name.value), name.origin)
        return Setting(name.value, origin: origin, place: name.place)
    }

    private func readWith(_ stage: inout SectionReader, _ node: ConfigNode) -> ConfigNode {
        // The environment does not reach into it: names of its keys may be of any case.
        let given = stage.node("with", allowsEnvironment: false)
        resolver.declare(stage.path + ["with"], .schema("object"))
        let with = given ?? ConfigNode(.object([]), at: Place(node.place.source, node.place.range.prefix(1)))
        guard case .object = with.content else {
            stage.report(
                "invalid value for \(stage.name("with"))", at: with.place, found: with.found, expected: "an object",
                help: "write with: { key: value }")
            return with
        }
        recordMembers(with, path: stage.path + ["with"], isDefault: given == nil)
        return with
    }

    /// Lists a `with` object member by member, so that a value that a flag put into it shows.
    private func recordMembers(_ with: ConfigNode, path: [String], isDefault: Bool) {
        guard case .object(let members) = with.content, (1...Self.mostListedMembers).contains(members.count) else {
            _ = resolver.record(path, with.plain, isDefault ? .default : with.place.origin)
            return
        }
        for member in members {
            let origin = member.node.placeOfFlag?.origin ?? member.node.place.origin
            _ = resolver.record(path + [member.key], member.node.plain, origin)
        }
    }

    private func readRules(_ stage: inout SectionReader) -> [DeathRule] {
        var section = stage.section("on")
        return section.names.map { member in
            if !Self.causes.contains(member.key) {
                section.report(
                    "unknown cause of death \"\(member.key)\"", at: member.keyPlace,
                    expected: "a signal such as SIGSEGV, or timeout, memory, exit, protocol",
                    help: Suggestion.question(for: member.key, among: Self.causes))
            }
            let action = section.setting(member.key, default: DeathAction.poison, as: .choice)
            return DeathRule(cause: member.key, action: action)
        }
    }

    private func checkLimit(_ limit: Setting<String?>, _ stage: SectionReader) {
        guard let name = limit.value, !limits.contains(name) else { return }
        stage.report(
            "there is no limit \"\(name)\"", at: limit.place,
            expected: limits.isEmpty ? "a limit that the pipeline defines" : "one of " + limits.joined(separator: ", "),
            help: Suggestion.question(for: name, among: limits)
                ?? "define it: limits: { \(name): { records_per_second: 10 } }")
    }

    private func checkMemory(_ hard: Setting<Int?>, _ soft: Setting<Int?>, _ stage: SectionReader) {
        guard let most = hard.value, let wish = soft.value, wish >= most else { return }
        stage.report(
            "\(stage.name("memory_soft")) is never reached", at: soft.place, found: SizeText.format(wish),
            expected: "less than memory, \(SizeText.format(most))")
    }

    /// A larger `with` is listed as one value.
    private static let mostListedMembers = 256

    static let causes = [
        "SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS", "SIGKILL", "SIGTERM", "SIGPIPE",
        "SIGXCPU", "SIGXFSZ", "timeout", "memory", "exit", "protocol",
    ]
}

extension ConfigNode {
    /// The place of the first value in here that a flag has set.
    fileprivate var placeOfFlag: Place? {
        if place.source.kind == .flag { return place }
        let children: [ConfigNode] =
            switch content {
            case .array(let elements): elements
            case .object(let members): members.map(\.node)
            default: []
            }
        // A plain loop: a lazy `compactMap` would look at each child twice, and so at each leaf 2^depth times.
        for child in children {
            if let place = child.placeOfFlag { return place }
        }
        return nil
    }
}
