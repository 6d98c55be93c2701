import Foundation

/// Ten thousand records, and what becomes of them when nothing goes wrong: made once, for all tests that compare with it.
enum Undisturbed {
    static let records = 10_000
    static let input = Input.lines(records)

    private static let run: Result<[Data], any Error> = Result {
        let job = try Job(Stages.pipeline(Stages.read, Stages.misbehave(""), Stages.write))
        try job.write("input.jsonl", input)
        let ended = try job.run()
        guard ended.code == 0 else { throw Overdue(what: "an undisturbed run", seconds: 60, output: ended.output) }
        return String(decoding: job.data("output.jsonl"), as: UTF8.self).components(separatedBy: "\n").dropLast()
            .map { Data(($0 + "\n").utf8) }
    }

    /// The output, byte for byte, without the lines of some records.
    static func output(without isLost: (Int) -> Bool) throws -> Data {
        let lines = try run.get()
        var result = Data()
        for (index, line) in lines.enumerated() where !isLost(index + 1) { result += line }
        return result
    }
}
