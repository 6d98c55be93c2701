import Glibc
public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(RunCommand.self) }

/// Hands the records to a program of the user's, as lines of JSON, and takes its answers.
struct RunCommand: BatchTransform {
    static let id = "run-command"
    static let version = "1.0.0"
    static let summary = "Runs a program in any language as a stage: one line of JSON for each record, one line in answer."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["command"],
          "properties": {
            "command": {
              "description": "The program and its arguments, such as [\\"python3\\", \\"extract.py\\"]. Paths are relative to the pipeline file.",
              "type": "array", "minItems": 1, "items": {"type": "string"}
            },
            "input": {
              "description": "How the value is handed over: text, json (embedded as it is), or base64.",
              "enum": ["text", "json", "base64"], "default": "text"
            },
            "in_flight": {
              "description": "Records that the program may have in hand at once. More than 1 only for programs that work on several.",
              "type": "integer", "minimum": 1, "maximum": 10000, "default": 1
            },
            "environment": {
              "description": "Variables for the program, besides those of the worker.",
              "type": "object", "additionalProperties": {"type": "string"}
            },
            "max_answer_bytes": {
              "description": "A longer line from the program ends it.",
              "type": "integer", "minimum": 1, "maximum": 268435456, "default": 67108864
            }
          }
        }
        """

    struct Configuration: Decodable {
        var command: [String]
        var input: InputForm?
        var in_flight: Int?
        var environment: [String: String]?
        var max_answer_bytes: Int?
    }

    private let command: [String]
    private let form: InputForm
    private let inFlight: Int
    private let host: Host
    private let program: ChildProgram
    private let channel: LineChannel
    private var nextRequest: UInt64 = 1

    init(configuration: Configuration, host: Host) throws {
        command = configuration.command
        guard let name = command.first, !name.isEmpty, !command.contains(where: { $0.utf8.contains(0) }) else {
            throw ConfigurationError("command", found: "no program", expected: "a list such as [\"python3\", \"extract.py\"]")
        }
        let environment = configuration.environment ?? [:]
        if let wrong = environment.keys.first(where: { $0.isEmpty || $0.contains("=") || $0.utf8.contains(0) }) {
            throw ConfigurationError(path: ["environment", wrong], problem: "is not the name of a variable")
        }
        inFlight = configuration.in_flight ?? 1
        try ConfigurationError.check("in_flight", inFlight, in: 1...10_000)
        let maximum = configuration.max_answer_bytes ?? 64 << 20
        try ConfigurationError.check("max_answer_bytes", maximum, in: 1...Int(STAGE_MAX_VALUE_BYTES))
        form = configuration.input ?? .text
        self.host = host
        program = try ChildProgram(command, adding: environment)
        channel = LineChannel(program, maximumLineBytes: maximum)
    }

    mutating func process(_ batch: borrowing Batch, into output: borrowing BatchOutput) throws {
        var next = 0
        // Requests that are out: their number, and the record they are for.
        var waiting: [UInt64: Int] = [:]
        while next < batch.count || !waiting.isEmpty {
            // A program that does not read is given no more to read.
            while next < batch.count, waiting.count < inFlight, channel.backlog == 0 {
                try output.begin(next)
                if let request = try request(for: batch[next], nextRequest, attempt: batch.attempt, index: next, output) {
                    waiting[nextRequest] = next
                    nextRequest += 1
                    channel.send(request)
                }
                next += 1
            }
            guard !waiting.isEmpty else { continue }
            switch try event() {
            case .nothing: break
            case .end: dieAsTheProgramDid()
            case .line(let line): try take(line, &waiting, batch, output)
            }
        }
    }

    /// The line for one record; nil when the record cannot be put into one, and has failed.
    private func request(
        for record: borrowing Record, _ number: UInt64, attempt: Int, index: Int, _ output: borrowing BatchOutput
    ) throws -> [UInt8]? {
        do {
            return try form.request(for: record, number: number, attempt: attempt)
        } catch let failure as RecordFailure {
            try output.fail(index, failure)
            return nil
        }
    }

    private func event() throws -> LineChannel.Event {
        let event: LineChannel.Event
        do throws(LineTooLong) {
            event = try channel.next(within: 100)
        } catch {
            say("ended because it wrote more than max_answer_bytes = \(channel.maximumLineBytes) in one line")
            program.kill()
            _exit(EXIT_FAILURE)
        }
        // So often, at least, is looked whether the result is still wanted.
        if case .nothing = event, host.isCancelled { throw StageFailure.retry("cancelled") }
        return event
    }

    /// Gives the answer to its record. What is not an answer is taken for chatter.
    private func take(
        _ line: [UInt8], _ waiting: inout [UInt64: Int], _ batch: borrowing Batch, _ output: borrowing BatchOutput
    ) throws {
        guard line.first == UInt8(ascii: "{") else {
            if !line.isEmpty { host.log(.info, "\(command[0]): " + String(decoding: line.prefix(1000), as: UTF8.self)) }
            return
        }
        let answer: Answer
        do {
            answer = try JSON.decode(Answer.self, from: line)
        } catch {
            return try failOnlyOne(
                waiting, output, "\(command[0]) answered \(String(decoding: line.prefix(200), as: UTF8.self)): \(error)",
                forget: { waiting.removeValue(forKey: $0) })
        }
        if answer.heartbeat == true {
            guard let number = answer.id, let index = waiting[number] else { return host.heartbeat() }
            return output[index].heartbeat()
        }
        guard let number = answer.id, let index = waiting.removeValue(forKey: number) else {
            // The answer to a record that has failed already (its first answer could not be read), or to none.
            return host.log(.warning, "\(command[0]): an answer without a request: id \(answer.id.map(String.init) ?? "missing")")
        }
        for (name, amount) in answer.costs ?? [:] where amount.isFinite { output[index].metric(name, add: amount) }
        do {
            let key = batch[index].keyBytes
            for emission in try answer.emissions() {
                let bytes = try emission.bytes()
                try output[index].emit(key: emission.key.map { Array($0.utf8) } ?? key, value: bytes)
            }
        } catch let failure as RecordFailure {
            return try output.fail(index, failure)
        } catch let error as OutputError where error.code == STAGE_ERROR_TOO_LARGE {
            return try output.fail(index, .permanent("\(error)"))
        }
        try output[index].done()
    }

    /// With one record in hand it is clear which one an answer was for that cannot be read. With several it is not: then
    /// the program is not to be trusted any more.
    private func failOnlyOne(
        _ waiting: [UInt64: Int], _ output: borrowing BatchOutput, _ problem: String, forget: (UInt64) -> Void
    ) throws {
        guard waiting.count == 1, let (number, index) = waiting.first else {
            say(problem)
            program.kill()
            _exit(EXIT_FAILURE)
        }
        forget(number)
        try output.fail(index, .permanent(problem))
    }

    /// The worker goes the way of its program, so that the host sees the death as it was, and finds the record.
    private func dieAsTheProgramDid() -> Never {
        switch program.wait() {
        case .exit(let code):
            say("exited with \(code) before it had answered")
            _exit(code)
        case .signal(let signal):
            say("died of signal \(signal) before it had answered")
            _ = Glibc.kill(getpid(), signal)
            // A signal that does not kill leaves us here.
            _exit(128 + signal)
        }
    }

    /// Says something about the program where its own last words are: in the stage's log.
    private func say(_ text: String) {
        "\(command[0]): \(text)\n".withStageBytes { bytes in _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }

    /// Nothing more will come: the program ends by itself. The host sees to it that it does not take for ever.
    mutating func close() {
        program.closeInput()
        var isOver = false
        while !isOver {
            do throws(LineTooLong) {
                if case .end = try channel.next(within: 1000) { isOver = true }
            } catch {
                program.kill()
                isOver = true
            }
        }
        if case .exit(let code) = program.wait(), code != 0 {
            host.log(.warning, "\(command[0]): exited with \(code) after its last record")
        }
    }
}

/// How the value stands in a request.
enum InputForm: String, ConfigurationChoice {
    case text, json, base64

    /// `{"id":…,"key":…,"value":…,"attempt":…}`; with base64, `base64` in place of `value`.
    func request(for record: borrowing Record, number: UInt64, attempt: Int) throws -> [UInt8] {
        var line = Array(#"{"id":\#(number),"attempt":\#(attempt),"key":"#.utf8)
        JSON.appendQuoted(record.key, to: &line)
        line += Array((self == .base64 ? #","base64":"# : #","value":"#).utf8)
        switch self {
        case .text:
            JSON.appendQuoted(try record.text(), to: &line)
        case .json:
            let bytes = record.bytes
            do {
                try JSON.validate(bytes)
            } catch {
                throw RecordFailure.permanent("the value is not JSON: \(error)")
            }
            // A line is one line: newlines between the parts of a value mean nothing.
            line += bytes.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 }
        case .base64:
            JSON.appendQuoted(Base64.encode(record.bytes), to: &line)
        }
        line.append(UInt8(ascii: "}"))
        return line
    }
}
