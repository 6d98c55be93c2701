public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(Keep.self) }

/// Passes on the records that fulfil a condition, and filters the others.
struct Keep: Transform {
    static let id = "keep"
    static let version = "1.0.0"
    static let summary = "Keeps the records whose JSON member or whose text fulfils a condition; filters the others."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "json": {
              "description": "JSON pointer to the member to look at, such as /score. Alone: it must be there and not null.",
              "type": "string"
            },
            "equals": {
              "description": "The member is this very string, number, boolean or null.",
              "type": ["string", "number", "boolean", "null"]
            },
            "min": {"description": "The member is a number, and at least this.", "type": "number"},
            "max": {"description": "The member is a number, and at most this.", "type": "number"},
            "matches": {
              "description": "POSIX extended regular expression found in the value, or in the string at json.",
              "type": "string", "minLength": 1
            }
          },
          "anyOf": [{"required": ["json"]}, {"required": ["matches"]}]
        }
        """

    struct Configuration: Decodable {
        var json: JSONPointer?
        var equals: Scalar?
        var min: Double?
        var max: Double?
        var matches: String?

        enum CodingKeys: String, CodingKey {
            case json, equals, min, max, matches
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            json = try container.decodeIfPresent(JSONPointer.self, forKey: .json)
            // A null that is written is a value to compare with.
            equals = container.contains(.equals) ? try container.decode(Scalar.self, forKey: .equals) : nil
            min = try container.decodeIfPresent(Double.self, forKey: .min)
            max = try container.decodeIfPresent(Double.self, forKey: .max)
            matches = try container.decodeIfPresent(String.self, forKey: .matches)
        }
    }

    private let pointer: JSONPointer?
    private let equals: Scalar?
    private let minimum: Double?
    private let maximum: Double?
    private let pattern: TextPattern?

    init(configuration: Configuration, host: Host) throws {
        pointer = configuration.json
        equals = configuration.equals
        minimum = configuration.min
        maximum = configuration.max
        do {
            pattern = try configuration.matches.map { try TextPattern($0) }
        } catch {
            throw ConfigurationError(path: ["matches"], problem: "\(error)")
        }
        guard pointer != nil || pattern != nil else {
            throw ConfigurationError(path: [], problem: "found no condition, expected json or matches (or both)")
        }
        guard pointer != nil || (equals == nil && minimum == nil && maximum == nil) else {
            throw ConfigurationError(path: ["json"], problem: "is missing; equals, min and max need it to say where to look")
        }
        if let minimum, let maximum, minimum > maximum {
            throw ConfigurationError("min", found: JSON.text(of: minimum), expected: "not more than max")
        }
    }

    func process(_ record: borrowing Record, into output: borrowing Output) throws {
        if try isKept(record) { try output.emit(record) }
    }

    private func isKept(_ record: borrowing Record) throws -> Bool {
        guard let pointer else {
            return pattern.map { unsafe $0.isFound(in: record.valueBuffer) } ?? true
        }
        guard let slice = try record.json(pointer) else { return false }
        if let equals {
            guard equals.isSame(as: slice) else { return false }
        } else if slice.isNull {
            return false
        }
        if minimum != nil || maximum != nil {
            guard let number = slice.number else { return false }
            if let minimum, number < minimum { return false }
            if let maximum, number > maximum { return false }
        }
        guard let pattern else { return true }
        return slice.kind == .string && slice.withStringBytes { unsafe pattern.isFound(in: $0) }
    }
}
