/// What is told of several measurements of one thing.
enum Statistics {
    static func median(_ values: [Double]) -> Double { percentile(50, of: values) }

    /// The smallest value that `percent` of the values do not exceed; of an even number, the median is the middle of two.
    static func percentile(_ percent: Double, of values: [Double]) -> Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        if percent == 50, sorted.count % 2 == 0 {
            return (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
        }
        let rank = (percent / 100 * Double(sorted.count)).rounded(.up)
        return sorted[min(max(Int(rank) - 1, 0), sorted.count - 1)]
    }

    /// Median of the quotients round by round: what slowed a whole round down is in both, and falls out.
    static func ratio(_ values: [Double], to base: [Double]) -> Double {
        median(zip(values, base).map { $0 / $1 })
    }

    /// Half of the distance between the quartiles, as a share of the median: how far single rounds lie apart.
    static func spread(_ values: [Double]) -> Double {
        (percentile(75, of: values) - percentile(25, of: values)) / 2 / median(values)
    }
}
