import Foundation
import StageModel
import StageWire
import Testing

@Suite struct FrameTests {
    private var sample: FrameHeader {
        var header = FrameHeader(.process)
        header.flags = 3
        header.batch = 0x0102_0304_0506_0708
        header.dispatch = .max
        header.argument = 11
        header.secondArgument = 12
        header.count = 13
        header.status = 14
        return header
    }

    @Test func `a header comes back as it went`() throws {
        let frame = Bytes.frame(sample, extra: [1, 2, 3])
        let decoded = try Bytes.header(frame).get()
        var expected = sample
        expected.extraLength = 3
        expected.extraChecksum = checksum(of: [1, 2, 3])
        #expect(decoded == expected)
        #expect(decoded.payloadLength == 3)
    }

    @Test func `the example of the wire document is what the encoder makes`() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/wire.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let example = try #require(text.components(separatedBy: "## Example").last)
        var documented: [UInt8] = []
        for line in example.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            guard words.count >= 17, words[0].count == 4, Int(words[0], radix: 16) == documented.count else { continue }
            documented += words[1...16].compactMap { UInt8($0, radix: 16) }
        }
        var header = FrameHeader(.process)
        header.batch = 7
        header.dispatch = 3
        header.count = 1
        header.status = 1
        #expect(documented == Bytes.frame(header, blocks: Bytes.block([.init(600, 0, "a", "hi")])))
        #expect(documented.count == 128)
    }

    @Test func `a header that is cut short`() {
        #expect(Bytes.rule(Bytes.header(Array(Bytes.frame(sample)[..<63]))) == .truncated)
        #expect(Bytes.rule(Bytes.header([])) == .truncated)
    }

    @Test func `a header with another magic`() {
        #expect(Bytes.rule(Bytes.header(Bytes.bendFrame(Bytes.frame(sample), 0, [0x54]))) == .magic)
    }

    @Test func `a header of another version`() {
        #expect(Bytes.rule(Bytes.header(Bytes.bendFrame(Bytes.frame(sample), 4, [1]))) == .version)
    }

    @Test func `a header with any one bit turned`() {
        let frame = Bytes.frame(sample)
        for bit in 0..<WireLimits.frameHeaderBytes * 8 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(Bytes.rule(Bytes.header(damaged)) != nil, "bit \(bit)")
        }
    }

    @Test func `a type that nobody knows, or of the other direction`() {
        #expect(Bytes.rule(Bytes.header(Bytes.bendFrame(Bytes.frame(sample), 5, [99]))) == .type)
        #expect(Bytes.rule(Bytes.header(Bytes.frame(sample), answer: true)) == .type)
        #expect(Bytes.rule(Bytes.header(Bytes.frame(FrameHeader(.result)))) == .type)
    }

    @Test func `lengths beyond the limits`() {
        let frame = Bytes.frame(sample)
        #expect(Bytes.rule(Bytes.header(Bytes.bendFrame(frame, 48, [1, 0, 0, 0x42]))) == .length)
        #expect(Bytes.rule(Bytes.header(Bytes.bendFrame(frame, 52, [1, 0, 0, 0x08]))) == .length)
        #expect(Bytes.rule(Bytes.header(Bytes.bendFrame(frame, 48, [0, 0, 0, 0x42]))) == nil)
        #expect(Bytes.rule(Bytes.header(Bytes.bendFrame(frame, 52, [0, 0, 0, 0x08]))) == nil)
    }

    @Test func `an extra section that is not the one announced`() throws {
        let header = try Bytes.header(Bytes.frame(sample, extra: [1, 2, 3])).get()
        let other: [UInt8] = [1, 2, 4]
        let result = unsafe other.withUnsafeBytes { extra in
            Result { () throws(WireError) in unsafe try header.checkExtra(extra) }
        }
        #expect(Bytes.rule(result) == .checksum)
    }
}
