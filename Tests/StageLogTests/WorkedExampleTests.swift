import Testing

@testable import StageLog

@Suite struct WorkedExampleTests {
    /// The bytes of the worked example in docs/log-format.md.
    static let example = """
        53 54 41 47 45 4c 4f 47 01 00 00 00 c0 00 00 00
        ef cd ab 89 67 45 23 01 01 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 4e 97 9d f0
        53 45 03 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 40 00 00 00 00 00 00 00
        9f 36 82 9d 00 00 00 00 00 00 00 00 67 47 75 6b
        00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        53 45 01 00 01 00 00 00 01 00 00 00 00 00 00 00
        03 00 00 00 02 00 00 00 01 00 00 00 00 00 00 00
        02 00 00 00 05 00 00 00 07 00 00 00 4c bb 71 9a
        51 e0 a3 85 c0 00 00 00 00 f1 53 65 b2 94 0f 9e
        68 65 6c 6c 6f 7b 22 6e 22 3a 33 7d 00 00 00 00
        """

    @Test func theLogOfTheDocumentIsWrittenByteForByte() throws {
        let disk = SimulatedDisk()
        let (log, _) = try disk.openLog()
        try log.append(
            LogEntry(
                .whole, batch: 1, flags: .hasCheckpoint, inputs: 3, passed: 2, filtered: 1, outputs: 2,
                time: 1_700_000_000),
            records: Array("hello".utf8), extra: Array(#"{"n":3}"#.utf8))
        let expected = Self.example.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0, radix: 16) }
        #expect(expected.count == 272)
        #expect(disk.bytes(segmentPath(1)) == expected)
    }
}
