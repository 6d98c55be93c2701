public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(CountTerms.self) }

/// Counts the words of each record.
struct CountTerms: Transform {
    static let id = "count-terms"
    static let version = "1.0.0"
    static let summary = "Counts characters, words and the most frequent terms of each record, as JSON."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "top": {
              "description": "How many terms to list: the most frequent, then by word.",
              "type": "integer", "minimum": 0, "maximum": 10000, "default": 10
            },
            "field": {
              "description": "JSON pointer to the string to count, such as /text. Default: the whole value is the text.",
              "type": "string"
            }
          }
        }
        """

    struct Configuration: Decodable {
        var top: Int?
        var field: JSONPointer?
    }

    private let top: Int
    private let field: JSONPointer?
    private var counter = TermCounter()
    private var result: [UInt8] = []

    init(configuration: Configuration, host: Host) throws {
        top = configuration.top ?? 10
        try ConfigurationError.check("top", top, in: 0...10_000)
        field = configuration.field
    }

    mutating func process(_ record: borrowing Record, into output: borrowing Output) throws {
        if let field {
            guard let slice = try record.json(field) else {
                throw RecordFailure.permanent("\(field): found nothing, expected a string to count")
            }
            guard slice.kind == .string else {
                throw RecordFailure.permanent("\(field): found \(slice.kind.rawValue), expected a string to count")
            }
            slice.withStringBytes { unsafe counter.count($0) }
        } else {
            let text = unsafe record.valueBuffer
            if let offset = unsafe firstInvalidUTF8(in: text) {
                throw RecordFailure.permanent("the value is not UTF-8 at byte \(offset); count-terms needs text")
            }
            unsafe counter.count(text)
        }
        writeResult(record)
        unsafe try result.withUnsafeBytes { unsafe try output.emit(key: record.keyBuffer, value: $0) }
    }

    private mutating func writeResult(_ record: borrowing Record) {
        result.removeAll(keepingCapacity: true)
        append("{\"key\":")
        let key = unsafe record.keyBuffer
        if unsafe firstInvalidUTF8(in: key) == nil {
            unsafe JSON.appendQuoted(key, to: &result)
        } else {
            JSON.appendQuoted(record.key, to: &result)
        }
        append(",\"characters\":")
        append(counter.characters)
        append(",\"words\":")
        append(counter.words)
        append(",\"terms\":{")
        var isFirst = true
        counter.forEachTop(top) { word, count in
            if !isFirst { result.append(UInt8(ascii: ",")) }
            isFirst = false
            // Words hold letters, marks, digits, _ and ': nothing that JSON escapes.
            result.append(UInt8(ascii: "\""))
            result.append(contentsOf: word)
            result.append(UInt8(ascii: "\""))
            result.append(UInt8(ascii: ":"))
            append(count)
        }
        append("}}")
    }

    private mutating func append(_ text: StaticString) {
        unsafe result.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func append(_ number: Int) {
        let start = result.count
        var rest = number
        repeat {
            result.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        if result.count > start + 1 { result[start...].reverse() }
    }
}
