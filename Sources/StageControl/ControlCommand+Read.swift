import StageConfig
import StageModel

/// Why a request is none, in one line.
struct ControlRefusal: Error, Equatable {
    var message: String

    init(_ message: String) { self.message = message }
}

extension ControlCommand {
    private static let keys: [String: [String]] = [
        "status": [], "pause": ["release"], "resume": [], "stop": [], "restart": ["stage", "plugin"],
        "retry": ["stage", "letters"], "discard": ["stage", "letters"],
    ]

    /// Reads a request: a JSON object with "command" and the keys of that command, and no others.
    static func read(_ line: [UInt8]) throws(ControlRefusal) -> ControlCommand {
        guard case .success(let root) = ConfigParser.parse(SourceText(name: "request", bytes: line)),
            case .object(let members) = root.content
        else { throw ControlRefusal("the request is not a JSON object in one line, such as {\"command\":\"status\"}") }
        guard let word = root["command"]?.string else { throw ControlRefusal("the request has no \"command\", which must be a string") }
        guard let known = keys[word] else { return .unknown(quotable(word)) }
        if let stranger = members.first(where: { $0.key != "command" && !known.contains($0.key) }) {
            let expected = known.isEmpty ? "it has no other keys" : "it can have \(known.joined(separator: " and "))"
            throw ControlRefusal("\"\(word)\" has no key \"\(quotable(stranger.key))\"; \(expected)")
        }
        switch word {
        case "pause": return .pause(release: try flag("release", of: root))
        case "resume": return .resume
        case "stop": return .stop
        case "restart":
            guard let stage = try text("stage", of: root) else { throw ControlRefusal("\"restart\" needs a \"stage\"") }
            let plugin = try text("plugin", of: root)
            guard plugin?.hasPrefix("/") ?? true else {
                throw ControlRefusal("\"plugin\" must be an absolute path: the host has a working directory of its own")
            }
            return .restart(stage: stage, plugin: plugin)
        case "retry", "discard":
            guard let stage = try text("stage", of: root) else { throw ControlRefusal("\"\(word)\" needs a \"stage\"") }
            let letters = try numbers("letters", of: root)
            return word == "retry" ? .retry(stage: stage, letters: letters) : .discard(stage: stage, letters: letters)
        default: return .status
        }
    }

    /// The answer to a word that stands for no command.
    static func refusal(ofUnknown word: String) -> ControlRefusal {
        let help = Suggestion.question(for: word, among: keys.keys.sorted())
        return ControlRefusal(
            "there is no command \"\(word)\"; \(help ?? "known are " + keys.keys.sorted().joined(separator: ", "))")
    }

    private static func flag(_ key: String, of root: ConfigNode) throws(ControlRefusal) -> Bool {
        switch root[key]?.content {
        case .none: return false
        case .some(.boolean(let value)): return value
        case .some: throw ControlRefusal("\"\(key)\" must be true or false")
        }
    }

    /// Pairs of first and last number.
    private static func numbers(_ key: String, of root: ConfigNode) throws(ControlRefusal) -> LetterNumbers {
        let refusal = ControlRefusal("\"\(key)\" must be an array of ascending pairs of numbers, such as [[1,9],[12,12]]")
        guard case .array(let list) = root[key]?.content, !list.isEmpty else { throw refusal }
        var pairs: [[UInt64]] = []
        for element in list {
            guard case .array(let pair) = element.content else { throw refusal }
            var numbers: [UInt64] = []
            for number in pair {
                guard case .integer(let value) = number.content, value > 0 else { throw refusal }
                numbers.append(UInt64(value))
            }
            pairs.append(numbers)
        }
        guard let letters = LetterNumbers(validating: pairs) else { throw refusal }
        return letters
    }

    /// A name or a path: nothing that would end early or spoil a line when it is printed.
    private static func text(_ key: String, of root: ConfigNode) throws(ControlRefusal) -> String? {
        switch root[key]?.content {
        case .none, .some(.null): return nil
        case .some(.string(let value)):
            guard !value.isEmpty, value.utf8.count <= 4096, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw ControlRefusal("\"\(key)\" must have 1 to 4096 bytes and no control characters")
            }
            return value
        case .some: throw ControlRefusal("\"\(key)\" must be a string")
        }
    }

    private static func quotable(_ word: String) -> String {
        let isLong = word.unicodeScalars.count > ControlLimits.quotedCharacters
        let start = String(String.UnicodeScalarView(word.unicodeScalars.prefix(ControlLimits.quotedCharacters)))
        return isLong ? start + "…" : start
    }
}
