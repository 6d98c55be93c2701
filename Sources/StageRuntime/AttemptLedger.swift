import Glibc
package import LinuxIO
package import StageModel
import StageReport
import StageScheduler
import StageWire

/// How often hosts of a job have died with a record in hand: what nobody survived to count.
///
/// While a host lives the pages of its workers say which records are begun and not done; they are files, and outlive all
/// processes. The next host takes stock of them before it clears them, adds them up in `attempts.json`, and tells the
/// scheduler. A record is forgotten when it has an outcome in the log of its stage, or the stage another build of its plugin.
///
/// Nothing here is synced: it has to survive the death of processes, not of the machine. After a power loss, nothing is
/// counted.
package struct AttemptLedger {
    /// What a stage is called and which build of its plugin it runs now.
    package struct Stage {
        package var name: String
        package var digest: String

        package init(name: String, digest: String) {
            self.name = name
            self.digest = digest
        }
    }

    private typealias Past = AttemptFile.Past

    private struct Place: Hashable {
        var stage: Int
        var batch: UInt64
    }

    /// A record that was in hand when the host before this one died.
    package struct Found {
        package var stage: Int
        package var batch: UInt64
        package var suspects: IndexRanges
        package var worker: UInt64
    }

    private let path: String
    private let stages: [Stage]
    private var counted: UInt64 = 0
    private var pasts: [Place: [UInt32: Past]] = [:]
    /// What the last host had in hand when it died; empty if it has ended in order.
    package private(set) var found: [Found] = []
    /// Whether the last host has died.
    package private(set) var hostHasDied = false

    private static let mostRecords = 1_000_000
    private static let mostTimes = 10
    private static let mostPageBytes = 256 << 20

    /// Reads what earlier hosts have left in the job's folder, counts in the pages of the last one, and writes it down.
    /// A file that is not what it should be counts for nothing: what is lost is some patience.
    package init(folder: String, stages: [Stage]) throws(SystemError) {
        path = folder + "/" + JobLayout.attempts
        self.stages = stages
        load()
        guard let remains = HostMark.remains(in: folder), remains.number != counted else { return }
        hostHasDied = true
        counted = remains.number
        try count(remains, in: folder + "/" + JobLayout.pages)
        try save()
    }

    // MARK: - The pages

    private mutating func count(_ remains: HostMark.Remains, in folder: String) throws(SystemError) {
        var seen: [(stage: Int, worker: UInt64, request: PageRemains.Request)] = []
        for name in try namesIn(folder) {
            guard let (stage, worker) = owner(ofPage: name),
                let bytes = try? readSmallFile(folder + "/" + name, limit: Self.mostPageBytes)
            else { continue }
            seen += PageRemains(bytes).requests.map { (stage, worker, $0) }
        }
        let isAlone = seen.count == 1 && seen[0].request.left.count == 1
        let now = Int64(time(nil))
        for (stage, worker, request) in seen {
            // A time that lies ahead is no time.
            let elapsed = remains.alive > request.since ? remains.alive - request.since : 0
            let isEarly = elapsed < Interruption.earlyNanoseconds
            found.append(Found(stage: stage, batch: request.batch, suspects: request.suspects, worker: worker))
            for input in request.suspects.indexes {
                var past = pasts[Place(stage: stage, batch: request.batch)]?[input] ?? Past()
                if isEarly { past.early &+= 1 } else { past.late &+= 1 }
                past.alone = isAlone
                past.at = (past.at + [now]).suffix(Self.mostTimes)
                pasts[Place(stage: stage, batch: request.batch), default: [:]][input] = past
            }
        }
    }

    /// The stage and the worker that a page is named after.
    private func owner(ofPage name: String) -> (stage: Int, worker: UInt64)? {
        let words = name.split(separator: ".")
        guard words.count == 3, words[2] == "page", let worker = UInt64(words[1]),
            let stage = stages.firstIndex(where: { $0.name == words[0] })
        else { return nil }
        return (stage, worker)
    }

    // MARK: - The file

    private mutating func load() {
        guard let bytes = try? readSmallFile(path, limit: AttemptFile.maximumBytes), let file = AttemptFile(json: bytes) else { return }
        counted = file.counted
        var room = Self.mostRecords
        for entry in file.records {
            guard let stage = stages.firstIndex(where: { $0.name == entry.stage }), stages[stage].digest == entry.digest,
                entry.first <= entry.last, entry.last < WireLimits.maximumBatchRecords
            else { continue }
            room -= Int(entry.last - entry.first) + 1
            guard room >= 0 else { return }
            var past = entry.past
            past.at = past.at.suffix(Self.mostTimes)
            for input in entry.first...entry.last { pasts[Place(stage: stage, batch: entry.batch), default: [:]][input] = past }
        }
    }

    private func save() throws(SystemError) {
        var file = AttemptFile(counted: counted)
        for (place, records) in pasts.sorted(by: { ($0.key.stage, $0.key.batch) < ($1.key.stage, $1.key.batch) }) {
            for (input, past) in records.sorted(by: { $0.key < $1.key }) {
                let end = file.records.count - 1
                if end >= 0, file.records[end].batch == place.batch, file.records[end].stage == stages[place.stage].name,
                    file.records[end].last == input &- 1, file.records[end].past == past
                {
                    file.records[end].last = input
                } else {
                    file.records.append(
                        .init(
                            stage: stages[place.stage].name, digest: stages[place.stage].digest, batch: place.batch,
                            first: input, last: input, past: past))
                }
            }
        }
        try writeFileAtomically(path, file.json, durable: false)
    }

    // MARK: - What becomes of it

    /// Forgets the records that have an outcome in a log, and tells the scheduler of the others.
    package mutating func settle(_ recovery: inout JobRecovery) throws(SystemError) {
        guard !pasts.isEmpty else { return }
        let before = pasts.values.reduce(0) { $0 + $1.count }
        for (place, records) in pasts {
            let stage = recovery.stages[place.stage]
            guard place.stage > 0, !stage.committed.contains(place.batch) else {
                pasts[place] = nil
                continue
            }
            let done = stage.partials[place.batch]?.covered ?? IndexRanges()
            let open = records.filter { !done.contains($0.key) }
            pasts[place] = open.isEmpty ? nil : open
            recovery.stages[place.stage].interruptions[place.batch] = open.mapValues {
                Interruption(early: $0.early, late: $0.late, wasAlone: $0.alone, evidence: evidence(of: $0))
            }
        }
        if pasts.values.reduce(0, { $0 + $1.count }) != before { try save() }
    }

    private func evidence(of past: Past) -> String {
        let times = past.at.map { Timestamp.text(seconds: $0) }.joined(separator: ", ")
        let other = past.alone ? "; the last time nothing else was in hand" : ""
        return "hosts died with it in hand at \(times)\(other)"
    }
}
