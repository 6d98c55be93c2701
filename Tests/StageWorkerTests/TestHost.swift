import CLinux
import Foundation
import Glibc
import StageModel
import StageWire

/// What went wrong in the test's own machinery.
struct TestFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A record as tests write it.
struct TestRecord: Equatable {
    var identifier: UInt64
    var input: UInt32
    var key: String
    var value: String

    init(_ identifier: UInt64, _ key: String, _ value: String, input: UInt32? = nil) {
        self.identifier = identifier
        self.input = input ?? UInt32(identifier)
        self.key = key
        self.value = value
    }
}

/// A frame as it came, taken apart.
struct TestFrame {
    var header: FrameHeader
    var records: [TestRecord] = []
    var failures: [RecordFailure] = []
    var sourceFailures: [UnreadableRecord] = []
    var metrics: [MetricItem] = []
    var ranges: IndexRanges?
    var checkpoint: String?
    var message: String?
    var resume: ResumeItem?
    var texts: [ItemType: String] = [:]
    var table: PluginTableItem?
}

/// A host with one worker, just enough to see what the worker does. Kills the worker's whole group at the end.
@safe final class TestHost {
    let pid: pid_t
    private let requests: Int32
    private let answers: Int32
    private let words: Int32
    let page: UnsafeMutableRawPointer
    private let pageSize: Int
    private var nextDispatch: UInt64 = 0
    /// The memory that is shared with the worker; nil without.
    private var memory: UnsafeRawPointer?
    private var memoryWriting: Int32 = -1
    /// Where the results of the last request may be put.
    private var room: SharedPlace?
    private var ended: Int32?

    static var buildFolder: URL {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }
    static func plugin(_ name: String) -> String { buildFolder.appendingPathComponent("libstage-\(name).so").path }
    static var workerPath: String { buildFolder.appendingPathComponent("stagehost-worker").path }

    init(_ plugin: String, slots: Int = 1, memorySize: Int = 0) throws {
        let down = try Self.pipe()
        let up = try Self.pipe()
        words = unsafe clinux_memfd("words")
        let file = unsafe clinux_memfd("page")
        pageSize = PageLayout.size(slots: slots)
        guard words >= 0, file >= 0, ftruncate(file, off_t(pageSize)) == 0,
            let mapping = unsafe mmap(nil, pageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), unsafe mapping != MAP_FAILED
        else { throw TestFailure("no page") }
        unsafe page = mapping
        unsafe page.storeBytes(of: PageLayout.magic, toByteOffset: PageLayout.magicOffset, as: UInt32.self)
        unsafe page.storeBytes(of: UInt32(slots), toByteOffset: PageLayout.slotCountOffset, as: UInt32.self)
        var descriptors = [down.read, up.write, words, file]
        if memorySize > 0 {
            var reading: Int32 = -1
            guard unsafe clinux_shared_memory("test", memorySize, &reading, &memoryWriting) == 0,
                let mapping = unsafe mmap(nil, memorySize, PROT_READ, MAP_SHARED, reading, 0), unsafe mapping != MAP_FAILED
            else { throw TestFailure("no shared memory") }
            unsafe memory = UnsafeRawPointer(mapping)
            unsafe page.storeBytes(of: 1, toByteOffset: PageLayout.sharedMemoryOffset, as: UInt32.self)
            descriptors += [reading, memoryWriting]
        }
        pid = try Self.spawn([Self.workerPath, plugin], descriptors)
        if descriptors.count > 4 { close(descriptors[4]) }
        close(down.read)
        close(up.write)
        close(file)
        requests = down.write
        answers = up.read
    }

    deinit {
        kill(-pid, SIGKILL)
        if ended == nil {
            var status: Int32 = 0
            unsafe waitpid(pid, &status, 0)
        }
        close(requests)
        close(answers)
        close(words)
        if memoryWriting >= 0 { close(memoryWriting) }
        unsafe munmap(page, pageSize)
    }

    /// Puts bytes into the shared memory, as the worker of the stage above would.
    func put(_ bytes: [UInt8], at offset: Int) {
        _ = unsafe bytes.withUnsafeBytes { unsafe pwrite(memoryWriting, $0.baseAddress, $0.count, off_t(offset)) }
    }

    /// What is in the shared memory now.
    func bytes(at place: SharedPlace) -> [UInt8] {
        guard let memory = unsafe memory else { return [] }
        return unsafe [UInt8](UnsafeRawBufferPointer(start: memory + place.offset, count: place.length))
    }

    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe clinux_pipe2(&ends) == 0 else { throw TestFailure("no pipe") }
        return (ends[0], ends[1])
    }

    static func spawn(_ arguments: [String], _ descriptors: [Int32]) throws -> pid_t {
        let environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }
            .filter { !$0.hasPrefix("STAGEHOST_") && !$0.hasPrefix("SWIFT_BACKTRACE=") } + ["SWIFT_BACKTRACE=enable=no"]
        let argumentPointers = unsafe arguments.map { unsafe strdup($0) } + [nil]
        let environmentPointers = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (argumentPointers + environmentPointers).forEach { unsafe free($0) } }
        var pid: pid_t = 0
        let error = unsafe clinux_spawn(
            &pid, arguments[0], argumentPointers, environmentPointers, descriptors, Int32(descriptors.count), nil)
        guard error == 0 else { throw TestFailure("\(arguments[0]): \(unsafe String(cString: strerror(-error)))") }
        return pid
    }

    // MARK: Sending

    func write(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let wrote = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(requests, $0.baseAddress! + offset, $0.count - offset) }
            guard wrote > 0 else { throw TestFailure("the worker does not read: errno \(errno)") }
            offset += wrote
        }
    }

    @discardableResult
    func send(_ header: FrameHeader, blocks: [UInt8] = [], items: ItemWriter = ItemWriter()) throws -> UInt64 {
        nextDispatch += 1
        var header = header
        header.dispatch = nextDispatch
        try write(TestHost.encode(header, blocks: blocks, items: items))
        return nextDispatch
    }

    static func encode(_ header: FrameHeader, blocks: [UInt8], items: ItemWriter) -> [UInt8] {
        var header = header
        header.blocksLength = UInt32(blocks.count)
        header.extraLength = UInt32(items.bytes.count)
        header.extraChecksum = checksum(of: items.bytes)
        var bytes = [UInt8](repeating: 0, count: WireLimits.frameHeaderBytes)
        unsafe bytes.withUnsafeMutableBytes { unsafe header.encode(into: $0) }
        return bytes + blocks + items.bytes
    }

    static func block(_ records: [TestRecord]) -> [UInt8] {
        let content = records.map { Array($0.key.utf8) + Array($0.value.utf8) }
        let size = content.reduce(0) { $0 + $1.count }
        let length = Block.length(count: records.count, bytes: size)
        var bytes = [UInt8](repeating: 0, count: length)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            var offset = 0
            for (index, record) in records.enumerated() {
                unsafe TableEntry(
                    identifier: record.identifier, input: record.input, offset: UInt32(offset),
                    keySize: UInt32(record.key.utf8.count), valueSize: UInt32(record.value.utf8.count)
                ).store(into: buffer, at: WireLimits.blockHeaderBytes + index * WireLimits.tableEntryBytes)
                let start = WireLimits.blockHeaderBytes + records.count * WireLimits.tableEntryBytes + offset
                for (position, byte) in content[index].enumerated() { unsafe buffer[start + position] = byte }
                offset += content[index].count
            }
            let sum = unsafe checksum(of: UnsafeRawBufferPointer(rebasing: buffer[WireLimits.blockHeaderBytes...]))
            unsafe Block.encodeHeader(
                into: buffer, count: UInt32(records.count), bytesLength: UInt32(size), length: UInt32(length), checksum: sum)
        }
        return bytes
    }

    @discardableResult
    func open(_ config: String = "{}", threads: UInt32 = 1, checkpoint: String? = nil) throws -> TestFrame {
        let hello = try receive()
        guard hello.header.type == .hello else { return hello }
        var items = ItemWriter()
        items.append(.stageName, text: "stage")
        items.append(.configuration, text: config)
        var parameters = OpenParameters()
        parameters.threads = threads
        items.append(parameters)
        if let checkpoint { items.append(.checkpoint, text: checkpoint) }
        try send(FrameHeader(.open), items: items)
        return try receive()
    }

    @discardableResult
    func process(
        _ blocks: [[TestRecord]], batch: UInt64 = 0, flags: UInt16 = 0, only: IndexRanges? = nil, resume: ResumeItem? = nil,
        places: [SharedPlace] = [], sharedRecords: Int = 0, room: SharedPlace? = nil
    ) throws -> UInt64 {
        var header = FrameHeader(.process)
        header.batch = batch
        header.count = UInt32(blocks.reduce(0) { $0 + $1.count } + sharedRecords)
        header.status = 1
        header.flags = flags
        var items = ItemWriter()
        if let only { items.append(only) }
        if let resume { items.append(resume) }
        for place in places { items.append(.place, place) }
        if let room { items.append(.room, room) }
        self.room = room
        return try send(header, blocks: blocks.flatMap(Self.block), items: items)
    }

    // MARK: Receiving

    /// The next frame; throws when none comes within the deadline or the worker has closed its end.
    func receive() throws -> TestFrame {
        let bytes = try read(WireLimits.frameHeaderBytes)
        let header = try unsafe bytes.withUnsafeBytes { unsafe try FrameHeader(decoding: $0, expectingAnswer: true) }
        return try decode(header, try read(header.payloadLength))
    }

    /// Frames up to the result, which is the last.
    func receiveAll() throws -> [TestFrame] {
        var frames: [TestFrame] = []
        repeat { frames.append(try receive()) } while frames[frames.count - 1].header.type != .result
        return frames
    }

    private func read(_ size: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        var filled = 0
        while filled < size {
            var poll = pollfd(fd: answers, events: Int16(POLLIN), revents: 0)
            guard unsafe Glibc.poll(&poll, 1, 20_000) == 1 else { throw TestFailure("no answer within 20 seconds") }
            let got = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(answers, $0.baseAddress! + filled, size - filled) }
            guard got > 0 else { throw TestFailure("the worker has ended: \(text)") }
            filled += got
        }
        return bytes
    }

    private func decode(_ header: FrameHeader, _ payload: [UInt8]) throws -> TestFrame {
        var frame = TestFrame(header: header)
        try unsafe payload.withUnsafeBytes { payload in
            var blocks = unsafe UnsafeRawBufferPointer(rebasing: payload[..<header.inlineBlocksLength])
            if header.isShared {
                guard let memory = unsafe memory, let room, Int(header.blocksLength) <= room.length,
                    header.secondArgument <= UInt64(room.length) - UInt64(header.blocksLength)
                else {
                    throw TestFailure("blocks in a room that was not given")
                }
                unsafe blocks = UnsafeRawBufferPointer(
                    start: memory + room.offset + Int(header.secondArgument), count: Int(header.blocksLength))
            }
            let allowed: IndexRanges? = IndexRanges(count: 65_536)
            _ = try unsafe BlocksSummary(validating: blocks, allowed: allowed, maximumRecords: 65_536)
            var start = 0
            while start < blocks.count {
                let block = try unsafe Block(decodingHeaderOf: blocks, at: start, name: 0)
                for index in 0..<Int(block.count) {
                    let entry = unsafe TableEntry(loading: blocks, at: start + block.tableOffset + index * 24)
                    let key = start + block.bytesOffset + Int(entry.offset)
                    let value = key + Int(entry.keySize)
                    frame.records.append(
                        unsafe TestRecord(
                            entry.identifier, String(decoding: blocks[key..<value], as: UTF8.self),
                            String(decoding: blocks[value..<value + Int(entry.valueSize)], as: UTF8.self), input: entry.input))
                }
                start += block.length
            }
            let extra = unsafe UnsafeRawBufferPointer(rebasing: payload[header.inlineBlocksLength...])
            try unsafe header.checkExtra(extra)
            var reader = unsafe ItemReader(extra)
            while let item = try reader.next() {
                switch item.type {
                case .failure: frame.failures.append(try item.failure())
                case .sourceFailure: frame.sourceFailures.append(try item.sourceFailure())
                case .metric: frame.metrics.append(try item.metric())
                case .ranges: frame.ranges = try item.ranges()
                case .checkpoint: frame.checkpoint = item.text
                case .message: frame.message = item.text
                case .resume: frame.resume = try item.resume()
                case .pluginTable: frame.table = try item.pluginTable()
                default: frame.texts[item.type] = item.text
                }
            }
        }
        return frame
    }

    // MARK: The end

    /// Waits for the worker's end.
    func waitForEnd() throws -> Int32 {
        if let ended { return ended }
        let descriptor = clinux_pidfd_open(pid)
        defer { close(descriptor) }
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe Glibc.poll(&poll, 1, 20_000) == 1 else { throw TestFailure("the worker does not end") }
        var status: Int32 = 0
        unsafe waitpid(pid, &status, 0)
        ended = status
        return status
    }

    func endOfSignal() throws -> Int32 { clinux_status_signal(try waitForEnd()) }
    func exitCode() throws -> Int32 {
        let status = try waitForEnd()
        guard clinux_status_exited(status) == 1 else { throw TestFailure("died of signal \(clinux_status_signal(status)): \(text)") }
        return clinux_status_exit_code(status)
    }

    /// Closes the request pipe: what the worker sees when its host has gone.
    func hangUp() {
        let nothing = unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
        dup2(nothing, requests)
        close(nothing)
    }

    /// What the worker and its plugin have written to stdout and stderr so far.
    var text: String {
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let got = unsafe bytes.withUnsafeMutableBytes { unsafe pread(words, $0.baseAddress, $0.count, 0) }
        return String(decoding: bytes.prefix(max(0, got)), as: UTF8.self)
    }

    /// Looks until `condition` holds; throws after 20 seconds.
    func wait(until condition: () -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while !condition() {
            guard ContinuousClock.now < deadline else { throw TestFailure("the condition did not come true: \(text)") }
            sched_yield()
        }
    }

    func page32(_ offset: Int) -> UInt32 { unsafe page.load(fromByteOffset: offset, as: UInt32.self) }
    func page64(_ offset: Int) -> UInt64 { unsafe page.load(fromByteOffset: offset, as: UInt64.self) }
    func states(_ count: Int, slot: Int = 0) -> [UInt8] {
        (0..<count).map {
            unsafe page.load(
                fromByteOffset: PageLayout.slotOffset(slot) + PageLayout.slotStatesOffset + $0, as: UInt8.self)
        }
    }
    var crashText: String {
        let size = min(Int(page64(PageLayout.crashTextLengthOffset)), PageLayout.maximumCrashTextBytes)
        return unsafe String(
            decoding: UnsafeRawBufferPointer(start: page + PageLayout.crashTextOffset, count: size), as: UTF8.self)
    }
}
