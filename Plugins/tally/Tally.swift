public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(Tally.self) }

/// Counts, and sums up, by a member of the JSON in the records; passes them on, and its totals at the end.
struct Tally: Transform, CodableState {
    static let id = "tally"
    static let version = "1.0.0"
    static let summary = "Keeps a running count and sum by a JSON member, and emits the totals at the end."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["by"],
          "properties": {
            "by": {"description": "JSON pointer to the member to count by, such as /lang.", "type": "string"},
            "sum": {"description": "JSON pointer to a number to sum up.", "type": "string"},
            "pass": {"description": "Whether records are passed on.", "type": "boolean", "default": true}
          }
        }
        """

    struct Configuration: Decodable {
        var by: JSONPointer
        var sum: JSONPointer?
        var pass: Bool?
    }

    struct Total: Codable {
        var count = 0
        var sum: Double?
    }

    /// What is remembered, and what is emitted at the end.
    struct State: Codable {
        var totals: [String: Total] = [:]
    }

    var state = State()
    private let by: JSONPointer
    private let sum: JSONPointer?
    private let passes: Bool

    init(configuration: Configuration, host: Host) throws {
        by = configuration.by
        sum = configuration.sum
        passes = configuration.pass ?? true
    }

    mutating func process(_ record: borrowing Record, into output: borrowing Output) throws {
        let group = try group(of: record)
        // All that can fail comes before the count, so that a failed record leaves no trace in it.
        let amount = try amount(of: record)
        if passes { try output.emit(record) }
        state.totals[group, default: Total()].count += 1
        if let amount { state.totals[group, default: Total()].sum = (state.totals[group]?.sum ?? 0) + amount }
    }

    /// The name of the member's value: a string as it is, anything else as its JSON text; "null" when it is missing.
    private func group(of record: borrowing Record) throws -> String {
        guard let slice = try record.json(by) else { return "null" }
        return slice.string ?? slice.text
    }

    private func amount(of record: borrowing Record) throws -> Double? {
        guard let sum else { return nil }
        guard let slice = try record.json(sum), !slice.isNull else { return 0 }
        guard let number = slice.number, number.isFinite else {
            throw RecordFailure.permanent("\(sum): found \(slice.kind.rawValue), expected a number to sum up")
        }
        return number
    }

    func finish(into output: borrowing Output) throws {
        try output.emit(key: "tally", value: try JSON.encode(state.totals))
    }
}
