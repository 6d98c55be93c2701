import Foundation

/// Records that tests feed to jobs: lines of JSON with a key, a language, a number and a text.
enum Input {
    static let languages = ["de", "en", "fr", "nl", "sv"]

    static func key(_ number: Int) -> String { "k" + String(1_000_000 + number).dropFirst() }

    static func line(_ number: Int) -> String {
        let text = "the \(number % 97) dogs and the \(number % 89) cats of house \(number % 83) slept well"
        return "{\"id\":\"\(key(number))\",\"lang\":\"\(languages[number % 5])\",\"cents\":\(number % 100),\"text\":\"\(text)\"}"
    }

    static func lines(_ count: Int) -> String { (1...count).map { line($0) + "\n" }.joined() }
}

/// How much to do: a fair dose, or as many rounds as STAGEHOST_STORM says.
enum Storm {
    static var isOn: Bool { ProcessInfo.processInfo.environment["STAGEHOST_STORM"] != nil }

    static func rounds(_ usual: Int) -> Int {
        ProcessInfo.processInfo.environment["STAGEHOST_STORM"].flatMap { Int($0) } ?? usual
    }

    /// Chance that can be repeated: STAGEHOST_SEED, or a new one each time. Failures show it.
    static func seed() -> UInt64 {
        ProcessInfo.processInfo.environment["STAGEHOST_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 1...1_000_000_000)
    }
}

/// SplitMix64.
struct Chance: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
