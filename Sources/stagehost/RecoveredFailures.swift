import LinuxIO
import StageConfig
import StageLog
import StageRuntime
import StageScheduler

/// How many dead letters of which category a job has when it is taken up again. The logs of the stages know only how many
/// there are: the categories stand in the letters, and in the last word of the host before.
enum RecoveredFailures {
    /// More letters than that are not read at the start of a run, which must be quick.
    private static let readAtMost: UInt64 = 20_000
    /// What is left where neither says it.
    private static let uncounted = "uncounted"

    static func add(to recovery: inout JobRecovery, of stages: [String], folder: String, letters: LetterLog, logs: JobLogs)
        throws(LogError)
    {
        let failed = recovery.stages.map(\.counts.failed)
        guard failed.contains(where: { $0 > 0 }) else { return }
        let said = stages.map { lastWord(of: $0, in: folder) }
        let agrees = zip(said, failed).allSatisfy { $0.values.reduce(0, +) == $1 }
        var counts = said
        if !agrees, failed.reduce(0, +) <= readAtMost { counts = try read(recovery, letters, logs) }
        for index in recovery.stages.indices {
            let known = counts[index].values.reduce(0, +)
            // A host that was killed may have said more than its logs have.
            recovery.stages[index].failedBy = known <= failed[index] ? counts[index] : [:]
            let rest = failed[index] - (known <= failed[index] ? known : 0)
            if rest > 0 { recovery.stages[index].failedBy[uncounted, default: 0] += rest }
        }
    }

    private static func read(_ recovery: JobRecovery, _ letters: LetterLog, _ logs: JobLogs) throws(LogError)
        -> [[String: UInt64]]
    {
        var counts = [[String: UInt64]](repeating: [:], count: recovery.stages.count)
        let list = try LetterList(letters, claimedBy: logs, recovery)
        for number in list.numbers {
            guard let facts = try list.letter(number)?.facts, counts.indices.contains(facts.stage) else { continue }
            counts[facts.stage][facts.category, default: 0] += 1
        }
        return counts
    }

    private static func lastWord(of stage: String, in folder: String) -> [String: UInt64] {
        let path = folder + "/" + JobLayout.status
        guard let bytes = try? readSmallFile(path),
            case .success(let root) = ConfigParser.parse(
                SourceText(name: path, text: String(decoding: bytes, as: UTF8.self))),
            case .array(let stages) = root["stages"]?.content,
            case .object(let members) = stages.first(where: { $0["name"]?.string == stage })?["failed_by"]?.content
        else { return [:] }
        var counts: [String: UInt64] = [:]
        for member in members {
            if case .integer(let count) = member.node.content, count >= 0, member.key != uncounted {
                counts[member.key] = UInt64(count)
            }
        }
        return counts
    }
}
