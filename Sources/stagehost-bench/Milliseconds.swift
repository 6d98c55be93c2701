/// Columns for things that take milliseconds, many times over.
enum Milliseconds {
    static let columns: [ResultTable.Column] = [
        .init("p50_ms", "p50 ms", digits: 3), .init("p99_ms", "p99 ms", digits: 3), .init("max_ms", "max ms", digits: 3),
        .init("samples", "samples", digits: 0), .init("ratio_of_p50", "p50 : first"),
    ]

    /// - Parameter base: What the ratio is told to.
    static func cells(_ values: [Double], base: [Double]) -> [Double?] {
        let median = Statistics.median(values)
        return [
            median, Statistics.percentile(99, of: values), values.max(), Double(values.count), median / Statistics.median(base),
        ]
    }
}
