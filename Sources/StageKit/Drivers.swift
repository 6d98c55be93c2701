/// What stands behind the `self` of the protocol: turns C calls into calls of a Swift stage, and errors into outcomes.
class StageDriver {
    /// The driver behind `me`, which the host got from `open` and hands back with every call.
    @unsafe static func of(_ me: UnsafeMutableRawPointer?) -> StageDriver {
        guard let me = unsafe me else { preconditionFailure("the host called a stage that it has not opened") }
        return unsafe Unmanaged<StageDriver>.fromOpaque(me).takeUnretainedValue()
    }

    func read(_ limit: ReadLimit, _ output: UnsafePointer<stage_output>) -> stage_status { Status.fatal }
    func process(_ batch: UnsafePointer<stage_batch>, _ output: UnsafePointer<stage_output>) -> stage_status {
        Status.fatal
    }
    func sync(_ output: UnsafePointer<stage_output>) -> stage_status { Status.ok }
    func finish(_ output: UnsafePointer<stage_output>) -> stage_status { Status.ok }
    func close() {}
}

/// The statuses, typed as calls return them.
enum Status {
    static let ok = stage_status(STAGE_OK)
    static let retry = stage_status(STAGE_RETRY)
    static let reject = stage_status(STAGE_REJECT)
    static let fatal = stage_status(STAGE_FATAL)
    static let end = stage_status(STAGE_END)
    static let idle = stage_status(STAGE_IDLE)

    /// Runs a call of the stage, and answers with what became of it; `otherwise` is for errors that do not say.
    @unsafe static func of(
        _ output: UnsafePointer<stage_output>, otherwise: stage_status, _ call: () throws -> stage_status
    ) -> stage_status {
        do {
            return try call()
        } catch {
            return unsafe of(error, otherwise: otherwise, output)
        }
    }

    /// The status for an error that concerns a whole call.
    @unsafe private static func of(
        _ error: any Error, otherwise: stage_status, _ output: UnsafePointer<stage_output>
    ) -> stage_status {
        switch error {
        case StageFailure.retry(let message, let after):
            unsafe Outcome.explain(output, message, after: after)
            return retry
        case StageFailure.fatal(let message):
            unsafe Outcome.explain(output, message)
            return fatal
        case let failure as RecordFailure where failure.kind == .transient:
            unsafe Outcome.explain(output, failure.message, after: failure.retryAfter)
            return retry
        default:
            unsafe Outcome.explain(output, "\(error)")
            return otherwise
        }
    }
}

final class TransformDriver<T: Transform>: StageDriver {
    private var stage: T

    init(_ stage: T) { self.stage = stage }

    override func process(
        _ batch: UnsafePointer<stage_batch>, _ output: UnsafePointer<stage_output>
    ) -> stage_status {
        unsafe Status.of(output, otherwise: Status.fatal) {
            unsafe try processEach(Batch(batch), output) { record, out throws in
                try stage.process(record, into: out)
            }
            unsafe try handBackState(of: stage, batch, output)
            return Status.ok
        }
    }

    override func finish(_ output: UnsafePointer<stage_output>) -> stage_status {
        unsafe Status.of(output, otherwise: Status.fatal) {
            unsafe try stage.finish(into: Output(output, input: STAGE_NO_INPUT))
            return Status.ok
        }
    }

    override func close() { stage.close() }
}

final class ConcurrentDriver<T: ConcurrentTransform>: StageDriver {
    private var stage: T

    init(_ stage: T) { self.stage = stage }

    override func process(
        _ batch: UnsafePointer<stage_batch>, _ output: UnsafePointer<stage_output>
    ) -> stage_status {
        // Several threads are in here at once: they share the stage, which is Sendable and is only read.
        let stage = self.stage
        return unsafe Status.of(output, otherwise: Status.fatal) {
            unsafe try processEach(Batch(batch), output) { record, out throws in
                try stage.process(record, into: out)
            }
            return Status.ok
        }
    }

    override func close() { stage.close() }
}

/// Works on the records in order. What is thrown for a record fails that record and the loop goes on; a failure of
/// the stage ends it.
@unsafe private func processEach(
    _ batch: borrowing Batch, _ raw: UnsafePointer<stage_output>,
    _ body: (borrowing Record, borrowing Output) throws -> Void
) throws {
    for index in 0..<batch.count {
        let output = unsafe Output(raw, input: UInt32(index))
        try output.begin()
        do {
            try body(batch[index], output)
        } catch let failure as StageFailure {
            throw failure
        } catch let failure as RecordFailure {
            try output.fail(failure)
            continue
        } catch {
            try output.fail(.permanent("\(error)"))
            continue
        }
        try output.done()
    }
}

/// Sets the checkpoint of a stateful transform when the host asks for it.
@unsafe private func handBackState(
    of stage: some Stage, _ batch: UnsafePointer<stage_batch>, _ output: UnsafePointer<stage_output>
) throws {
    guard unsafe Batch(batch).wantsCheckpoint, let stateful = stage as? any Stateful else { return }
    unsafe try Outcome.checkpoint(output, try stateful.encodedState())
}

final class BatchDriver<T: BatchTransform>: StageDriver {
    private var stage: T

    init(_ stage: T) { self.stage = stage }

    override func process(
        _ batch: UnsafePointer<stage_batch>, _ output: UnsafePointer<stage_output>
    ) -> stage_status {
        unsafe Status.of(output, otherwise: Status.reject) {
            unsafe try stage.process(Batch(batch), into: BatchOutput(output))
            unsafe try handBackState(of: stage, batch, output)
            return Status.ok
        }
    }

    override func finish(_ output: UnsafePointer<stage_output>) -> stage_status {
        unsafe Status.of(output, otherwise: Status.fatal) {
            unsafe try stage.finish(into: Output(output, input: STAGE_NO_INPUT))
            return Status.ok
        }
    }

    override func close() { stage.close() }
}

final class ConcurrentBatchDriver<T: ConcurrentBatchTransform>: StageDriver {
    private var stage: T

    init(_ stage: T) { self.stage = stage }

    override func process(
        _ batch: UnsafePointer<stage_batch>, _ output: UnsafePointer<stage_output>
    ) -> stage_status {
        // Several threads are in here at once: they share the stage, which is Sendable and is only read.
        let stage = self.stage
        return unsafe Status.of(output, otherwise: Status.reject) {
            unsafe try stage.process(Batch(batch), into: BatchOutput(output))
            return Status.ok
        }
    }

    override func close() { stage.close() }
}

final class SourceDriver<T: Source>: StageDriver {
    private var stage: T

    init(_ stage: T) { self.stage = stage }

    override func read(_ limit: ReadLimit, _ output: UnsafePointer<stage_output>) -> stage_status {
        unsafe Status.of(output, otherwise: Status.fatal) {
            switch unsafe try stage.read(upTo: limit, into: SourceOutput(output)) {
            case .more: return Status.ok
            case .end: return Status.end
            case .idle: return Status.idle
            }
        }
    }

    override func close() { stage.close() }
}

final class SinkDriver<T: Sink>: StageDriver {
    private var stage: T

    init(_ stage: T) { self.stage = stage }

    override func process(
        _ batch: UnsafePointer<stage_batch>, _ output: UnsafePointer<stage_output>
    ) -> stage_status {
        unsafe Status.of(output, otherwise: Status.reject) {
            unsafe try stage.write(Batch(batch), into: SinkOutput(output))
            return Status.ok
        }
    }

    override func sync(_ output: UnsafePointer<stage_output>) -> stage_status {
        unsafe Status.of(output, otherwise: Status.fatal) {
            unsafe try stage.sync(into: SinkOutput(output))
            return Status.ok
        }
    }

    override func finish(_ output: UnsafePointer<stage_output>) -> stage_status {
        unsafe Status.of(output, otherwise: Status.fatal) {
            unsafe try stage.finish(into: SinkOutput(output))
            return Status.ok
        }
    }

    override func close() { stage.close() }
}
