/// What of a request is not to be done again, for a sink that commits the number of a batch with its data.
///
/// A batch that is committed may come again: whole, after a death of the host; without the records that have failed, after
/// a death of the worker; and then also in pieces, because the host looks for the record that killed it. So a record that
/// comes again is recognised by itself, and gets the outcome that it had. Within the life of one worker no record that
/// has an outcome comes twice. Where the outcomes are kept is the sink's affair.
package struct BatchHistory {
    /// Batches whose failures are kept behind what the host has confirmed: the host may have said so a little before its
    /// log was written.
    package static let keptBatches: UInt64 = 256

    /// The last batch that this worker has answered, or that the host had when it opened it.
    package private(set) var acknowledged: UInt64?
    /// What `acknowledged` was at the last sync.
    private var syncedThrough: UInt64?
    /// Records of the batch at hand that this worker was given in earlier requests.
    private var met: (batch: UInt64, records: [RecordDigest]) = (0, [])

    package init(checkpoint: UInt64?) {
        acknowledged = checkpoint
    }

    /// Tells what of a batch, or of a piece of one, is new. `committed` is what was there before the request, by this
    /// worker or one before it; `failures` looks up the records of a batch that have failed for good.
    package func compare(
        _ batch: borrowing Batch, with committed: CommittedBatch?,
        failures: (UInt64) throws -> [FailureKey: String]
    ) rethrows -> BatchRequest {
        let sequence = batch.sequence
        var request = BatchRequest(batch: sequence)
        var messages: [FailureKey: String] = [:]
        if let committed, sequence < committed.batch {
            messages = try failures(sequence)
            // All of it is there, and nothing failed.
            if messages.isEmpty { return request }
        }
        request.records = met.batch == sequence ? met.records : []
        request.start = request.records.count
        request.records.reserveCapacity(request.start + batch.count)
        for index in 0..<batch.count { request.records.append(RecordDigest(batch[index])) }
        guard let committed, sequence <= committed.batch else {
            request.new = Array(0..<batch.count)
            return request
        }
        if sequence == committed.batch { messages = try failures(sequence) }
        let counts = sequence == committed.batch ? committed.counts : nil
        var occurrences = Occurrences()
        for index in 0..<batch.count {
            let record = request.records[request.start + index]
            let occurrence = occurrences.before(request.start + index, in: request.records)
            if let counts, occurrence >= counts[record, default: 0] {
                request.new.append(index)
            } else if let message = messages[FailureKey(record: record, occurrence: occurrence)] {
                request.failed.append((index, message))
            }
        }
        return request
    }

    /// The request is about to be answered.
    package mutating func didAnswer(_ request: BatchRequest) {
        met = (request.batch, request.records)
        acknowledged = request.batch
    }

    /// All that was answered is durable. Returns the batch up to which failures need not be kept any more, if there is
    /// one: what the host was told at the sync before is in its log by now.
    package mutating func didSync() -> UInt64? {
        defer { syncedThrough = acknowledged }
        return syncedThrough.flatMap(Self.forgettable)
    }

    /// The batch up to which failures need not be kept, when the host has confirmed `confirmed`.
    package static func forgettable(through confirmed: UInt64) -> UInt64? {
        confirmed > keptBatches ? confirmed - keptBatches : nil
    }
}

/// A batch, or a piece of one, compared with what is there already.
package struct BatchRequest {
    package let batch: UInt64
    /// The records of the batch that this worker has seen; those of this request begin at `start`.
    fileprivate var records: [RecordDigest] = []
    fileprivate var start = 0
    /// Indexes of the records that have no outcome yet, ascending.
    package fileprivate(set) var new: [Int] = []
    /// Records that have failed before, with the words of then.
    package fileprivate(set) var failed: [(index: Int, message: String)] = []

    fileprivate init(batch: UInt64) {
        self.batch = batch
    }

    /// The last committed batch once this request is.
    package func added(to committed: CommittedBatch?) -> CommittedBatch {
        let records = new.map { self.records[start + $0] }
        let before = committed?.batch == batch ? committed?.records ?? [] : []
        return CommittedBatch(batch: batch, records: before + records)
    }

    /// By what the records at `indexes` are to be found again as failed. The indexes ascend.
    package func failureKeys(of indexes: [Int]) -> [FailureKey] {
        var occurrences = Occurrences()
        return indexes.map { index in
            FailureKey(record: records[start + index], occurrence: occurrences.before(start + index, in: records))
        }
    }
}

/// The last batch that a sink has committed. The batches before it are there as a whole, because the host sends a batch only
/// when the one before it is done; the last one may be there in part.
package struct CommittedBatch {
    package let batch: UInt64
    /// Those of its records that have an outcome; nil: all.
    package let records: [RecordDigest]?

    package init(batch: UInt64, records: [RecordDigest]?) {
        self.batch = batch
        self.records = records
    }

    fileprivate var counts: [RecordDigest: Int]? {
        records.map { $0.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
    }
}

/// A record that failed for good, among the records of its batch.
package struct FailureKey: Hashable {
    package let record: RecordDigest
    /// How many records like it stand before it in the batch.
    package let occurrence: Int

    package init(record: RecordDigest, occurrence: Int) {
        self.record = record
        self.occurrence = occurrence
    }
}

/// Tells records that are alike apart: the first, the second, … of their kind. Asked in ascending order.
private struct Occurrences {
    private var counted = 0
    private var counts: [RecordDigest: Int] = [:]

    /// How many records like the one at `position` stand before it.
    mutating func before(_ position: Int, in digests: [RecordDigest]) -> Int {
        while counted <= position {
            counts[digests[counted], default: 0] += 1
            counted += 1
        }
        return counts[digests[position], default: 1] - 1
    }
}
