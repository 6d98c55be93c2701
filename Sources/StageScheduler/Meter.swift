/// How many records per second there were in the last two seconds.
struct Meter {
    private static let bucketNanoseconds: UInt64 = 250_000_000
    private static let kept = 8

    private var buckets = [Double](repeating: 0, count: kept + 1)
    private var latest: UInt64?
    private var began: UInt64 = 0
    private var total: Double = 0
    private var beganAt = Moment(nanoseconds: 0)

    mutating func add(_ records: Int, at now: Moment) {
        advance(to: now)
        buckets[Int((latest ?? 0) % UInt64(buckets.count))] += Double(records)
        total += Double(records)
    }

    private mutating func advance(to now: Moment) {
        let slot = now.nanoseconds / Self.bucketNanoseconds
        guard let latest else {
            self.latest = slot
            began = slot
            beganAt = now
            return
        }
        guard slot > latest else { return }
        for passed in latest + 1...min(slot, latest + UInt64(buckets.count)) {
            buckets[Int(passed % UInt64(buckets.count))] = 0
        }
        if slot > latest + UInt64(buckets.count) { for index in buckets.indices { buckets[index] = 0 } }
        self.latest = slot
    }

    /// Over the last whole quarters of a second; nil while there is less than a second of them.
    mutating func perSecond(at now: Moment) -> Double? {
        guard latest != nil else { return nil }
        advance(to: now)
        guard let latest, latest - began >= 4 else { return nil }
        let current = buckets[Int(latest % UInt64(buckets.count))]
        let slots = min(UInt64(Self.kept), latest - began)
        return (buckets.reduce(0, +) - current) / (Double(slots * Self.bucketNanoseconds) / 1e9)
    }

    /// A first guess where there is no second yet.
    mutating func estimate(at now: Moment) -> Double {
        perSecond(at: now) ?? total / max(Double(now.since(beganAt)) / 1e9, 0.25)
    }
}
