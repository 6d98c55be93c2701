/// One record, borrowed from the host while it is worked on.
@safe public struct Record: ~Copyable {
    // Points into the batch, which outlives every call that a record is lent to; being noncopyable and only ever
    // lent, the record cannot outlive it.
    let raw: UnsafePointer<stage_record>

    init(_ raw: UnsafePointer<stage_record>) {
        unsafe self.raw = raw
    }

    /// Ordinal of the source record that this one descends from.
    public var id: UInt64 { unsafe raw.pointee.id }

    /// Who it is: a path, a document id. Invalid UTF-8 is shown as replacement characters.
    public var key: String { unsafe lossyText(keyBuffer) }

    /// The key as it is.
    public var keyBytes: [UInt8] { unsafe [UInt8](keyBuffer) }

    /// Size of the value in bytes.
    public var size: Int { unsafe raw.pointee.value.size }

    /// A copy of the value.
    public var bytes: [UInt8] { unsafe [UInt8](valueBuffer) }

    /// The value as text. Throws a permanent failure that names the first offending byte when it is not UTF-8.
    public func text() throws -> String {
        let buffer = unsafe valueBuffer
        guard let text = unsafe String(validating: buffer.bindMemory(to: UInt8.self), as: UTF8.self) else {
            let offset = unsafe firstInvalidUTF8(in: buffer) ?? 0
            throw RecordFailure.permanent(
                "the value is not UTF-8: byte \(offset) of \(buffer.count) cannot stand where it does")
        }
        return text
    }

    /// The value in place, without a copy.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe RawSpan(_unsafeBytes: valueBuffer))
    }

    /// What stands at `pointer` in a value that is JSON; nil when nothing does. Throws a permanent failure when the
    /// value is not JSON. The result is valid as long as the record.
    public func json(_ pointer: JSONPointer) throws -> JSONSlice? {
        do throws(JSONError) {
            return unsafe try JSON.find(pointer, in: valueBuffer)
        } catch {
            throw RecordFailure.permanent("the value is not JSON: \(error)")
        }
    }

    /// The value in place, for speed. Valid while the record is lent.
    @unsafe public var valueBuffer: UnsafeRawBufferPointer { unsafe raw.pointee.value.buffer }

    /// The key in place, for speed. Valid while the record is lent.
    @unsafe public var keyBuffer: UnsafeRawBufferPointer { unsafe raw.pointee.key.buffer }
}

/// Records that travel together, borrowed from the host for one call.
@safe public struct Batch: ~Copyable {
    let raw: UnsafePointer<stage_batch>

    init(_ raw: UnsafePointer<stage_batch>) {
        unsafe self.raw = raw
    }

    /// Number of records.
    public var count: Int { unsafe Int(raw.pointee.count) }

    /// Number of the batch, the same in all stages. Numbers ascend, and may have gaps.
    public var sequence: UInt64 { unsafe raw.pointee.sequence }

    /// 1 the first time; counts deaths and retries of the whole batch.
    public var attempt: Int { unsafe Int(raw.pointee.attempt) }

    /// Seen before, to rebuild the state; what is emitted is thrown away.
    public var isReplay: Bool { unsafe raw.pointee.flags & UInt32(STAGE_BATCH_REPLAY) != 0 }

    /// The host would like the state with this batch. StageKit hands it over by itself.
    public var wantsCheckpoint: Bool { unsafe raw.pointee.flags & UInt32(STAGE_BATCH_CHECKPOINT_WANTED) != 0 }

    /// The record at `index`, on loan like the batch itself. `index` must be below ``count``.
    public subscript(index: Int) -> Record {
        precondition(index >= 0 && index < count, "a batch of \(count) records has no record \(index)")
        guard let records = unsafe raw.pointee.records else { preconditionFailure("a batch without records") }
        return unsafe Record(records + index)
    }
}
