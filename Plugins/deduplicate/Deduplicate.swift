public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(Deduplicate.self) }

/// Passes on the first record of each kind, and filters those that were there before.
struct Deduplicate: Transform, Stateful {
    static let hasFinish = false
    static let id = "deduplicate"
    static let version = "1.0.0"
    static let summary = "Passes on the first record with a key, value or JSON member; filters the ones that come again."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "by": {
              "description": "What makes records the same: \\"key\\", \\"value\\", or a JSON pointer such as /doi.",
              "type": "string", "default": "key"
            },
            "max_keys": {
              "description": "Keys to remember at most, 16 bytes each in the checkpoint and about 64 in memory.",
              "type": "integer", "minimum": 1, "maximum": 4000000, "default": 1000000
            },
            "when_full": {
              "description": "A new key when max_keys are known: stop the stage, or forget the oldest key.",
              "enum": ["stop", "forget"], "default": "stop"
            }
          }
        }
        """

    struct Configuration: Decodable {
        var by: String?
        var max_keys: Int?
        var when_full: WhenFull?
    }

    enum WhenFull: String, ConfigurationChoice { case stop, forget }

    /// What is compared.
    private enum Subject {
        case key, value
        case member(JSONPointer)
    }

    private let subject: Subject
    private let whenFull: WhenFull
    private var seen: SeenKeys

    init(configuration: Configuration, host: Host) throws {
        switch configuration.by ?? "key" {
        case "key": subject = .key
        case "value": subject = .value
        case let text where text.first == "/":
            do { subject = .member(try JSONPointer(text)) } catch { throw ConfigurationError(path: ["by"], problem: "\(error)") }
        case let text:
            throw ConfigurationError(
                "by", found: JSON.quote(text), expected: "\"key\", \"value\" or a JSON pointer such as \"/doi\"")
        }
        let capacity = configuration.max_keys ?? 1_000_000
        try ConfigurationError.check("max_keys", capacity, in: 1...SeenKeys.maximumCapacity)
        whenFull = configuration.when_full ?? .stop
        var random = SystemRandomNumberGenerator()
        seen = SeenKeys(capacity: capacity, secret: (random.next(), random.next()))
    }

    mutating func process(_ record: borrowing Record, into output: borrowing Output) throws {
        guard let fingerprint = try fingerprint(of: record) else { return try output.emit(record) }
        guard !seen.contains(fingerprint) else { return }
        guard !seen.isFull || whenFull == .forget else {
            throw StageFailure.fatal(
                "all \(seen.capacity) keys that max_keys allows are in use; raise it (at most \(SeenKeys.maximumCapacity)), or set "
                    + "when_full to \"forget\", and run again")
        }
        // What can fail comes first: a record that failed must not make the next attempt a duplicate of itself.
        try output.emit(record)
        seen.insert(fingerprint)
    }

    /// Nil for a record without the member: there is nothing to compare, and a record that is not known to be a
    /// duplicate is passed on.
    private func fingerprint(of record: borrowing Record) throws -> Fingerprint? {
        switch subject {
        case .key: return unsafe seen.fingerprint(record.keyBuffer, kind: 0)
        case .value: return unsafe seen.fingerprint(record.valueBuffer, kind: 0)
        case .member(let pointer):
            guard let slice = try record.json(pointer), !slice.isNull else { return nil }
            // "1" and 1 are different things; "a" and "\u0061" are not.
            guard slice.kind == .string else { return unsafe seen.fingerprint(slice.bytes, kind: 1) }
            return slice.withStringBytes { unsafe seen.fingerprint($0, kind: 0) }
        }
    }

    func encodedState() -> [UInt8] { seen.encoded() }

    mutating func restore(state: [UInt8]) throws {
        do throws(SeenKeysError) {
            try seen.restore(state)
        } catch {
            throw StageFailure.fatal("the checkpoint: \(error)")
        }
    }
}
