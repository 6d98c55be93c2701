/// How a command ended, for the script that called it.
package enum ExitCode: Int32, Sendable, CaseIterable {
    case complete = 0
    case tooManyFailures = 3
    case stageGaveUp = 4
    case usage = 64
    case damagedData = 65
    case noInput = 66
    case pluginRefused = 69
    case internalError = 70
    case cannotCreate = 73
    case inputOutput = 74
    case interrupted = 75
    case configuration = 78

    /// What it means, as the manual says it.
    package var meaning: String {
        switch self {
        case .complete: "complete; dead letters are within the limit"
        case .tooManyFailures: "stopped: too many failures"
        case .stageGaveUp: "a stage gave up"
        case .usage: "the command line is wrong"
        case .damagedData: "damaged data: a log, or input that is not what it should be"
        case .noInput: "no input: a file or a job that is not there"
        case .pluginRefused: "a plugin is missing or was refused"
        case .internalError: "a fault of stagehost itself"
        case .cannotCreate: "a file or a folder cannot be created"
        case .inputOutput: "reading or writing failed"
        case .interrupted: "interrupted, paused or out of time: can be resumed"
        case .configuration: "the pipeline is wrong"
        }
    }
}
