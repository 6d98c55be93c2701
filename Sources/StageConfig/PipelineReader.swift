/// What came of resolving a pipeline: the pipeline unless there are errors, and all that is to be said about it.
package struct Resolution: Sendable {
    package var pipeline: Pipeline?
    package var diagnostics: [Diagnostic]

    package var errors: [Diagnostic] { diagnostics.filter { $0.severity == .error } }
}

extension Pipeline {
    /// Resolves a pipeline: flags before environment before file before defaults.
    ///
    /// - Parameters:
    ///   - source: the text of the pipeline file; its name is the path, which gives the default of `name`.
    ///   - directory: the folder that relative paths start from.
    package static func resolve(
        _ source: SourceText, directory: String, overrides: [Override] = [], environment: [String: String] = [:]
    ) -> Resolution {
        switch ConfigParser.parse(source) {
        case .failure(let problems): return Resolution(pipeline: nil, diagnostics: problems.all)
        case .success(let root):
            return resolve(
                root, file: source.name, directory: directory, overrides: overrides, environment: environment)
        }
    }

    static func resolve(
        _ root: ConfigNode, file: String, directory: String, overrides: [Override] = [],
        environment: [String: String] = [:], recordedOrigins: [String: Origin] = [:]
    ) -> Resolution {
        let resolver = Resolver(environment: environment, recordedOrigins: recordedOrigins)
        var root = root
        if case .object = root.content {
            for override in overrides {
                do throws(Diagnostic) { root = try override.applied(to: root) } catch {
                    resolver.diagnostics.append(error)
                }
            }
        }
        let pipeline = PipelineReader(resolver: resolver).read(root, file: file, directory: directory)
        resolver.checkUnknownVariables()
        let hasErrors = resolver.diagnostics.contains { $0.severity == .error }
        return Resolution(
            pipeline: hasErrors ? nil : pipeline, diagnostics: Diagnostic.inReadingOrder(resolver.diagnostics))
    }

    /// The name of a pipeline without one: that of its file without the extension.
    static func defaultName(file: String) -> String {
        let last = file.split(separator: "/").last.map(String.init) ?? file
        guard let dot = last.lastIndex(of: "."), dot != last.startIndex else { return last }
        return String(last[..<dot])
    }
}

/// Reads the top level of a pipeline file.
struct PipelineReader {
    let resolver: Resolver

    func read(_ root: ConfigNode, file: String, directory: String) -> Pipeline? {
        guard case .object = root.content else {
            resolver.diagnostics.append(
                Diagnostic(
                    "a pipeline file must hold an object", at: root.place, found: root.found, expected: "an object",
                    help: "write { stages: [ … ] }"))
            return nil
        }
        var top = SectionReader(resolver, path: [], node: root)
        // Editors find the schema of the file by it.
        _ = top.node("$schema", allowsEnvironment: false)
        let name = top.setting("name", default: Pipeline.defaultName(file: file), as: .jobName)
        if case .default = name.origin, !Names.isJobName(name.value) {
            top.report(
                "the file name makes no name for a job", at: root.place, found: "\"\(name.value)\"",
                expected: Names.jobNameRule, help: "give the pipeline a name: \"…\"")
        }
        let description = top.optional("description", as: .text())
        var batchReader = top.section("batch")
        let batch = Pipeline.BatchSettings(
            records: batchReader.setting("records", default: .records(100), as: .batchSize),
            bytes: batchReader.setting("bytes", default: 1 << 20, as: .size(from: 1, upTo: 1 << 30)))
        batchReader.finish()
        let sync = top.setting("sync", default: .interval(.milliseconds(200)), as: .sync)
        let window = top.setting("window", default: 64, as: .window)
        let keep = top.setting("keep", default: false, as: .boolean)
        let progressInterval = top.setting("progress_interval", default: ProgressPace.records(100), as: .pace)
        let recordLog = top.setting("log_records", default: RecordLog.failures, as: .choice)
        let metrics = top.optional("metrics", as: .text("a path in quotes", pattern: ".") { !$0.isEmpty })
        let failures = FailureLimits(&top)
        let limits = readLimits(&top)
        let budget = readBudget(&top)
        let timeLimit = top.optional("time_limit", as: .duration(from: .milliseconds(1)))
        let memoryReserve = top.optional("memory_reserve", as: .size(from: 0))
        let stages = readStages(&top, limits: limits.map(\.name))
        top.finish()
        guard let stages else { return nil }
        return Pipeline(
            file: file, directory: directory, name: name, description: description, batch: batch, sync: sync,
            window: window, keep: keep, progressInterval: progressInterval, recordLog: recordLog, metrics: metrics,
            failures: failures, limits: limits, budget: budget, timeLimit: timeLimit, memoryReserve: memoryReserve,
            stages: stages, resolved: resolver.resolved)
    }

    private func readLimits(_ top: inout SectionReader) -> [SharedLimit] {
        var section = top.section("limits")
        return section.names.map { member in
            checkName(member, of: "limit")
            var reader = section.section(member.key)
            let limit = SharedLimit(
                name: member.key, rate: RateSettings(&reader),
                concurrency: reader.optional("concurrency", as: .integer(1...1_000_000)))
            if limit.rate.recordsPerSecond.value == nil, limit.concurrency.value == nil {
                reader.report(
                    "the limit \"\(member.key)\" limits nothing", at: member.keyPlace,
                    expected: "records_per_second, concurrency, or both")
            }
            reader.finish()
            return limit
        }
    }

    private func readBudget(_ top: inout SectionReader) -> [Budget] {
        var section = top.section("budget")
        return section.names.map { member in
            checkName(member, of: "budget")
            let amount = section.setting(member.key, default: 0, as: .number(0...1e15, "an amount, 0 or more"))
            return Budget(name: member.key, amount: amount)
        }
    }

    private func checkName(_ member: ConfigMember, of subject: String) {
        guard !Names.isName(member.key) else { return }
        resolver.diagnostics.append(
            Diagnostic(
                "\"\(member.key)\" cannot name a \(subject)", at: member.keyPlace, expected: Names.nameRule))
    }

    private func readStages(_ top: inout SectionReader, limits: [String]) -> [StageSettings]? {
        let node = top.node("stages", allowsEnvironment: false)
        guard let node, case .array(let elements) = node.content else {
            top.report(
                node == nil ? "the pipeline has no stages" : "invalid value for stages", at: node?.place ?? top.place,
                found: node?.found, expected: "an array of at least two stages: a source and a sink",
                help: "write stages: [ { name: \"read\", plugin: \"read-files\" }, … ]")
            return nil
        }
        if elements.count < 2 {
            top.report(
                "a pipeline needs at least two stages", at: node.place, found: "\(elements.count)",
                expected: "a source first and a sink last", help: "add a stage that writes, such as write-lines")
        }
        if elements.count > Self.maximumStages {
            top.report(
                "a pipeline has too many stages", at: node.place, found: "\(elements.count)",
                expected: "at most \(Self.maximumStages)")
            return nil
        }
        var seen: [String: Place] = [:]
        var stages: [StageSettings] = []
        for (index, element) in elements.enumerated() {
            guard let stage = StageReader(resolver: resolver, limits: limits).read(element, number: index + 1) else {
                continue
            }
            if let first = seen[stage.name.value] {
                top.report(
                    "two stages are named \"\(stage.name.value)\"", at: stage.name.place,
                    found: "the name was given before, at line \(first.span.line), column \(first.span.column)",
                    help: "give each stage a name of its own")
            } else if let place = stage.name.place {
                seen[stage.name.value] = place
            }
            stages.append(stage)
        }
        return stages.count == elements.count ? stages : nil
    }

    private static let maximumStages = 64
}
