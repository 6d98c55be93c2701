import StageConfig
package import StageModel

/// What somebody wants of a running host.
package enum ControlCommand: Equatable, Sendable {
    case status
    /// Finish what is in hand, and wait. `release`: let the workers leave meanwhile.
    case pause(release: Bool)
    case resume
    /// Finish what is in hand, and end the job for good.
    case stop
    /// New workers for a stage; `plugin` is the absolute path of another build.
    case restart(stage: String, plugin: String?)
    /// Dead letters of a stage are to be tried again.
    case retry(stage: String, letters: LetterNumbers)
    /// Dead letters of a stage are given up for good.
    case discard(stage: String, letters: LetterNumbers)
    /// A word that stands for no command. The server has answered it: there is nothing left to do but to take note.
    case unknown(String)

    /// One line, without the newline.
    package var json: String {
        var members = [JSONValue.Member("command", .string(word))]
        switch self {
        case .status, .resume, .stop, .unknown: break
        case .pause(let release): members.append(.init("release", .boolean(release)))
        case .retry(let stage, let letters), .discard(let stage, let letters):
            members.append(.init("stage", .string(stage)))
            let pairs = letters.pairs.map { JSONValue.array($0.map { .integer(Int64(clamping: $0)) }) }
            members.append(.init("letters", .array(pairs)))
        case .restart(let stage, let plugin):
            members.append(.init("stage", .string(stage)))
            if let plugin { members.append(.init("plugin", .string(plugin))) }
        }
        return JSONValue.object(members).json()
    }

    private var word: String {
        switch self {
        case .status: "status"
        case .pause: "pause"
        case .resume: "resume"
        case .stop: "stop"
        case .restart: "restart"
        case .retry: "retry"
        case .discard: "discard"
        case .unknown(let word): word
        }
    }
}
