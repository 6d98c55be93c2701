/// Where the outcome of one record goes; in `finish`, where what is left goes. Usable from any thread until the call
/// that it was lent to returns.
@safe public struct Output: ~Copyable, @unchecked Sendable {
    let raw: UnsafePointer<stage_output>
    let input: UInt32

    init(_ raw: UnsafePointer<stage_output>, input: UInt32) {
        unsafe self.raw = raw
        self.input = input
    }

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

    /// Emits a record with the key of `record` and a new value.
    public func emit(keyOf record: borrowing Record, value: some Bytes) throws {
        let key = unsafe record.keyBuffer
        try value.withStageBytes { value in unsafe try emit(key: key, value: value) }
    }

    /// Passes `record` on as it is.
    public func emit(_ record: borrowing Record) throws {
        unsafe try emit(key: record.keyBuffer, value: record.valueBuffer)
    }

    /// Emits one record whose value `write` puts in place, without a copy: up to `size` bytes; it returns how many it
    /// used. Nothing is emitted when it throws. `write` must not touch this output.
    @unsafe public func emit(
        key: UnsafeRawBufferPointer, upTo size: Int, _ write: (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws {
        unsafe try Reservation.emit(raw, input: input, key: key, upTo: size, write)
    }

    /// Says that nothing more will come for this record, so that its result may leave at once. After a `process` that
    /// returns StageKit says it by itself.
    public func done() throws {
        try OutputError.check(unsafe raw.pointee.done(raw, input), "done")
    }

    /// Progress inside a long record, for people. A total of 0 is unknown.
    public func progress(done: Int, total: Int = 0) {
        _ = unsafe raw.pointee.progress(raw, input, UInt64(max(0, done)), UInt64(max(0, total)))
    }

    /// "I am alive", for a record that takes long. `resume` is handed to the next attempt of the same record.
    public func heartbeat(resume: some Bytes) throws {
        let (code, size) = resume.withStageBytes { bytes in
            unsafe (raw.pointee.heartbeat(raw, input, stage_bytes(bytes)), bytes.count)
        }
        try OutputError.check(code, "heartbeat", size: size)
    }

    /// "I am alive", for a record that takes long.
    public func heartbeat() {
        _ = unsafe raw.pointee.heartbeat(raw, input, .absent)
    }

    /// What an earlier attempt at this record left with ``heartbeat(resume:)``; nil when there is none.
    public var resumeBytes: [UInt8]? {
        let bytes = unsafe raw.pointee.resume(raw, input)
        return unsafe bytes.data == nil ? nil : [UInt8](bytes.buffer)
    }

    /// Adds to the stage's sum of `name` ("tokens", "cents"), once the record is committed.
    public func metric(_ name: String, add amount: Double) {
        unsafe name.withCString { unsafe _ = raw.pointee.metric(raw, input, $0, amount) }
    }

    func begin() throws {
        try OutputError.check(unsafe raw.pointee.begin(raw, input), "begin")
    }

    func fail(_ failure: RecordFailure) throws {
        unsafe try Outcome.fail(raw, input: input, failure)
    }
}

/// The zero-copy way out, shared by the kinds of output.
enum Reservation {
    @unsafe static func emit(
        _ raw: UnsafePointer<stage_output>, input: UInt32, key: UnsafeRawBufferPointer, upTo size: Int,
        _ write: (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws {
        var place: UnsafeMutableRawPointer?
        try OutputError.check(
            unsafe raw.pointee.reserve(raw, input, stage_bytes(key), size, &place), "reserve", size: size)
        var used: Int
        do {
            used = unsafe try write(UnsafeMutableRawBufferPointer(start: place, count: size))
        } catch {
            _ = unsafe raw.pointee.commit(raw, Int(bitPattern: UInt.max))
            throw error
        }
        precondition(used >= 0 && used <= size, "wrote \(used) bytes into room for \(size)")
        try OutputError.check(unsafe raw.pointee.commit(raw, used), "commit", size: used)
    }
}

/// The calls that end a record badly, shared by the kinds of output.
enum Outcome {
    @unsafe static func fail(_ raw: UnsafePointer<stage_output>, input: UInt32, _ failure: RecordFailure) throws {
        let kind = failure.kind == .transient ? STAGE_FAILURE_TRANSIENT : STAGE_FAILURE_PERMANENT
        let pause = failure.retryAfter?.stageMilliseconds ?? 0
        let code = failure.message.withStageBytes { message in
            unsafe raw.pointee.fail(raw, input, UInt32(kind), stage_bytes(message), pause)
        }
        try OutputError.check(code, "fail")
    }

    @unsafe static func explain(_ raw: UnsafePointer<stage_output>, _ message: String, after: Duration? = nil) {
        message.withStageBytes { bytes in
            unsafe raw.pointee.explain(raw, stage_bytes(bytes), after?.stageMilliseconds ?? 0)
        }
    }

    @unsafe static func checkpoint(_ raw: UnsafePointer<stage_output>, _ bytes: some Bytes) throws {
        let (code, size) = bytes.withStageBytes { bytes in
            unsafe (raw.pointee.checkpoint(raw, stage_bytes(bytes)), bytes.count)
        }
        try OutputError.check(code, "checkpoint", size: size)
    }
}
