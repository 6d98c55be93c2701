import CStage
import CWorker
import StageWire

/// The C functions behind `stage_output`. Each finds its output and takes its lock, or returns STAGE_ERROR_STATE.
enum OutputFunctions {
    static var table: stage_output {
        unsafe stage_output(
            struct_size: UInt32(MemoryLayout<stage_output>.size), reserved: 0, context: nil,
            emit: emit, reserve: reserve, commit: commit, fail: fail, fail_source: failSource, begin: begin, done: done,
            checkpoint: checkpoint, progress: progress, heartbeat: heartbeat, resume: resume, metric: metric,
            explain: explain)
    }

    private static let emit:
        @convention(c) (UnsafePointer<stage_output>, UInt32, stage_bytes, stage_bytes) -> Int32 = { pointer, input, key, value in
            unsafe Output.using(pointer, otherwise: Code.state) { unsafe $0.emit(input, key, value) }
        }

    private static let reserve:
        @convention(c) (
            UnsafePointer<stage_output>, UInt32, stage_bytes, Int, UnsafeMutablePointer<UnsafeMutableRawPointer?>
        ) -> Int32 = { pointer, input, key, size, data in
            unsafe Output.using(pointer, otherwise: Code.state, keepsLock: { $0 == Code.ok }) {
                unsafe $0.reserve(input, key, size, data)
            }
        }

    private static let commit: @convention(c) (UnsafePointer<stage_output>, Int) -> Int32 = { pointer, used in
        guard let face = unsafe Output.face(pointer), let owner = unsafe face.pointee.owner else { return Code.state }
        return unsafe Unmanaged<Output>.fromOpaque(owner)._withUnsafeGuaranteedRef { output in
            // The thread that has reserved holds the lock.
            guard output.lock.isMine else { return Code.state }
            guard let made = unsafe output.reservation, unsafe output.isOpen, unsafe face.pointee.call == output.number
            else { return Code.state }
            defer { output.leave() }
            return output.commit(made, used: used == -1 ? nil : used >= 0 ? used : Int.max)
        }
    }

    private static let fail:
        @convention(c) (UnsafePointer<stage_output>, UInt32, UInt32, stage_bytes, UInt32) -> Int32 = {
            pointer, input, kind, message, retryAfter in
            unsafe Output.using(pointer, otherwise: Code.state) { unsafe $0.fail(input, kind, message, retryAfter) }
        }

    private static let failSource:
        @convention(c) (UnsafePointer<stage_output>, stage_bytes, stage_bytes, stage_bytes) -> Int32 = {
            pointer, key, value, message in
            unsafe Output.using(pointer, otherwise: Code.state) { unsafe $0.failSource(key, value, message) }
        }

    private static let begin: @convention(c) (UnsafePointer<stage_output>, UInt32) -> Int32 = { pointer, input in
        unsafe Output.using(pointer, otherwise: Code.state) { $0.beginRecord(input) }
    }

    private static let done: @convention(c) (UnsafePointer<stage_output>, UInt32) -> Int32 = { pointer, input in
        unsafe Output.using(pointer, otherwise: Code.state) { $0.done(input) }
    }

    private static let checkpoint: @convention(c) (UnsafePointer<stage_output>, stage_bytes) -> Int32 = { pointer, bytes in
        unsafe Output.using(pointer, otherwise: Code.state) { unsafe $0.setCheckpoint(bytes) }
    }

    private static let progress:
        @convention(c) (UnsafePointer<stage_output>, UInt32, UInt64, UInt64) -> Int32 = { pointer, input, done, total in
            unsafe Output.using(pointer, otherwise: Code.state) { $0.progress(input, done, total) }
        }

    private static let heartbeat:
        @convention(c) (UnsafePointer<stage_output>, UInt32, stage_bytes) -> Int32 = { pointer, input, bytes in
            unsafe Output.using(pointer, otherwise: Code.state) { unsafe $0.heartbeat(input, resume: bytes) }
        }

    private static let resume: @convention(c) (UnsafePointer<stage_output>, UInt32) -> stage_bytes = { pointer, input in
        unsafe Output.using(pointer, otherwise: stage_bytes(data: nil, size: 0)) { unsafe $0.resume(input) }
    }

    private static let metric:
        @convention(c) (UnsafePointer<stage_output>, UInt32, UnsafePointer<CChar>, Double) -> Int32 = {
            pointer, input, name, amount in
            unsafe Output.using(pointer, otherwise: Code.state) { unsafe $0.metric(input, name, amount) }
        }

    private static let explain: @convention(c) (UnsafePointer<stage_output>, stage_bytes, UInt32) -> Void = {
        pointer, message, retryAfter in
        unsafe Output.using(pointer, otherwise: ()) { unsafe $0.explain(message, retryAfter) }
    }
}
