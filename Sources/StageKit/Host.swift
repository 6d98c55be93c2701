/// Everything that a plugin can ask of the host outside a record. Usable from any thread, from `init` until `close`
/// returns.
@safe public struct Host: @unchecked Sendable {
    // The protocol keeps the table, and all that it points to, alive from open until close returns.
    let raw: UnsafePointer<stage_host>

    init(_ raw: UnsafePointer<stage_host>) {
        unsafe self.raw = raw
    }

    /// Severity of a log line, and who is at fault.
    public enum LogLevel: UInt32, Sendable {
        case debug, info, warning, error
        case hostMisbehaving, pluginMisbehaving
    }

    /// Writes a line to the log of the stage.
    public func log(_ level: LogLevel, _ message: String) {
        message.withStageBytes { unsafe raw.pointee.log(raw, level.rawValue, stage_bytes($0)) }
    }

    /// "I am alive": pushes the deadline of the call that is under way.
    public func heartbeat() {
        unsafe raw.pointee.heartbeat(raw)
    }

    /// The result of the call that is under way is no longer wanted: return soon.
    public var isCancelled: Bool { unsafe raw.pointee.cancelled(raw) != 0 }

    /// The name of the stage, as in the pipeline file.
    public var stageName: String { unsafe lossyText(raw.pointee.stage_name.buffer) }

    /// The whole `with` object as JSON text.
    public var configurationText: [UInt8] { unsafe [UInt8](raw.pointee.config.buffer) }

    /// The checkpoint to open from; nil: start from nothing.
    public var checkpoint: [UInt8]? {
        let bytes = unsafe raw.pointee.checkpoint
        return unsafe bytes.data == nil ? nil : [UInt8](bytes.buffer)
    }

    /// The checkpoint as the value that was once encoded into it; nil: start from nothing. One that cannot be read is
    /// refused with a message that shows it.
    public func checkpoint<Position: Decodable>(as type: Position.Type) throws -> Position? {
        guard let bytes = checkpoint else { return nil }
        do {
            return try JSON.decode(type, from: bytes)
        } catch {
            throw StageFailure.fatal(
                "the checkpoint cannot be read: found \(excerpt(bytes)): \(error); it was written by another plugin or version")
        }
    }

    /// This worker among those of the stage.
    public var workerIndex: Int { unsafe Int(raw.pointee.worker_index) }
    public var workerCount: Int { unsafe Int(raw.pointee.worker_count) }

    /// This host among those that share one input: 0 of 1 unless sharded.
    public var shardIndex: Int { unsafe Int(raw.pointee.shard_index) }
    public var shardCount: Int { unsafe Int(raw.pointee.shard_count) }

    /// How many batches at once this worker may be given.
    public var threads: Int { unsafe Int(raw.pointee.threads) }

    func failOpen(_ message: String) {
        message.withStageBytes { unsafe raw.pointee.fail_open(raw, stage_bytes($0)) }
    }
}

/// The beginning of some bytes as quoted text, for messages.
package func excerpt(_ bytes: [UInt8], limit: Int = 80) -> String {
    let text = String(decoding: bytes.prefix(limit), as: UTF8.self)
    return JSON.quote(text) + (bytes.count > limit ? "…" : "")
}
