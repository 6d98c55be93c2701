package import StageConfig
package import StageScheduler

/// What earlier hosts have counted of the deaths of workers, out of the status that the last one wrote. Nothing in there
/// is believed beyond its type and its bounds; what is missing counts as nothing.
package enum StoredTally {
    private static let mostCount: Int64 = 1 << 53
    private static let mostCharacters = 300

    /// A tally for each of the stages named.
    package static func read(_ word: JSONValue?, stages: [String]) -> [StageTally] {
        var byName: [String: JSONValue] = [:]
        if case .array(let list)? = word?["stages"] {
            for stage in list {
                if case .string(let name)? = stage["name"] { byName[name] = stage }
            }
        }
        return stages.map { tally(of: byName[$0]) }
    }

    private static func tally(of stage: JSONValue?) -> StageTally {
        var tally = StageTally()
        guard let stage else { return tally }
        tally.retries = count(stage["retries"]) ?? 0
        tally.crashes = count(stage["crashes"]) ?? 0
        tally.restarts = count(stage["restarts"]) ?? 0
        tally.unexplained = count(stage["unexplained_deaths"]) ?? 0
        for death in deaths(stage["deaths"]) { tally.add(death) }
        return tally
    }

    /// The deaths that the status of a stage lists, as far as they make sense.
    static func deaths(_ list: JSONValue?) -> [DeathRecord] {
        guard case .array(let list)? = list else { return [] }
        return list.suffix(StageTally.kept).compactMap(death)
    }

    private static func death(_ value: JSONValue) -> DeathRecord? {
        guard let at = text(value["at"]), let cause = text(value["cause"]) else { return nil }
        var death = DeathRecord(
            time: .earlier(at), cause: cause, message: text(value["message"]) ?? "", batch: count(value["batch"]),
            worker: count(value["worker"]) ?? 0)
        death.signal = text(value["signal"])
        death.exitCode = count(value["exit_code"]).flatMap { Int32(exactly: $0) }
        death.index = count(value["index"]).flatMap { UInt32(exactly: $0) }
        if case .boolean(let isExplained)? = value["explained"] { death.explanation = isExplained ? .found : .unexplained }
        return death
    }

    private static func count(_ value: JSONValue?) -> UInt64? {
        guard case .integer(let number)? = value, (0...mostCount).contains(number) else { return nil }
        return UInt64(number)
    }

    private static func text(_ value: JSONValue?) -> String? {
        guard case .string(let text)? = value else { return nil }
        return PrintableText.line(text, limit: mostCharacters)
    }
}
