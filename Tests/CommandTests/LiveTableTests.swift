import StageConfig
import StageReport
import Testing

private let view = StatusView(
    .object([
        .init("job", .string("demo")), .init("state", .string("running")),
        .init("records", .object([.init("read", .integer(200)), .init("failed", .integer(3)), .init("total", .integer(400))])),
        .init("rate_per_second", .number(2.5)), .init("eta_seconds", .integer(46)), .init("elapsed_seconds", .integer(61)),
        .init(
            "stages",
            .array(
                ["read", "terms\u{1B}[2J", "write"].map { name in
                    .object([
                        .init("name", .string(name)), .init("state", .string("running")), .init("workers", .integer(2)),
                        .init("records_in", .integer(12_345)), .init("records_out", .integer(12_000)), .init("failed", .integer(3)),
                        .init("restarts", .integer(7)), .init("rss_bytes", .integer(10 << 20)),
                        .init("checkpoint", .object([.init("batch", .integer(name == "write" ? 50 : 100))])),
                    ])
                })),
    ]))

@Test func `the line of a run says how far it is`() {
    #expect(view.line == "100/400 (25.0%) | failed 3 | 2.5 records/s | ETA 00:46")
    #expect(StatusView(.null).line == "0/? | failed 0 | 0.0 records/s | ")
}

@Test(arguments: [1, 20, 40, 80, 120, 160])
func `no line of the table is wider than the terminal`(columns: Int) {
    var table = LiveTable()
    table.update(view, seconds: 0)
    let lines = table.lines(view, columns: columns).map { $0.rendered(columns: columns, colours: false) }
    #expect(lines.count == 5 && lines.allSatisfy { $0.count <= columns })
    #expect(!lines.joined().contains("\u{1B}"))
}

@Test func `the most telling columns stay longest`() {
    let table = LiveTable()
    func titles(_ columns: Int) -> [Substring] { table.lines(view, columns: columns)[0].text.split(separator: " ") }
    #expect(titles(160).count == 13)
    #expect(Set(["stage", "state", "in", "out", "failed", "restarts", "memory"]).isSubset(of: Set(titles(80).map(String.init))))
    #expect(titles(30) == ["stage", "in", "failed"])
}

@Test func `colours are not counted as columns`() {
    var line = StyledLine("ab", .good)
    line.add("cdef")
    #expect(line.rendered(columns: 3, colours: true) == "\u{1B}[32mab\u{1B}[0mc")
    #expect(line.rendered(columns: 3, colours: false) == "abc")
}
