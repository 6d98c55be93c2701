import CStage
import CWorker
import StageModel
import StageWire

/// The worker's main thread: takes requests in the order they come, and answers them.
@safe final class Server {
    private let plugin: PluginTable
    private let page: Page
    private let reader: RequestReader
    private let writer: FrameWriter
    private let payloads: PayloadMemory?
    private var slots: [Slot] = []
    private var flusher: Flusher?
    private var pool: Pool?
    private var host: HostTable?
    private var own: UnsafeMutableRawPointer?

    init(plugin: PluginTable, page: Page, reader: RequestReader, writer: FrameWriter, payloads: PayloadMemory?) {
        self.plugin = plugin
        self.page = page
        self.reader = reader
        self.writer = writer
        self.payloads = payloads
        slots = [Slot(index: 0, plugin: plugin, page: page, writer: writer, payloads: payloads)]
    }

    /// Serves until the host says close, or is gone. Throws `Departure`, `WireError`, or `Refusal` when the stage does
    /// not open.
    func run() throws {
        cworker_set_slot_of_thread(0)
        sendHello()
        while let request = try reader.nextHeader() {
            if request.type == .close { break }
            try serve(request)
        }
        pool?.drain()
        if host != nil { unsafe plugin.table.pointee.close?(own) }
    }

    private func sendHello() {
        var items = ItemWriter()
        items.append(.pluginIdentifier, text: plugin.identifier)
        items.append(.pluginVersion, text: plugin.version)
        items.append(.pluginDescription, text: plugin.description)
        if let schema = plugin.schema { items.append(.pluginSchema, text: schema) }
        items.append(
            PluginTableItem(
                kind: plugin.kind, flags: plugin.flags, maximumWorkers: plugin.maximumWorkers, functions: plugin.functions))
        writer.send(FrameHeader(.hello), items: items.bytes)
    }

    private func serve(_ request: FrameHeader) throws {
        guard request.type == .open || host != nil else {
            throw Departure.confused("request from the host: \(request.type) before open")
        }
        if request.type == .process {
            try process(request)
            return
        }
        pool?.drain()
        let slot = slots[0]
        try reader.readPayload(of: request, into: &slot.payload)
        if request.type != .open { try slot.takeRoom(request) }
        switch request.type {
        case .open:
            do {
                try open(request, slot)
            } catch var refusal as Refusal {
                refusal.dispatch = request.dispatch
                throw refusal
            }
        case .read: try read(request, slot)
        case .sync:
            unsafe slot.call(
                .sync, request, limit: 0, allowed: Slot.afterSync, "sync",
                plugin.table.pointee.sync.map { function in { unsafe function(self.own, $0) } })
        case .finish:
            unsafe slot.call(
                .finish, request, limit: WireLimits.maximumBatchRecords, allowed: Slot.afterSync, "finish",
                plugin.table.pointee.finish.map { function in { unsafe function(self.own, $0) } })
        default: throw Departure.confused("request from the host: \(request.type), which is no request")
        }
    }

    private func process(_ request: FrameHeader) throws {
        guard let flusher else { return }
        if let pool {
            let index = pool.waitForIdle()
            try reader.readPayload(of: request, into: &slots[index].payload)
            pool.hand(request, to: index)
        } else {
            try reader.readPayload(of: request, into: &slots[0].payload)
            if request.flags & FrameHeader.follows != 0, unsafe !slots[0].output.endedWell {
                sendBack(request)
            } else {
                unsafe try slots[0].process(request, own, flusher)
            }
        }
    }

    /// Answers a request that must not be begun, because the one before it did not end well.
    private func sendBack(_ request: FrameHeader) {
        var header = FrameHeader(.result)
        header.batch = request.batch
        header.dispatch = request.dispatch
        header.flags = FrameHeader.notBegun
        writer.send(header)
    }

    private func read(_ request: FrameHeader, _ slot: Slot) throws {
        guard let function = unsafe plugin.table.pointee.read else {
            throw Departure.confused("request from the host: a read request for a \(plugin.kind.name)")
        }
        let most = min(request.count, WireLimits.maximumBatchRecords)
        unsafe slot.call(.read, request, limit: most, allowed: Slot.afterRead, "read") {
            unsafe function(self.own, most, request.argument, $0)
        }
    }

    private func open(_ request: FrameHeader, _ slot: Slot) throws {
        guard host == nil else { throw Departure.confused("request from the host: a second open") }
        guard request.blocksLength == 0 else { throw Departure.confused("request from the host: open with blocks") }
        let opening = unsafe try HostTable.Opening(reading: slot.payload.bytes)
        let wanted = max(1, Int(opening.parameters.threads))
        let threads = plugin.flags.contains(.reentrant) ? min(wanted, page.slotCount) : 1
        while slots.count < threads {
            slots.append(Slot(index: slots.count, plugin: plugin, page: page, writer: writer, payloads: payloads))
        }
        let outputs = slots.map(\.output)
        let host = try HostTable(opening, threads: threads, page: page, outputs: outputs)
        _ = unsafe slot.output.begin(Call(.open, request))
        let status = unsafe plugin.table.pointee.open(UnsafePointer(host.pointer), &own)
        slot.output.abandon()
        try check(status, host)

        self.host = host
        let flusher = Flusher(outputs)
        if plugin.kind != .source { try flusher.start() }
        self.flusher = flusher
        if threads > 1 {
            let pool = unsafe Pool(slots, own, flusher)
            try pool.start()
            self.pool = pool
        }
        var ready = FrameHeader(.ready)
        ready.dispatch = request.dispatch
        writer.send(ready)
    }

    private func check(_ status: stage_status, _ host: HostTable) throws(Refusal) {
        switch CallStatus(rawValue: UInt32(bitPattern: status)) {
        case .ok: return
        case .retry:
            throw Refusal(status: 1, host.openingFailure ?? "open returned STAGE_RETRY without a word (fail_open)")
        case .fatal:
            throw Refusal(status: 3, host.openingFailure ?? "open returned STAGE_FATAL without a word (fail_open)")
        default:
            throw Refusal(
                "\(plugin.identifier): open", found: "status \(status)", expected: "STAGE_OK, STAGE_RETRY or STAGE_FATAL",
                hint: "correct what open returns")
        }
    }
}
