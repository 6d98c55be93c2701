/// What a plugin says of itself.
package struct PluginDescription: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable { case source, transform, sink }

    package struct Flags: OptionSet, Sendable, Hashable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let reentrant = Flags(rawValue: 1 << 0)
        package static let recordByRecord = Flags(rawValue: 1 << 1)
        package static let stateful = Flags(rawValue: 1 << 2)
    }

    package var kind: Kind
    package var id: String
    package var version: String
    package var description: String
    package var flags: Flags
    /// 0: any number.
    package var maxWorkers: Int
    /// JSON Schema of `with`; nil: anything goes.
    package var configSchema: String?

    package init(
        kind: Kind, id: String, version: String, description: String, flags: Flags = [], maxWorkers: Int = 0,
        configSchema: String? = nil
    ) {
        self.kind = kind
        self.id = id
        self.version = version
        self.description = description
        self.flags = flags
        self.maxWorkers = maxWorkers
        self.configSchema = configSchema
    }
}

/// Opens a plugin far enough to ask what it is; the failure is one line that says why it could not.
package typealias PluginDescriber = (_ path: String) -> Result<PluginDescription, PluginRefusal>

package struct PluginRefusal: Error, Sendable, Equatable {
    package var message: String
    package init(_ message: String) { self.message = message }
}

extension Pipeline {
    /// What is wrong with using a plugin of this description for the stage at `index`.
    package func check(_ description: PluginDescription, forStageAt index: Int) -> [Diagnostic] {
        let stage = stages[index]
        let name = stage.name.value
        let expected: PluginDescription.Kind =
            index == 0 ? .source : index == stages.count - 1 ? .sink : .transform
        guard description.kind == expected else {
            let position = index == 0 ? "first" : index == stages.count - 1 ? "last" : "between the first and the last"
            return [
                Diagnostic(
                    "stage \"\(name)\" needs a \(expected.rawValue)", at: stage.plugin.place,
                    found: "\(description.id) is a \(description.kind.rawValue)",
                    expected: "a \(expected.rawValue), since the stage is \(position)",
                    help: "`stagehost plugins` lists what there is")
            ]
        }
        var problems: [Diagnostic] = []
        let most = description.flags.contains(.stateful) ? 1 : description.maxWorkers
        if most > 0, stage.workers.value > most {
            problems.append(
                Diagnostic(
                    "stage \"\(name)\" has too many workers", at: stage.workers.place, found: "\(stage.workers.value)",
                    expected: "at most \(most) with \(description.id)"
                        + (description.flags.contains(.stateful) ? ", which keeps a state" : ""),
                    help: "write workers: \(most)"))
        }
        if stage.threads.value > 1, !description.flags.contains(.reentrant) {
            problems.append(
                Diagnostic(
                    "stage \"\(name)\" cannot use threads", at: stage.threads.place, found: "\(stage.threads.value)",
                    expected: "1, since \(description.id) takes one batch at a time",
                    help: "write workers: \(stage.threads.value) instead"))
        }
        guard let text = description.configSchema else { return problems }
        switch ConfigSchema.parse(text, plugin: description.id) {
        case .failure(let problem): problems.append(problem)
        case .success(let schema): problems += schema.check(stage.with, subject: "stages.\(name).with")
        }
        return problems
    }
}
