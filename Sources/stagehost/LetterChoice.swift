import LinuxIO
import StageCommand
import StageConfig
import StageControl
import StageLog
import StageModel
import StageReport
import StageRuntime
import StageScheduler

/// The dead letters that a command is about, by stage: those that its filters allow, the oldest first.
struct LetterChoice {
    let filter: LetterFilter
    let limit: Int?
    let job: StoredJob

    init(_ arguments: ParsedCommand, _ job: StoredJob) throws(CommandFailure) {
        filter = try LetterFilter(arguments, job)
        limit = arguments.count("limit")
        self.job = job
    }

    func letters(_ list: LetterList) throws(LogError) -> [Int: LetterNumbers] {
        var chosen: [Int: [UInt64]] = [:]
        var left = limit ?? .max
        for number in list.numbers {
            guard left > 0 else { break }
            guard let letter = try list.letter(number), filter.allows(LetterView(letter, of: job)) else { continue }
            chosen[letter.facts.stage, default: []].append(number)
            left -= 1
        }
        return chosen.mapValues { LetterNumbers(ascending: $0) }
    }

    /// Looks without changing anything, also while a host runs.
    func letters() throws(CommandFailure) -> [Int: LetterNumbers] {
        guard let snapshot = try job.snapshot() else { return [:] }
        do throws(LogError) {
            guard let log = try job.letterLog() else { return [:] }
            return try letters(LetterList(log, claimedBy: snapshot.logs, snapshot.recovery))
        } catch {
            throw CommandFailure(error, job: job.name)
        }
    }

    /// "3 of terms, 1 of write"
    func words(_ letters: [Int: LetterNumbers]) -> String {
        let names = job.pipeline?.stages.map(\.name.value) ?? []
        return letters.sorted { $0.key < $1.key }.map { stage, numbers in
            "\(HumanNumbers.count(numbers.count)) of \(names.indices.contains(stage) ? names[stage] : "\(stage)")"
        }.joined(separator: ", ")
    }
}

extension StoredJob {
    /// The log of letters, to look at; nil when none was ever begun.
    func letterLog() throws(LogError) -> LetterLog? {
        let folder = folder + "/" + JobLayout.letters
        do throws(LogError) {
            return try LetterLog(folder: folder, readOnly: true)
        } catch where error.code == .missing || error.code == .io {
            return nil
        }
    }
}

extension HostLine {
    /// So many ranges fit into one request.
    private static let rangesAtOnce = 1_500

    /// Hands letters to a running host, as often as it takes.
    ///
    /// - Returns: Whether all was well; nil when no host listens (any more).
    func tell(
        _ letters: [Int: LetterNumbers], stages: [String], _ command: (String, LetterNumbers) -> ControlCommand
    ) throws(CommandFailure) -> Bool? {
        var isWell = true
        for (stage, numbers) in letters.sorted(by: { $0.key < $1.key }) where stages.indices.contains(stage) {
            var rest = numbers.pairs[...]
            while !rest.isEmpty {
                guard let part = LetterNumbers(validating: Array(rest.prefix(Self.rangesAtOnce))),
                    let reply = try tell(command(stages[stage], part), isWish: false)
                else { return nil }
                isWell = isWell && reply.isOK
                rest = rest.dropFirst(Self.rangesAtOnce)
            }
        }
        return isWell
    }
}
