import StageConfig
import Testing

@Test(arguments: [
    ("500ms", Duration.milliseconds(500)), ("2s", .seconds(2)), ("1m30s", .seconds(90)), ("1h", .seconds(3600)),
    ("1.5s", .milliseconds(1500)), ("250us", .microseconds(250)), ("1d2h", .seconds(93_600)), ("0", .zero),
    ("0s", .zero),
])
func `durations are read`(text: String, expected: Duration) {
    #expect(DurationText.parse(text) == expected)
    #expect(DurationText.parse(DurationText.format(expected)) == expected)
}

@Test(arguments: [
    "", "5", "s", "5 s", "-5s", "5S", "1s1m", "1s1s", "1..5s", ".5s", "1.s", "1e3s", "999999999999d", "5sec", "٣s",
])
func `what is no duration is refused`(text: String) {
    #expect(DurationText.parse(text) == nil)
}

@Test(arguments: [
    ("512B", 512), ("64KiB", 65_536), ("1MB", 1_000_000), ("1.5GiB", 1_610_612_736), ("64 kib", 65_536), ("0", 0),
    ("1kB", 1000),
])
func `sizes are read`(text: String, expected: Int) {
    #expect(SizeText.parse(text) == expected)
    #expect(SizeText.parse(SizeText.format(expected)) == expected)
}

@Test(arguments: ["", "12", "B", "-1B", "1K", "1XB", "99999999999TiB", "1.2.3MB", ".5MB", "1MiBx"])
func `what is no size is refused`(text: String) {
    #expect(SizeText.parse(text) == nil)
}

@Test func `the nearest word is found, and nothing when all are far`() {
    let words = ["batch", "sync", "window", "workers", "records"]
    #expect(Suggestion.nearest(to: "bacth", among: words) == "batch")
    #expect(Suggestion.nearest(to: "Worker", among: words) == "workers")
    #expect(Suggestion.nearest(to: "snc", among: words) == "sync")
    #expect(Suggestion.nearest(to: "elephant", among: words) == nil)
    #expect(Suggestion.nearest(to: "", among: words) == nil)
}
