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
        @convention(c) (UnsafePointer<stage_output>, UInt32, stage_bytes, stage_bytes) -> Int32 = {
            guard let output = unsafe Output.enter($0) else { return Code.state }
            defer { output.leave() }
            return unsafe output.emit($1, $2, $3)
        }

    private static let reserve:
        @convention(c) (
            UnsafePointer<stage_output>, UInt32, stage_bytes, Int, UnsafeMutablePointer<UnsafeMutableRawPointer?>
        ) -> Int32 = {
            guard let output = unsafe Output.enter($0) else { return Code.state }
            let code = unsafe output.reserve($1, $2, $3, $4)
            if code != Code.ok { output.leave() }
            return code
        }

    private static let commit: @convention(c) (UnsafePointer<stage_output>, Int) -> Int32 = { pointer, used in
        guard let context = unsafe pointer.pointee.context else { return Code.state }
        let face = unsafe context.assumingMemoryBound(to: cworker_face.self)
        guard let owner = unsafe face.pointee.owner else { return Code.state }
        let output = unsafe Unmanaged<Output>.fromOpaque(owner).takeUnretainedValue()
        // The thread that has reserved holds the lock: taking it again fails, and that is the proof.
        guard !output.lock.take() else {
            output.lock.release()
            return Code.state
        }
        guard let made = unsafe output.reservation, unsafe output.isOpen, unsafe face.pointee.call == output.number else { return Code.state }
        defer { output.leave() }
        return output.commit(made, used: used == -1 ? nil : used >= 0 ? used : Int.max)
    }

    private static let fail:
        @convention(c) (UnsafePointer<stage_output>, UInt32, UInt32, stage_bytes, UInt32) -> Int32 = {
            guard let output = unsafe Output.enter($0) else { return Code.state }
            defer { output.leave() }
            return unsafe output.fail($1, $2, $3, $4)
        }

    private static let failSource:
        @convention(c) (UnsafePointer<stage_output>, stage_bytes, stage_bytes, stage_bytes) -> Int32 = {
            guard let output = unsafe Output.enter($0) else { return Code.state }
            defer { output.leave() }
            return unsafe output.failSource($1, $2, $3)
        }

    private static let begin: @convention(c) (UnsafePointer<stage_output>, UInt32) -> Int32 = {
        guard let output = unsafe Output.enter($0) else { return Code.state }
        defer { output.leave() }
        return output.beginRecord($1)
    }

    private static let done: @convention(c) (UnsafePointer<stage_output>, UInt32) -> Int32 = {
        guard let output = unsafe Output.enter($0) else { return Code.state }
        defer { output.leave() }
        return output.done($1)
    }

    private static let checkpoint: @convention(c) (UnsafePointer<stage_output>, stage_bytes) -> Int32 = {
        guard let output = unsafe Output.enter($0) else { return Code.state }
        defer { output.leave() }
        return unsafe output.setCheckpoint($1)
    }

    private static let progress:
        @convention(c) (UnsafePointer<stage_output>, UInt32, UInt64, UInt64) -> Int32 = {
            guard let output = unsafe Output.enter($0) else { return Code.state }
            defer { output.leave() }
            return output.progress($1, $2, $3)
        }

    private static let heartbeat:
        @convention(c) (UnsafePointer<stage_output>, UInt32, stage_bytes) -> Int32 = {
            guard let output = unsafe Output.enter($0) else { return Code.state }
            defer { output.leave() }
            return unsafe output.heartbeat($1, resume: $2)
        }

    private static let resume: @convention(c) (UnsafePointer<stage_output>, UInt32) -> stage_bytes = {
        guard let output = unsafe Output.enter($0) else { return unsafe stage_bytes(data: nil, size: 0) }
        defer { output.leave() }
        return unsafe output.resume($1)
    }

    private static let metric:
        @convention(c) (UnsafePointer<stage_output>, UInt32, UnsafePointer<CChar>, Double) -> Int32 = {
            guard let output = unsafe Output.enter($0) else { return Code.state }
            defer { output.leave() }
            return unsafe output.metric($1, $2, $3)
        }

    private static let explain: @convention(c) (UnsafePointer<stage_output>, stage_bytes, UInt32) -> Void = {
        guard let output = unsafe Output.enter($0) else { return }
        defer { output.leave() }
        unsafe output.explain($1, $2)
    }
}
