import CWorker
import Synchronization

/// Where the worker's own words go: stderr, until it has been moved out of a plugin's way.
let wordsDescriptor = Atomic<Int32>(2)

/// Writes a line for people.
func say(_ line: String) {
    writeText("stagehost-worker: \(line)\n", to: wordsDescriptor.load(ordering: .relaxed))
}

/// Ends the worker at once, saying why.
func depart(_ departure: Departure) -> Never {
    say(departure.message)
    cworker_leave(departure.code)
}
