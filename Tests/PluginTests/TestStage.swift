import CStage

/// An opened stage behind the real C interface, with a host that writes down what it is told.
@safe final class TestStage {
    private let table: stage_plugin
    private let host: UnsafeMutablePointer<stage_host>
    private let memory: [UnsafeMutableRawBufferPointer]
    private var me: UnsafeMutableRawPointer?
    private let log = HostLog()

    /// What it has written to its log.
    var logged: [String] { log.lines }

    init(_ table: stage_plugin, config: String, checkpoint: [UInt8]?, name: String, shard: UInt32) throws {
        unsafe self.table = unsafe table
        let texts = unsafe [Array(config.utf8), checkpoint ?? [], Array(name.utf8)].map { unsafe Self.copy($0) }
        unsafe memory = texts
        unsafe host = .allocate(capacity: 1)
        unsafe host.initialize(
            to: stage_host(
                struct_size: UInt32(MemoryLayout<stage_host>.size), protocol_version: UInt32(STAGE_PROTOCOL_VERSION),
                context: Unmanaged.passUnretained(log).toOpaque(),
                stage_name: Self.bytes(texts[2]), config: Self.bytes(texts[0]),
                checkpoint: checkpoint == nil ? stage_bytes(data: nil, size: 0) : Self.bytes(texts[1]),
                worker_index: 0, worker_count: 1, shard_index: shard, shard_count: shard + 1, threads: 1, reserved: 0,
                log: { host, _, message in unsafe HostLog.of(host).lines.append(text(message)) },
                config_string: { _, _, _ in Int32(STAGE_ERROR_MISSING) },
                config_integer: { _, _, _ in Int32(STAGE_ERROR_MISSING) },
                config_number: { _, _, _ in Int32(STAGE_ERROR_MISSING) },
                config_boolean: { _, _, _ in Int32(STAGE_ERROR_MISSING) },
                config_count: { _, _, _ in Int32(STAGE_ERROR_MISSING) },
                heartbeat: { _ in },
                cancelled: { _ in 0 },
                fail_open: { host, message in unsafe HostLog.of(host).refusal = unsafe text(message) },
                capability: { _, _ in nil }))
        let status = unsafe table.open(host, &me)
        guard status == 0 else { throw Refusal(status: Int(status), message: log.refusal) }
    }

    deinit {
        close()
        unsafe host.deallocate()
        for unsafe text in unsafe memory { unsafe text.deallocate() }
    }

    /// Closes the stage as a worker does that leaves in peace. Harmless the second time.
    func close() {
        guard let open = unsafe me else { return }
        unsafe table.close?(open)
        unsafe me = nil
    }

    func read(_ records: UInt32, bytes: UInt64 = 1 << 30) -> Outcome {
        let outcome = Outcome()
        outcome.record { unsafe table.read?(me, records, bytes, $0) ?? -1 }
        return outcome
    }

    /// Reads to the end in batches of `records`.
    func readAll(_ records: UInt32, bytes: UInt64 = 1 << 30) -> [Outcome] {
        var outcomes: [Outcome] = []
        repeat { outcomes.append(read(records, bytes: bytes)) } while outcomes.last?.status == STAGE_OK
        return outcomes
    }

    func process(_ records: [TestRecord], sequence: UInt64 = 0, flags: Int = 0) -> Outcome {
        let copies = unsafe records.map { record in
            (unsafe Self.copy(record.key), unsafe Self.copy(record.value))
        }
        defer {
            for unsafe (key, value) in unsafe copies {
                unsafe key.deallocate()
                unsafe value.deallocate()
            }
        }
        let raw = unsafe zip(records, copies).map { record, copy in
            unsafe stage_record(id: record.id, key: Self.bytes(copy.0), value: Self.bytes(copy.1))
        }
        let outcome = Outcome()
        unsafe raw.withUnsafeBufferPointer { buffer in
            var batch = unsafe stage_batch(
                struct_size: UInt32(MemoryLayout<stage_batch>.size), count: UInt32(records.count), sequence: sequence,
                attempt: 1, flags: UInt32(flags), records: buffer.baseAddress)
            outcome.record { unsafe table.process?(me, &batch, $0) ?? -1 }
        }
        return outcome
    }

    func sync() -> Outcome {
        let outcome = Outcome()
        outcome.record { unsafe table.sync?(me, $0) ?? -1 }
        return outcome
    }

    func finish() -> Outcome {
        let outcome = Outcome()
        outcome.record { unsafe table.finish?(me, $0) ?? -1 }
        return outcome
    }

    private static func copy(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        unsafe copy.copyBytes(from: bytes)
        return unsafe copy
    }

    private static func bytes(_ buffer: UnsafeMutableRawBufferPointer) -> stage_bytes {
        unsafe stage_bytes(data: UnsafeRawPointer(buffer.baseAddress), size: buffer.count)
    }
}

/// What a stage told its host outside a batch.
final class HostLog {
    var lines: [String] = []
    var refusal = ""

    static func of(_ host: UnsafePointer<stage_host>) -> HostLog {
        guard let context = unsafe host.pointee.context else { preconditionFailure("a host without its context") }
        return unsafe Unmanaged<HostLog>.fromOpaque(context).takeUnretainedValue()
    }
}
