/// Where the outcome of a batch goes. Usable from any thread until `process` returns.
@safe public struct BatchOutput: ~Copyable, @unchecked Sendable {
    let raw: UnsafePointer<stage_output>

    init(_ raw: UnsafePointer<stage_output>) {
        unsafe self.raw = raw
    }

    /// The output of the record at `index`.
    public subscript(index: Int) -> Output {
        unsafe Output(raw, input: UInt32(clamping: index))
    }

    /// Says that the record at `index` is worked on now: by this the host knows which record killed the worker.
    public func begin(_ index: Int) throws {
        try self[index].begin()
    }

    /// The record at `index` failed.
    public func fail(_ index: Int, _ failure: RecordFailure) throws {
        try self[index].fail(failure)
    }
}

/// Where the records of a source go. Usable from any thread until `read` returns.
@safe public struct SourceOutput: ~Copyable, @unchecked Sendable {
    let raw: UnsafePointer<stage_output>

    init(_ raw: UnsafePointer<stage_output>) {
        unsafe self.raw = raw
    }

    private var input: UInt32 { STAGE_NO_INPUT }

    /// Emits one record. The bytes are copied.
    public func emit(key: some Bytes, value: some Bytes) throws {
        try key.withStageBytes { key in
            try value.withStageBytes { value in unsafe try emit(key: key, value: value) }
        }
    }

    /// Emits one record from memory that the caller owns, for speed.
    @unsafe public func emit(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) throws {
        let code = unsafe raw.pointee.emit(raw, input, stage_bytes(key), stage_bytes(value))
        try OutputError.check(code, "emit", size: max(key.count, value.count))
    }

    /// Emits one record whose value `write` puts in place, without a copy: up to `size` bytes; it returns how many it
    /// used. Nothing is emitted when it throws. `write` must not touch this output.
    @unsafe public func emit(
        key: UnsafeRawBufferPointer, upTo size: Int, _ write: (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws {
        unsafe try Reservation.emit(raw, input: input, key: key, upTo: size, write)
    }

    /// A record that exists but cannot be read. It counts as read, and goes to the dead letters.
    public func fail(key: some Bytes, value: some Bytes, _ message: String) throws {
        let code = key.withStageBytes { key in
            value.withStageBytes { value in
                message.withStageBytes { message in
                    unsafe raw.pointee.fail_source(raw, stage_bytes(key), stage_bytes(value), stage_bytes(message))
                }
            }
        }
        try OutputError.check(code, "fail_source")
    }

    /// The position after the last record. The last one set in a `read` wins.
    public func checkpoint(_ position: some Bytes) throws {
        unsafe try Outcome.checkpoint(raw, position)
    }

    /// Records delivered so far of records in all: gives the job its percentage.
    public func progress(done: Int, total: Int) {
        _ = unsafe raw.pointee.progress(raw, input, UInt64(max(0, done)), UInt64(max(0, total)))
    }

    /// Adds to the stage's sum of `name`.
    public func metric(_ name: String, add amount: Double) {
        unsafe name.withCString { unsafe _ = raw.pointee.metric(raw, input, $0, amount) }
    }
}

/// What a sink says about a batch. Usable from any thread until the call that it was lent to returns.
@safe public struct SinkOutput: ~Copyable, @unchecked Sendable {
    let raw: UnsafePointer<stage_output>

    init(_ raw: UnsafePointer<stage_output>) {
        unsafe self.raw = raw
    }

    /// Says that the record at `index` is worked on now: by this the host knows which record killed the worker.
    public func begin(_ index: Int) throws {
        try OutputError.check(unsafe raw.pointee.begin(raw, UInt32(clamping: index)), "begin")
    }

    /// The record at `index` could not be written.
    public func fail(_ index: Int, _ failure: RecordFailure) throws {
        unsafe try Outcome.fail(raw, input: UInt32(clamping: index), failure)
    }

    /// The position of the sink after this batch. The last one set in a call wins.
    public func checkpoint(_ position: some Bytes) throws {
        unsafe try Outcome.checkpoint(raw, position)
    }

    /// Adds to the stage's sum of `name`.
    public func metric(_ name: String, add amount: Double) {
        unsafe name.withCString { unsafe _ = raw.pointee.metric(raw, STAGE_NO_INPUT, $0, amount) }
    }
}
