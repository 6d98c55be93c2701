import StageKit
import StageSQLite

/// What of this run is in the database, and what of a request is therefore not to be done again.
///
/// A batch that is committed may come again: whole, after a death of the host; without the records that have failed, after
/// a death of the worker; and then also in pieces, because the host looks for the record that killed it. So a record that
/// comes again is recognised by itself, and gets the outcome that it had. Within the life of one worker no record that
/// has an outcome comes twice.
final class History {
    /// Batches whose failures are kept behind what the host has confirmed: the host may have said so a little before its
    /// log was written.
    static let keptBatches: UInt64 = 256

    private let progress: ProgressTable
    private let failures: FailureTable
    private let lastBatch: LastBatchTable

    /// The last batch that this worker has answered, or that the host had when it opened it.
    private(set) var acknowledged: UInt64?
    /// What `acknowledged` was at the last sync.
    private var syncedThrough: UInt64?

    /// The last batch that a worker before this one has committed, and how many of each kind of record of it; nil: all.
    private let inherited: UInt64?
    private let inheritedCounts: [RecordDigest: Int]?

    /// Records of the batch at hand that this worker was given in earlier requests.
    private var met: (batch: UInt64, records: [RecordDigest]) = (0, [])
    /// Records that `lastBatch` has, of the last committed batch.
    private var stored: [RecordDigest]

    init(_ database: Database, _ identity: ProgressIdentity, checkpoint: UInt64?) throws {
        progress = try ProgressTable(database, identity, checkpoint: checkpoint)
        failures = try FailureTable(database, identity)
        lastBatch = try LastBatchTable(database, identity)
        acknowledged = checkpoint
        inherited = progress.committed
        let records = try inherited.flatMap { [lastBatch] in try lastBatch.records(of: $0) }
        stored = records ?? []
        inheritedCounts = records.map { $0.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
        if progress.committed == nil {
            try failures.forget()
            try lastBatch.forget()
        } else if let checkpoint {
            try prune(through: checkpoint)
        }
    }

    /// Tells what of a batch, or of a piece of one, is new.
    func compare(_ batch: borrowing Batch) throws -> Request {
        let sequence = batch.sequence
        var request = Request(batch: sequence, count: batch.count)
        if let inherited, sequence < inherited {
            request.messages = try failures.messages(of: sequence)
            // All of it is there, and nothing failed.
            if request.messages.isEmpty { return request }
        }
        request.records = met.batch == sequence ? met.records : []
        request.start = request.records.count
        request.records.reserveCapacity(request.start + batch.count)
        for index in 0..<batch.count { request.records.append(RecordDigest(batch[index])) }
        guard let inherited, sequence <= inherited else {
            request.new = Array(0..<batch.count)
            return request
        }
        if sequence == inherited { request.messages = try failures.messages(of: sequence) }
        var occurrences = Occurrences()
        for index in 0..<batch.count {
            let record = request.records[request.start + index]
            let occurrence = occurrences.before(request.start + index, in: request.records)
            if sequence == inherited, let counts = inheritedCounts, occurrence >= counts[record, default: 0] {
                request.new.append(index)
            } else if let message = request.messages[FailureTable.Key(record: record, occurrence: occurrence)] {
                request.failed.append((index, message))
            }
        }
        return request
    }

    /// Notes what the request adds, inside the transaction that is open.
    func add(_ request: Request, failed: [(index: Int, message: String)]) throws {
        var occurrences = Occurrences()
        for (index, message) in failed {
            let position = request.start + index
            let key = FailureTable.Key(
                record: request.records[position], occurrence: occurrences.before(position, in: request.records))
            try failures.add(key, batch: request.batch, message: message)
        }
        try lastBatch.set(stored(with: request), of: request.batch)
        try progress.advance(to: request.batch)
    }

    /// The transaction with the request is committed.
    func didCommit(_ request: Request) {
        stored = stored(with: request)
        progress.didCommit(request.batch)
    }

    /// The request is about to be answered.
    func didAnswer(_ request: Request) {
        met = (request.batch, request.records)
        acknowledged = request.batch
    }

    private func stored(with request: Request) -> [RecordDigest] {
        let new = request.new.map { request.records[request.start + $0] }
        return progress.committed == request.batch ? stored + new : new
    }

    /// Makes all commits so far durable. What the host was told at the sync before is in its log by now.
    func makeDurable() throws {
        try progress.makeDurable()
        if let confirmed = syncedThrough { try prune(through: confirmed) }
        syncedThrough = acknowledged
    }

    private func prune(through confirmed: UInt64) throws {
        guard confirmed > Self.keptBatches else { return }
        try failures.remove(through: confirmed - Self.keptBatches)
    }

    func close() {
        progress.close()
        failures.close()
        lastBatch.close()
    }
}

/// A batch, or a piece of one, compared with what is in the database.
struct Request {
    let batch: UInt64
    let count: Int
    /// The records of the batch that this worker has seen; those of this request begin at `start`.
    var records: [RecordDigest] = []
    var start = 0
    /// Indexes of the records that have no outcome yet.
    var new: [Int] = []
    /// Records that have failed before.
    var failed: [(index: Int, message: String)] = []
    var messages: [FailureTable.Key: String] = [:]

    init(batch: UInt64, count: Int) {
        self.batch = batch
        self.count = count
    }
}
