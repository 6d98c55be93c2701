import Glibc

extension Job {
    /// Runs to its end with the host killed up to `rounds` times on the way, each time after at most so many milliseconds, and in half of
    /// the rounds a worker just before.
    ///
    /// - Parameter meanwhile: done in each round when its time is up, while host and workers still run.
    func runThroughKills(
        _ rounds: Int, _ chance: inout Chance, upTo milliseconds: Int32 = 300, meanwhile: () throws -> Void = {}
    ) throws -> Ended {
        for _ in 0..<rounds {
            let host = try start()
            if host.hasEnded(within: Int32.random(in: 1...milliseconds, using: &chance)) { return try host.wait() }
            try meanwhile()
            if Bool.random(using: &chance), let victim = host.workers().randomElement(using: &chance) { kill(victim, SIGKILL) }
            host.killHard()
        }
        return try run(seconds: 300)
    }
}
