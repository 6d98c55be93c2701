import StageModel
import StageWire
import Testing

/// Large payloads beside the pipe, and requests that stand behind others.
@Suite struct SharedMemoryTests {
    private static let size = 1 << 20
    private let many = (0..<400).map { TestRecord(UInt64($0), "key\($0)", String(repeating: "v", count: 60)) }

    @Test func `a large result is put into the room of its request`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"), memorySize: Self.size)
        try host.open()
        try host.process([many], room: SharedPlace(offset: 8192, length: 100_000))
        let result = try host.receive()
        #expect(result.header.isShared)
        #expect(result.records == many)
    }

    @Test func `a result that is small, or larger than its room, or has none, comes in the frame`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"), memorySize: Self.size)
        try host.open()
        for (records, room) in [(Array(many[..<3]), SharedPlace(offset: 0, length: 100_000)), (many, SharedPlace(offset: 0, length: 20_000)), (many, nil)] {
            try host.process([records], room: room)
            let result = try host.receive()
            #expect(!result.header.isShared)
            #expect(result.records == records)
        }
    }

    @Test func `records of a request come from its frame and from the places that it names`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"), memorySize: Self.size)
        try host.open()
        let (first, second, third) = (Array(many[..<150]), Array(many[150..<300]), Array(many[300...]))
        let blocks = [TestHost.block(third), TestHost.block(first)]
        host.put(blocks[0], at: 4096)
        host.put(blocks[1], at: 65_536)
        let places = [SharedPlace(offset: 4096, length: blocks[0].count), SharedPlace(offset: 65_536, length: blocks[1].count)]
        try host.process([second], places: places, sharedRecords: 250, room: SharedPlace(offset: 131_072, length: 100_000))
        #expect(try host.receive().records == many)
    }

    @Test(arguments: [SharedPlace(offset: size - 8, length: 16), SharedPlace(offset: 0, length: 4096)])
    func `a place outside the memory, or without blocks in it, ends the worker`(_ place: SharedPlace) throws {
        let host = try TestHost(TestHost.plugin("misbehave"), memorySize: Self.size)
        try host.open()
        try host.process([], places: [place], sharedRecords: 1)
        #expect(try host.exitCode() == 70)
    }

    /// In the header of the block, and in its table: the input, the offset and the size of a value.
    @Test(arguments: [4, 24 + 8, 24 + 15, 24 + 23])
    func `blocks that were changed after they were checked are not believed to be within bounds`(_ place: Int) throws {
        let host = try TestHost(TestHost.plugin("misbehave"), memorySize: Self.size)
        try host.open()
        var block = TestHost.block(many)
        block[place + (place < 24 ? 0 : WireLimits.blockHeaderBytes)] ^= 0x80
        host.put(block, at: 0)
        try host.process([], places: [SharedPlace(offset: 0, length: block.count)], sharedRecords: many.count)
        #expect(try host.exitCode() == 70)
    }

    @Test func `a request that follows is begun only if the one before it ended well`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open(#"{"do": "fail-transiently", "when": {"key_equals": "key1"}}"#)
        let good = [many[0]]
        let bad = [many[0], TestRecord(1, "key1", "v")]
        try host.process([good], batch: 1)
        try host.process([bad], batch: 2, flags: FrameHeader.follows)
        try host.process([good], batch: 3, flags: FrameHeader.follows)
        try host.process([good], batch: 4)
        try host.process([good], batch: 5, flags: FrameHeader.follows)
        let answers = try (0..<5).map { _ in try host.receive().header }
        #expect(answers.map(\.batch) == [1, 2, 3, 4, 5])
        #expect(answers.map { $0.flags & FrameHeader.notBegun != 0 } == [false, false, true, false, false])
    }
}
