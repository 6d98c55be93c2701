/// What a plugin is, in a pipeline. Raw values are those of `stage_kind`.
package enum StageKind: UInt32, Sendable, Codable {
    case source = 1
    case transform = 2
    case sink = 3

    package var name: String {
        switch self {
        case .source: "source"
        case .transform: "transform"
        case .sink: "sink"
        }
    }
}

/// What a plugin promises. Raw values are those of `STAGE_FLAG_…`.
package struct PluginFlags: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let reentrant = PluginFlags(rawValue: 1 << 0)
    package static let recordByRecord = PluginFlags(rawValue: 1 << 1)
    package static let stateful = PluginFlags(rawValue: 1 << 2)
}

/// Which of the optional functions of the table a plugin has.
package struct PluginFunctions: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let read = PluginFunctions(rawValue: 1 << 0)
    package static let process = PluginFunctions(rawValue: 1 << 1)
    package static let sync = PluginFunctions(rawValue: 1 << 2)
    package static let finish = PluginFunctions(rawValue: 1 << 3)
    package static let close = PluginFunctions(rawValue: 1 << 4)
}

/// What a call into a plugin returned. Raw values are those of `stage_status`.
package enum CallStatus: UInt32, Sendable {
    case ok = 0
    case retry = 1
    case reject = 2
    case fatal = 3
    case end = 4
    case idle = 5
}

/// Whether a failed record is worth another try. Raw values are those of `stage_failure`.
package enum FailureKind: UInt32, Sendable {
    case transient = 1
    case permanent = 2
}
