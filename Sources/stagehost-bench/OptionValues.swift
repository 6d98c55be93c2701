/// The options of one run, as they were given.
struct OptionValues: Sendable {
    private var values: [String: String] = [:]

    init(_ words: [String], of benchmark: Benchmark) throws(BenchError) {
        for option in benchmark.allOptions where option.value != nil { values[option.name] = option.fallback }
        var rest = words[...]
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard word.hasPrefix("--"), let option = benchmark.allOptions.first(where: { "--" + $0.name == parts[0] }) else {
                throw .usage("found \"\(word)\", expected an option of \(benchmark.name); try \(benchmark.name) --help")
            }
            if option.value == nil {
                values[option.name] = "yes"
            } else if let value = parts.count == 2 ? parts[1] : rest.popFirst() {
                values[option.name] = value
            } else {
                throw .usage("--\(option.name): found nothing, expected \(option.value ?? "a value")")
            }
        }
    }

    func isSet(_ name: String) -> Bool { values[name] != nil }

    func text(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// Whole numbers of at least 1, with commas between them.
    func numbers(_ name: String) throws(BenchError) -> [Int] {
        let text = values[name] ?? ""
        var numbers: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let number = Int(part), number >= 1, number <= 1_000_000_000 else {
                throw .usage("--\(name): found \"\(text)\", expected whole numbers from 1 to 1000000000")
            }
            numbers.append(number)
        }
        return numbers
    }

    func number(_ name: String) throws(BenchError) -> Int {
        let numbers = try numbers(name)
        guard numbers.count == 1 else { throw .usage("--\(name): found \(numbers.count) numbers, expected one") }
        return numbers[0]
    }
}
