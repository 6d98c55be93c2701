import CStage
import CWorker
import StageWire
import Synchronization

/// What the plugin sees of the host: the table of `stage_host` and what its functions need.
@safe final class HostTable: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<stage_host>
    private let config: ConfigTable
    private let page: Page
    private let outputs: [Output]
    private let words = Mutex<String?>(nil)

    /// What the host asks a stage to be opened with.
    struct Opening {
        var stageName: [UInt8] = []
        var configuration: [UInt8] = Array("{}".utf8)
        var parameters = OpenParameters()
        var checkpoint: [UInt8]?

        init(reading extra: UnsafeRawBufferPointer) throws {
            var reader = unsafe ItemReader(extra)
            while let item = try reader.next() {
                switch item.type {
                case .stageName: stageName = item.array
                case .configuration: configuration = item.array
                case .parameters: parameters = try item.parameters()
                case .checkpoint: checkpoint = item.array
                default:
                    throw WireError(
                        .item, "open frame", found: "a \(item.type) item",
                        expected: "stage name, configuration, parameters, checkpoint")
                }
            }
        }
    }

    init(_ opening: Opening, threads: Int, page: Page, outputs: [Output]) throws(Refusal) {
        config = try ConfigTable(opening.configuration)
        self.page = page
        self.outputs = outputs
        unsafe pointer = .allocate(capacity: 1)
        func kept(_ bytes: [UInt8]) -> stage_bytes { unsafe bytes.withUnsafeBytes { unsafe stage_bytes(copying: $0) } }
        unsafe pointer.initialize(
            to: stage_host(
                struct_size: UInt32(MemoryLayout<stage_host>.size), protocol_version: UInt32(STAGE_PROTOCOL_VERSION),
                context: nil, stage_name: kept(opening.stageName), config: kept(opening.configuration),
                checkpoint: opening.checkpoint.map(kept) ?? stage_bytes(data: nil, size: 0),
                worker_index: opening.parameters.workerIndex, worker_count: opening.parameters.workerCount,
                shard_index: opening.parameters.shardIndex, shard_count: opening.parameters.shardCount,
                threads: UInt32(threads), reserved: 0,
                log: Self.log, config_string: Self.configString, config_integer: Self.configInteger,
                config_number: Self.configNumber, config_boolean: Self.configBoolean, config_count: Self.configCount,
                heartbeat: Self.heartbeat, cancelled: Self.cancelled, fail_open: Self.failOpen,
                capability: { _, _ in nil }))
        // The table lives as long as the worker, and so does what it points to.
        unsafe pointer.pointee.context = unsafe Unmanaged.passRetained(self).toOpaque()
    }

    /// What the plugin said of a failed `open`.
    var openingFailure: String? { words.withLock { $0 } }

    private static func owner(_ host: UnsafePointer<stage_host>) -> HostTable? {
        unsafe host.pointee.context.map { unsafe Unmanaged<HostTable>.fromOpaque($0).takeUnretainedValue() }
    }

    private static let log: @convention(c) (UnsafePointer<stage_host>, UInt32, stage_bytes) -> Void = { _, level, message in
        let name =
            switch Int(level) {
            case Int(STAGE_LOG_DEBUG): "debug"
            case Int(STAGE_LOG_INFO): "info"
            case Int(STAGE_LOG_WARNING): "warning"
            case Int(STAGE_LOG_ERROR): "error"
            case Int(STAGE_LOG_HOST_MISBEHAVING): "host misbehaving"
            case Int(STAGE_LOG_PLUGIN_MISBEHAVING): "plugin misbehaving"
            default: "level \(level)"
            }
        writeText(unsafe "\(name): \(message.text(limit: WireLimits.maximumMessageBytes))\n", to: wordsDescriptor.load(ordering: .relaxed))
    }

    private static let configString:
        @convention(c) (UnsafePointer<stage_host>, UnsafePointer<CChar>, UnsafeMutablePointer<stage_bytes>) -> Int32 = {
            unsafe owner($0)?.config.string($1, $2) ?? Code.missing
        }
    private static let configInteger:
        @convention(c) (UnsafePointer<stage_host>, UnsafePointer<CChar>, UnsafeMutablePointer<Int64>) -> Int32 = {
            unsafe owner($0)?.config.integer($1, $2) ?? Code.missing
        }
    private static let configNumber:
        @convention(c) (UnsafePointer<stage_host>, UnsafePointer<CChar>, UnsafeMutablePointer<Double>) -> Int32 = {
            unsafe owner($0)?.config.number($1, $2) ?? Code.missing
        }
    private static let configBoolean:
        @convention(c) (UnsafePointer<stage_host>, UnsafePointer<CChar>, UnsafeMutablePointer<Int32>) -> Int32 = {
            unsafe owner($0)?.config.boolean($1, $2) ?? Code.missing
        }
    private static let configCount:
        @convention(c) (UnsafePointer<stage_host>, UnsafePointer<CChar>, UnsafeMutablePointer<UInt32>) -> Int32 = {
            unsafe owner($0)?.config.count($1, $2) ?? Code.missing
        }

    /// From a thread of the worker: its call lives. From a thread of the plugin, which could work for any: all do.
    private static let heartbeat: @convention(c) (UnsafePointer<stage_host>) -> Void = { host in
        guard let table = unsafe owner(host) else { return }
        let slot = Int(cworker_slot_of_thread())
        for (index, output) in table.outputs.enumerated() where slot < 0 || slot == index { output.beatIfOpen() }
    }

    private static let cancelled: @convention(c) (UnsafePointer<stage_host>) -> Int32 = { host in
        unsafe owner(host)?.page.isCancelled == true ? 1 : 0
    }

    private static let failOpen: @convention(c) (UnsafePointer<stage_host>, stage_bytes) -> Void = { host, message in
        let text = unsafe message.text(limit: WireLimits.maximumMessageBytes)
        unsafe owner(host)?.words.withLock { $0 = text }
    }
}
