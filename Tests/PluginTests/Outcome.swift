import CStage

/// What one call of a plugin did, as the host sees it.
@safe final class Outcome {
    struct Emitted: Hashable {
        let input: UInt32
        let key: String
        let value: String
    }

    struct Failure: Hashable {
        let input: UInt32
        let isTransient: Bool
        let message: String
    }

    struct SourceFailure: Hashable {
        let key: String
        let value: String
        let message: String
    }

    /// A record of a source in the order of delivery, whether it could be read or not.
    enum Delivered: Hashable {
        case record(key: String, value: String)
        case failure(key: String)
    }

    var status = -1
    var emitted: [Emitted] = []
    var failures: [Failure] = []
    var sourceFailures: [SourceFailure] = []
    var delivered: [Delivered] = []
    var checkpointBytes: [UInt8]?
    var progress: (done: UInt64, total: UInt64)?
    var explanation = ""
    var begun: [UInt32] = []
    var done: [UInt32] = []
    fileprivate var reservation: (input: UInt32, key: String, memory: UnsafeMutableRawBufferPointer)?

    var checkpoint: String? { checkpointBytes.map { String(decoding: $0, as: UTF8.self) } }
    var values: [String] { emitted.map(\.value) }
    var keys: [String] { emitted.map(\.key) }

    fileprivate func emit(_ input: UInt32, _ key: String, _ value: String) -> Int32 {
        guard unsafe reservation == nil else { return Int32(STAGE_ERROR_STATE) }
        emitted.append(Emitted(input: input, key: key, value: value))
        delivered.append(.record(key: key, value: value))
        return 0
    }

    /// Calls `body` with a stage_output that writes down here.
    @safe func record(_ body: (UnsafePointer<stage_output>) -> stage_status) {
        var output = unsafe stage_output(
            struct_size: UInt32(MemoryLayout<stage_output>.size), reserved: 0,
            context: Unmanaged.passUnretained(self).toOpaque(),
            emit: { output, input, key, value in
                unsafe Outcome.of(output).emit(input, text(key), text(value))
            },
            reserve: { output, input, key, size, place in
                let outcome = unsafe Outcome.of(output)
                guard unsafe outcome.reservation == nil else { return Int32(STAGE_ERROR_STATE) }
                let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 1)
                unsafe outcome.reservation = (input, text(key), memory)
                unsafe place.pointee = memory.baseAddress
                return 0
            },
            commit: { output, used in
                let outcome = unsafe Outcome.of(output)
                guard let (input, key, memory) = unsafe outcome.reservation else { return Int32(STAGE_ERROR_STATE) }
                unsafe outcome.reservation = nil
                defer { unsafe memory.deallocate() }
                if used == -1 { return 0 }
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: memory[..<used])
                return outcome.emit(input, key, String(decoding: unsafe Array(bytes), as: UTF8.self))
            },
            fail: { output, input, kind, message, _ in
                let isTransient = kind == UInt32(STAGE_FAILURE_TRANSIENT)
                unsafe Outcome.of(output).failures.append(
                    Failure(input: input, isTransient: isTransient, message: text(message)))
                return 0
            },
            fail_source: { output, key, value, message in
                let outcome = unsafe Outcome.of(output)
                outcome.sourceFailures.append(
                    unsafe SourceFailure(key: text(key), value: text(value), message: text(message)))
                outcome.delivered.append(.failure(key: unsafe text(key)))
                return 0
            },
            begin: { output, input in
                unsafe Outcome.of(output).begun.append(input)
                return 0
            },
            done: { output, input in
                unsafe Outcome.of(output).done.append(input)
                return 0
            },
            checkpoint: { output, bytes in
                unsafe Outcome.of(output).checkpointBytes = unsafe Array(
                    UnsafeRawBufferPointer(start: bytes.data, count: bytes.size))
                return 0
            },
            progress: { output, _, done, total in
                unsafe Outcome.of(output).progress = (done, total)
                return 0
            },
            heartbeat: { _, _, _ in 0 },
            resume: { _, _ in unsafe stage_bytes(data: nil, size: 0) },
            metric: { _, _, _, _ in 0 },
            explain: { output, message, _ in unsafe Outcome.of(output).explanation = unsafe text(message) })
        unsafe status = Int(body(&output))
    }

    private static func of(_ output: UnsafePointer<stage_output>) -> Outcome {
        guard let context = unsafe output.pointee.context else { preconditionFailure("an output without its context") }
        return unsafe Unmanaged<Outcome>.fromOpaque(context).takeUnretainedValue()
    }
}

/// The bytes as text; what is not UTF-8 becomes replacement characters.
func text(_ bytes: stage_bytes) -> String {
    unsafe String(decoding: UnsafeRawBufferPointer(start: bytes.data, count: bytes.size), as: UTF8.self)
}
