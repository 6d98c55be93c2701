import StageKit

/// The configuration, checked and ready for use.
struct Settings {
    static let schema = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["url"],
          "properties": {
            "url": {
              "description": "Where to; https unless it says http. Places such as {{key}} and {{json:/id}} are filled in, escaped for URLs.",
              "type": "string", "minLength": 1
            },
            "method": {"description": "GET, POST, … Default: POST with a body, GET without.", "type": "string", "pattern": "^[A-Z]+$"},
            "headers": {
              "description": "Headers. ${NAME} stands for a variable of the environment, {{key}} and the like for parts of the record.",
              "type": "object", "additionalProperties": {"type": "string"}
            },
            "body": {"description": "Template of the body, filled in from the record. Default: none.", "type": "string"},
            "body_form": {
              "description": "What the body is: json (places are filled in escaped; sent as application/json) or text.",
              "enum": ["json", "text"], "default": "json"
            },
            "concurrency": {
              "description": "Calls that one worker has under way at most.",
              "type": "integer", "minimum": 1, "maximum": 10000, "default": 10
            },
            "timeout": {"description": "Seconds that one call may take.", "type": "number", "exclusiveMinimum": 0, "maximum": 86400, "default": 60},
            "connect_timeout": {
              "description": "Seconds that a connection may take.", "type": "number", "exclusiveMinimum": 0, "maximum": 86400, "default": 10
            },
            "answer": {"description": "JSON pointer to what is wanted of the answer. Default: all of it.", "type": "string"},
            "into": {
              "description": "JSON pointer to where in the record's value it goes, such as /summary. Default: in place of the value.",
              "type": "string"
            },
            "costs": {
              "description": "Sums to add to: by name, a JSON pointer into the answer, or {at: pointer, times: factor}.",
              "type": "object",
              "additionalProperties": {
                "anyOf": [{"type": "string"},
                          {"type": "object", "required": ["at"], "additionalProperties": false,
                           "properties": {"at": {"type": "string"}, "times": {"type": "number"}}}]
              }
            },
            "fatal": {
              "description": "Statuses that end the run instead of failing the record, such as [401].",
              "type": "array", "items": {"type": "integer", "minimum": 300, "maximum": 599}, "default": []
            },
            "max_redirects": {"description": "Redirects to follow at most.", "type": "integer", "minimum": 0, "maximum": 50, "default": 0},
            "max_answer_bytes": {
              "description": "A longer answer fails its record.",
              "type": "integer", "minimum": 1, "maximum": 268435456, "default": 67108864
            },
            "ca_file": {"description": "Certificates to trust, in PEM, instead of the system's.", "type": "string", "minLength": 1}
          }
        }
        """

    struct Configuration: Decodable {
        var url: String
        var method: String?
        var headers: [String: String]?
        var body: String?
        var body_form: BodyForm?
        var concurrency: Int?
        var timeout: Double?
        var connect_timeout: Double?
        var answer: JSONPointer?
        var into: JSONPointer?
        var costs: [String: CostSetting]?
        var fatal: [Int]?
        var max_redirects: Int?
        var max_answer_bytes: Int?
        var ca_file: String?
    }

    enum BodyForm: String, ConfigurationChoice { case json, text }

    /// A pointer, or a pointer with a factor.
    struct CostSetting: Decodable {
        private struct Scaled: Decodable {
            var at: JSONPointer
            var times: Double?
        }

        let at: JSONPointer
        let times: Double

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if (try? container.decode(String.self)) != nil {
                at = try container.decode(JSONPointer.self)
                times = 1
            } else {
                let scaled = try container.decode(Scaled.self)
                at = scaled.at
                times = scaled.times ?? 1
            }
        }
    }

    let concurrency: Int
    let client: HTTPClient.Options
    let outcomes: Outcomes
    private let method: String
    private let url: Template
    private let headers: [(name: String, value: Template)]
    private let body: Template?
    private let secrets: Secrets

    init(_ configuration: Configuration) throws {
        concurrency = configuration.concurrency ?? 10
        try ConfigurationError.check("concurrency", concurrency, in: 1...10_000)
        let maximum = configuration.max_answer_bytes ?? 64 << 20
        try ConfigurationError.check("max_answer_bytes", maximum, in: 1...Int(STAGE_MAX_VALUE_BYTES))
        let redirects = configuration.max_redirects ?? 0
        try ConfigurationError.check("max_redirects", redirects, in: 0...50)
        client = HTTPClient.Options(
            timeoutMilliseconds: try Self.milliseconds(configuration.timeout ?? 60, "timeout"),
            connectTimeoutMilliseconds: try Self.milliseconds(configuration.connect_timeout ?? 10, "connect_timeout"),
            maximumRedirects: redirects, maximumAnswerBytes: maximum, certificates: configuration.ca_file)
        outcomes = Outcomes(
            part: configuration.answer, place: configuration.into,
            costs: (configuration.costs ?? [:]).map { Outcomes.Cost(name: $0.key, at: $0.value.at, times: $0.value.times) },
            fatal: Set(configuration.fatal ?? []), maximumAnswerBytes: maximum)
        method = configuration.method ?? (configuration.body == nil ? "GET" : "POST")
        guard !method.isEmpty, method.utf8.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) else {
            throw ConfigurationError("method", found: JSON.quote(method), expected: "a method in capitals, such as \"POST\"")
        }

        var secrets = Secrets()
        let address = try Self.expanded(configuration.url, &secrets, ["url"])
        // Encryption is what one gets when one does not say.
        url = try Self.template(address.contains("://") ? address : "https://" + address, .url, ["url"])
        var headers = configuration.headers ?? [:]
        let isJSON = (configuration.body_form ?? .json) == .json
        if configuration.body != nil, isJSON, !headers.keys.contains(where: { $0.lowercased() == "content-type" }) {
            headers["Content-Type"] = "application/json"
        }
        var templates: [(name: String, value: Template)] = []
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isPartOfHeaderName) else {
                throw ConfigurationError(path: ["headers", name], problem: "is not the name of a header")
            }
            let text = try Self.expanded(value, &secrets, ["headers", name])
            templates.append((name, try Self.template(text, .text, ["headers", name])))
        }
        self.headers = templates
        body = try configuration.body.map { try Self.template($0, isJSON ? .json : .text, ["body"]) }
        self.secrets = secrets
    }

    /// What is sent for `record`. Throws a ``RecordFailure`` when it cannot be made.
    func request(for record: borrowing Record) throws -> HTTPRequest {
        var lines: [String] = []
        for header in headers {
            let value = String(decoding: try header.value.fill(with: record), as: UTF8.self)
            guard !value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else {
                throw RecordFailure.permanent("the header \(header.name) would hold a control character; expected one line of text")
            }
            // libcurl drops a header that ends at its colon, and sends one that ends with a semicolon.
            lines.append(value.isEmpty ? header.name + ";" : header.name + ": " + value)
        }
        let address = String(decoding: try url.fill(with: record), as: UTF8.self)
        return HTTPRequest(method: method, url: address, headers: lines, body: try body?.fill(with: record))
    }

    func redacted(_ text: String) -> String { secrets.redact(text) }

    func redacted(_ failure: RecordFailure) -> RecordFailure {
        failure.kind == .transient
            ? .transient(secrets.redact(failure.message), retryAfter: failure.retryAfter) : .permanent(secrets.redact(failure.message))
    }

    private static func expanded(_ text: String, _ secrets: inout Secrets, _ path: [String]) throws -> String {
        do {
            return try secrets.expand(text)
        } catch {
            throw ConfigurationError(path: path, problem: "\(error)")
        }
    }

    private static func template(_ text: String, _ form: Template.Form, _ path: [String]) throws -> Template {
        do {
            return try Template(text, form: form)
        } catch {
            throw ConfigurationError(path: path, problem: "\(error)")
        }
    }

    private static func milliseconds(_ seconds: Double, _ key: String) throws -> Int64 {
        guard seconds > 0, seconds <= 86_400 else {
            throw ConfigurationError(key, found: JSON.text(of: seconds), expected: "seconds above 0, up to 86400")
        }
        return Int64((seconds * 1000).rounded(.up))
    }

    /// A token of RFC 9110, section 5.6.2.
    private static func isPartOfHeaderName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
        }
    }
}
