import Glibc
import LinuxIO
import StageModel
import StageScheduler
import StageWire
import Testing

@testable import StageRuntime

/// The memory through which large payloads travel, and answers that use it.
@Suite struct PayloadMemoryTests {
    private static let size = 1 << 20

    private func memory() throws -> PayloadMemory { try #require(PayloadMemory(size: Self.size)) }

    @Test func `rooms never overlap, and what is let go can be had again as one piece`() throws {
        let memory = try memory()
        var random = SystemRandomNumberGenerator()
        var rooms: [Room] = []
        for _ in 0..<2_000 {
            if rooms.count > 20 || Bool.random(using: &random), let index = rooms.indices.randomElement(using: &random) {
                if Bool.random(using: &random) {
                    let start = Int.random(in: 0..<rooms[index].size, using: &random)
                    let kept = start..<Int.random(in: start + 1...rooms[index].size, using: &random)
                    let place = kept.lowerBound + rooms[index].offset..<kept.upperBound + rooms[index].offset
                    rooms[index].trim(to: kept)
                    let left = rooms[index].offset..<rooms[index].offset + rooms[index].size
                    #expect(place.clamped(to: left) == place && left.count < place.count + 8192)
                }
                else { rooms.remove(at: index) }
            } else if let room = memory.room(
                Int.random(in: 1...60_000, using: &random), part: Int.random(in: 0..<3, using: &random), of: 3)
            {
                rooms.append(room)
            }
            let places = rooms.map(\.place).sorted { $0.offset < $1.offset }
            for (one, next) in zip(places, places.dropFirst()) { #expect(one.offset + one.length <= next.offset) }
            #expect(places.last.map { $0.offset + $0.length <= Self.size } ?? true)
        }
        rooms.removeAll()
        #expect(memory.room(Self.size)?.offset == 0)
    }

    @Test func `each part of the memory is used from its own begin, and all of it before there is no room`() throws {
        let memory = try memory()
        let third = Self.size / 3 / 4096 * 4096
        var rooms = try (0..<3).map { try #require(memory.room(4096, part: $0, of: 3)) }
        #expect(rooms.map(\.offset) == [0, third, 2 * third])
        rooms.removeFirst()
        #expect(memory.room(4096, part: 0, of: 3)?.offset == 0)
        while let room = memory.room(4096, part: 1, of: 3) { rooms.append(room) }
        #expect(rooms.count == Self.size / 4096)
        #expect(Set(rooms.map(\.offset)).count == rooms.count)
    }

    @Test func `when nothing is free there is no room, and payloads give theirs back when they go`() throws {
        let memory = try memory()
        var payload: BlockPayload? = BlockPayload(
            in: try #require(memory.room(Self.size)), 16..<Self.size - 10, records: 1, checksum: 0)
        #expect(memory.room(1) == nil)
        #expect(payload?.place == SharedPlace(offset: 16, length: Self.size - 26))
        payload = nil
        #expect(memory.room(1) != nil)
    }

    // MARK: - Answers

    private let record = RecordCopy(identifier: 7, key: [1], value: [2, 3])

    private func answer(
        _ memory: PayloadMemory, _ block: [UInt8], stated: Int? = nil, room: Room?, at start: UInt64 = 0,
        flags: UInt16 = FrameHeader.shared
    ) throws(WireError) -> Event? {
        if let room, start < room.size {
            _ = unsafe block.withUnsafeBytes {
                unsafe pwrite(memory.memory.writing.number, $0.baseAddress, $0.count, off_t(room.offset) + off_t(start))
            }
        }
        var reader = AnswerReader()
        reader.questions[1] = Question(
            kind: .process, batch: 1, remaining: IndexRanges(count: 1), maximumRecords: 10, room: room)
        var header = FrameHeader(.result)
        header.dispatch = 1
        header.flags = flags
        header.secondArgument = start
        header.blocksLength = UInt32(stated ?? block.count)
        return unsafe try reader.event(from: ReceivedFrame(header: header, buffer: nil), of: WorkerID(1))
    }

    @Test(arguments: [0, 8, 4096, 4104, 8128] as [UInt64])
    func `an answer in a room becomes a payload in that room, wherever it begins`(_ start: UInt64) throws {
        let memory = try memory()
        let room = try #require(memory.room(8192))
        let place = SharedPlace(offset: room.offset + Int(start), length: record.block().count)
        guard case .result(_, _, .ok, let outcome, _, _, _) = try answer(memory, record.block(), room: room, at: start) else {
            Issue.record("no result")
            return
        }
        let payload = try #require(outcome.output as? BlockPayload)
        #expect(payload.place == place)
        #expect(payload.checksum == checksum(of: record.block()))
        #expect(RecordCopy(input: 0, of: [payload]) == record)
    }

    @Test func `an answer that is larger than its room, or has none, or is damaged, is refused`() throws {
        let memory = try memory()
        var damaged = record.block()
        damaged[damaged.count - 1] ^= 1
        #expect(throws: WireError.self) { _ = try answer(memory, record.block(), stated: 8192, room: memory.room(4096)) }
        #expect(throws: WireError.self) { _ = try answer(memory, record.block(), room: nil) }
        #expect(throws: WireError.self) { _ = try answer(memory, damaged, room: memory.room(4096)) }
        for start: UInt64 in [4, 4096 - 56, 4096, 1 << 63, .max - 7, .max] {
            #expect(throws: WireError.self) { _ = try answer(memory, record.block(), room: memory.room(4096), at: start) }
        }
        #expect(throws: WireError.self) {
            _ = try answer(memory, [], room: memory.room(4096), flags: FrameHeader.notBegun)
        }
    }

    @Test func `a payload whose table was changed behind our back makes no copy from outside it`() throws {
        let memory = try memory()
        let room = try #require(memory.room(4096))
        guard case .result(_, _, _, let outcome, _, _, _) = try answer(memory, record.block(), room: room) else { return }
        let payload = try #require(outcome.output as? BlockPayload)
        var huge: UInt32 = 1 << 30
        _ = unsafe pwrite(memory.memory.writing.number, &huge, 4, off_t(room.offset + 32 + 20))
        #expect(RecordCopy(input: 0, of: [payload]) == nil)
    }
}
