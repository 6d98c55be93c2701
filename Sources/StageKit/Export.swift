/// What `stage_plugin_v1` returns: the table of the one plugin that a library exports.
public typealias StageTable = UnsafePointer<stage_plugin>

/// Makes the table of a transform.
public func exportStage<T: Transform>(_ type: T.Type) -> StageTable {
    let stateful = type is any Stateful.Type
    return unsafe makeTable(
        type, kind: STAGE_KIND_TRANSFORM,
        flags: UInt32(STAGE_FLAG_RECORD_BY_RECORD)
            | (stateful ? UInt32(STAGE_FLAG_STATEFUL) : 0)
    ) { TransformDriver(try makeStage(T.self, $0)) }
}

/// Makes the table of a transform that works on several batches at once.
public func exportStage<T: ConcurrentTransform>(_ type: T.Type) -> StageTable {
    unsafe makeTable(
        type, kind: STAGE_KIND_TRANSFORM,
        flags: UInt32(STAGE_FLAG_REENTRANT) | UInt32(STAGE_FLAG_RECORD_BY_RECORD)
    ) { ConcurrentDriver(try makeStage(T.self, $0)) }
}

/// Makes the table of a transform that works on whole batches.
public func exportStage<T: BatchTransform>(_ type: T.Type) -> StageTable {
    let stateful = type is any Stateful.Type
    return unsafe makeTable(
        type, kind: STAGE_KIND_TRANSFORM, flags: stateful ? UInt32(STAGE_FLAG_STATEFUL) : 0
    ) { BatchDriver(try makeStage(T.self, $0)) }
}

/// Makes the table of a transform that works on several whole batches at once.
public func exportStage<T: ConcurrentBatchTransform>(_ type: T.Type) -> StageTable {
    unsafe makeTable(type, kind: STAGE_KIND_TRANSFORM, flags: UInt32(STAGE_FLAG_REENTRANT)) {
        ConcurrentBatchDriver(try makeStage(T.self, $0))
    }
}

/// Makes the table of a source.
public func exportStage<T: Source>(_ type: T.Type) -> StageTable {
    unsafe makeTable(type, kind: STAGE_KIND_SOURCE, flags: 0) { SourceDriver(try makeStage(T.self, $0)) }
}

/// Makes the table of a sink.
public func exportStage<T: Sink>(_ type: T.Type) -> StageTable {
    unsafe makeTable(type, kind: STAGE_KIND_SINK, flags: 0) { SinkDriver(try makeStage(T.self, $0)) }
}

/// A C function pointer can capture nothing, so the one plugin of the library is kept here. Written once by
/// `stage_plugin_v1`, before any other call; only read after that.
nonisolated(unsafe) private var makeDriver: ((Host) throws -> StageDriver)?

/// Decodes the configuration, makes the stage and restores its state.
private func makeStage<T: Stage>(_ type: T.Type, _ host: Host) throws -> T {
    var text = host.configurationText
    if text.isEmpty { text = Array("{}".utf8) }
    let configuration = try JSON.decode(T.Configuration.self, from: text)
    let stage = try T(configuration: configuration, host: host)
    guard let bytes = host.checkpoint, var stateful = stage as? any Stateful else { return stage }
    do {
        try stateful.restore(state: bytes)
    } catch {
        throw StageFailure.fatal(
            "the state cannot be read: found \(excerpt(bytes)): \(error); it was written by another plugin or version")
    }
    guard let restored = stateful as? T else { return stage }
    return restored
}

/// Fills the table: allocated once, never freed, as the protocol demands.
private func makeTable<T: Stage>(
    _ type: T.Type, kind: Int, flags: UInt32,
    _ make: @escaping (Host) throws -> StageDriver
) -> StageTable {
    unsafe makeDriver = make
    let isSource = kind == STAGE_KIND_SOURCE
    let table = UnsafeMutablePointer<stage_plugin>.allocate(capacity: 1)
    unsafe table.initialize(
        to: stage_plugin(
            struct_size: UInt32(MemoryLayout<stage_plugin>.size),
            kind: UInt32(kind),
            flags: flags,
            max_workers: UInt32(clamping: T.maxWorkers),
            id: permanentText(T.id),
            version: permanentText(T.version),
            description: permanentText(T.summary),
            config_schema: T.configurationSchema.map { unsafe permanentText($0) },
            open: { unsafe openStage($0, $1) },
            read: isSource
                ? { (me, records, bytes, output) in
                    unsafe StageDriver.of(me).read(
                        ReadLimit(records: Int(records), bytes: Int(clamping: bytes)), output)
                } : nil,
            process: isSource ? nil : { unsafe StageDriver.of($0).process($1, $2) },
            sync: { unsafe StageDriver.of($0).sync($1) },
            finish: T.hasFinish ? { unsafe StageDriver.of($0).finish($1) } : nil,
            close: { me in
                guard let me = unsafe me else { return }
                let driver = unsafe Unmanaged<StageDriver>.fromOpaque(me)
                unsafe driver.takeUnretainedValue().close()
                unsafe driver.release()
            }))
    return unsafe UnsafePointer(table)
}

private func openStage(
    _ raw: UnsafePointer<stage_host>, _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>
) -> stage_status {
    let host = unsafe Host(raw)
    do {
        guard let make = unsafe makeDriver else { throw StageFailure.fatal("the library exports no stage") }
        unsafe result.pointee = Unmanaged.passRetained(try make(host)).toOpaque()
        return stage_status(STAGE_OK)
    } catch StageFailure.retry(let message, _) {
        host.failOpen(message)
        return stage_status(STAGE_RETRY)
    } catch {
        host.failOpen("\(error)")
        return stage_status(STAGE_FATAL)
    }
}

/// A NUL-terminated copy that is never freed.
private func permanentText(_ text: String) -> UnsafePointer<CChar> {
    let bytes = text.utf8CString
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
    _ = unsafe copy.initialize(from: bytes)
    guard let start = copy.baseAddress else { preconditionFailure("a C string has at least its NUL") }
    return unsafe UnsafePointer(start)
}
