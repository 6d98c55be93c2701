import StageModel
import StageWire
import Testing

@Suite struct ItemTests {
    private func read<Value>(
        _ bytes: [UInt8], _ body: (ItemReader.Item) throws -> Value
    ) throws -> [Value] {
        unsafe try bytes.withUnsafeBytes { bytes in
            var reader = unsafe ItemReader(bytes)
            var values: [Value] = []
            while let item = try reader.next() { values.append(try body(item)) }
            return values
        }
    }

    private func rule(_ bytes: [UInt8], _ body: (ItemReader.Item) throws -> Void = { _ in }) -> WireError.Rule? {
        do {
            _ = try read(bytes, body)
            return nil
        } catch {
            return (error as? WireError)?.rule
        }
    }

    @Test func `a place comes back as it went, and never from outside the memory`() throws {
        var writer = ItemWriter()
        writer.append(.place, SharedPlace(offset: 4096, length: 100))
        #expect(try read(writer.bytes) { try $0.place(inside: 4196) } == [SharedPlace(offset: 4096, length: 100)])
        #expect(rule(writer.bytes) { _ = try $0.place(inside: 4195) } == .range)
        #expect(rule(writer.bytes) { _ = try $0.place(inside: 0) } == .range)
        for (offset, length) in [(Int.max, 8), (8, Int.max), (4, 8)] {
            var hostile = ItemWriter()
            hostile.append(.room, SharedPlace(offset: offset, length: length))
            #expect(rule(hostile.bytes) { _ = try $0.place(inside: 1 << 20) } == .range)
        }
    }

    @Test func `every item comes back as it went`() throws {
        let failure = RecordFailure(input: 3, kind: .transient, retryAfterMilliseconds: 250, message: "büsy")
        let source = UnreadableRecord(identifier: 9, key: [1], value: [2, 3], message: "no")
        let metric = MetricItem(name: "tokens", amount: 1.5, input: 4)
        let resume = ResumeItem(input: 5, bytes: [7, 8])
        var parameters = OpenParameters()
        parameters.workerIndex = 1
        parameters.threads = 8
        let table = PluginTableItem(kind: .sink, flags: [.stateful], maximumWorkers: 1, functions: [.process, .sync])
        var writer = ItemWriter()
        writer.append(failure)
        writer.append(source)
        writer.append(IndexRanges([0, 1, 5]))
        writer.append(metric)
        writer.append(resume)
        writer.append(parameters)
        writer.append(table)
        writer.append(.message, text: "words")
        #expect(writer.bytes.count % 8 == 0)
        var seen = 0
        _ = try read(writer.bytes) { item throws -> Void in
            seen += 1
            switch item.type {
            case .failure: #expect(try item.failure() == failure)
            case .sourceFailure: #expect(try item.sourceFailure() == source)
            case .ranges: #expect(try item.ranges() == IndexRanges([0, 1, 5]))
            case .metric: #expect(try item.metric() == metric)
            case .resume: #expect(try item.resume() == resume)
            case .parameters: #expect(try item.parameters() == parameters)
            case .pluginTable: #expect(try item.pluginTable() == table)
            default: #expect(item.text == "words")
            }
        }
        #expect(seen == 8)
    }

    @Test func `a type that nobody knows, a reserved word, a header cut short`() {
        #expect(rule([99, 0, 0, 0, 0, 0, 0, 0]) == .item)
        #expect(rule([6, 0, 1, 0, 0, 0, 0, 0]) == .item)
        #expect(rule([6, 0, 0, 0]) == .truncated)
    }

    @Test func `a length beyond the section, or of which the padding is`() {
        #expect(rule([6, 0, 0, 0, 1, 0, 0, 0]) == .length)
        #expect(rule([6, 0, 0, 0, 1, 0, 0, 0, 65]) == .length)
        #expect(rule([6, 0, 0, 0, 255, 255, 255, 255]) == .length)
        #expect(rule([6, 0, 0, 0, 1, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0, 0]) == nil)
    }

    private func item(_ type: UInt8, _ words: [UInt32]) -> [UInt8] {
        let content = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        let padding = [UInt8](repeating: 0, count: (8 - content.count % 8) % 8)
        return [type, 0, 0, 0, UInt8(content.count), 0, 0, 0] + content + padding
    }

    @Test func `ranges that overlap, go backwards, are empty or leave the numbers`() {
        let ranges: (ItemReader.Item) throws -> Void = { _ = try $0.ranges() }
        #expect(rule(item(4, [0, 2, 1, 2]), ranges) == .item)
        #expect(rule(item(4, [5, 2, 1, 2]), ranges) == .item)
        #expect(rule(item(4, [5, 0]), ranges) == .item)
        #expect(rule(item(4, [.max, 2]), ranges) == .item)
        #expect(rule(item(4, [1]), ranges) == .item)
        #expect(rule(item(4, [0, 2, 2, 2]), ranges) == nil)
    }

    @Test func `items too small for their numbers, or with numbers that mean nothing`() {
        #expect(rule(item(2, [0, 1, 0])) { _ = try $0.failure() } == .item)
        #expect(rule(item(2, [0, 3, 0, 0])) { _ = try $0.failure() } == .item)
        #expect(rule(item(3, [0, 0, 1, 0])) { _ = try $0.sourceFailure() } == .item)
        #expect(rule(item(3, [0, 0, 0, .max])) { _ = try $0.sourceFailure() } == .item)
        #expect(rule(item(5, [0, 0x7FF8_0000, 0, 0])) { _ = try $0.metric() } == .item)
        #expect(rule(item(5, [0, 0])) { _ = try $0.metric() } == .item)
        #expect(rule(item(7, [0])) { _ = try $0.resume() } == .item)
        #expect(rule(item(18, [0, 1, 0, 1, 1])) { _ = try $0.parameters() } == .item)
        #expect(rule(item(36, [4, 0, 0, 0])) { _ = try $0.pluginTable() } == .item)
    }

    @Test func `long messages are cut`() throws {
        var writer = ItemWriter()
        writer.append(RecordFailure(input: 0, kind: .permanent, message: String(repeating: "x", count: 10_000)))
        #expect(try read(writer.bytes) { try $0.failure().message.utf8.count } == [WireLimits.maximumMessageBytes])
    }
}
