import StageKit
import StageSQLite

/// What of this run is in the database, and what of a request is therefore not to be done again.
final class History {
    private let progress: ProgressTable
    private let failures: FailureTable
    private let lastBatch: LastBatchTable

    private var requests: BatchHistory
    /// What a worker before this one has committed last.
    private let inherited: CommittedBatch?
    /// What is committed now.
    private var committed: CommittedBatch?

    var acknowledged: UInt64? { requests.acknowledged }

    init(_ database: Database, _ identity: ProgressIdentity, checkpoint: UInt64?) throws {
        progress = try ProgressTable(database, identity, checkpoint: checkpoint)
        failures = try FailureTable(database, identity)
        lastBatch = try LastBatchTable(database, identity)
        requests = BatchHistory(checkpoint: checkpoint)
        inherited = try progress.committed.map { [lastBatch] in
            CommittedBatch(batch: $0, records: try lastBatch.records(of: $0))
        }
        committed = inherited
        if inherited == nil {
            try failures.forget()
            try lastBatch.forget()
        } else if let old = checkpoint.flatMap(BatchHistory.forgettable) {
            try failures.remove(through: old)
        }
    }

    /// Tells what of a batch, or of a piece of one, is new.
    func compare(_ batch: borrowing Batch) throws -> BatchRequest {
        try requests.compare(batch, with: inherited) { try failures.messages(of: $0) }
    }

    /// Notes what the request adds, inside the transaction that is open.
    func add(_ request: BatchRequest, failed: [(index: Int, message: String)]) throws {
        for (key, failure) in zip(request.failureKeys(of: failed.map(\.index)), failed) {
            try failures.add(key, batch: request.batch, message: failure.message)
        }
        try lastBatch.set(request.added(to: committed).records ?? [], of: request.batch)
        try progress.advance(to: request.batch)
    }

    /// The transaction with the request is committed.
    func didCommit(_ request: BatchRequest) {
        committed = request.added(to: committed)
        progress.didCommit(request.batch)
    }

    /// The request is about to be answered.
    func didAnswer(_ request: BatchRequest) { requests.didAnswer(request) }

    /// Makes all commits so far durable.
    func makeDurable() throws {
        try progress.makeDurable()
        if let old = requests.didSync() { try failures.remove(through: old) }
    }

    func close() {
        progress.close()
        failures.close()
        lastBatch.close()
    }
}
