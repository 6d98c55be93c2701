/// Measures several variants in turn, round after round, so that what slows the machine down slows all of them.
enum Rounds {
    /// - Parameter measure: Called with the number of a variant.
    /// - Returns: For each variant what was measured, in order of the rounds. The first round is not counted: it warms up.
    static func run<Sample>(
        _ count: Int, variants: [String], _ measure: (Int) throws(BenchError) -> Sample
    ) throws(BenchError) -> [[Sample]] {
        var samples = variants.map { _ in [Sample]() }
        for round in 0...count {
            for (index, name) in variants.enumerated() {
                Console.say(round == 0 ? "warming up: \(name)" : "round \(round) of \(count): \(name)")
                let sample = try measure(index)
                if round > 0 { samples[index].append(sample) }
            }
        }
        return samples
    }
}
