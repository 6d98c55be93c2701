public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(FillTemplate.self) }

/// Writes each record's key and value anew, by templates.
struct FillTemplate: Transform {
    static let id = "template"
    static let version = "1.0.0"
    static let summary = "Writes a new value (and key) for each record from a template with {{key}}, {{value}}, {{json:/pointer}}."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "anyOf": [{"required": ["value"]}, {"required": ["key"]}],
          "properties": {
            "value": {"description": "Template of the new value. Default: the value stays.", "type": "string"},
            "key": {"description": "Template of the new key. Default: the key stays.", "type": "string"},
            "form": {
              "description": "What the value is: text (filled in as it is) or json (filled in escaped).",
              "enum": ["text", "json"], "default": "text"
            }
          }
        }
        """

    struct Configuration: Decodable {
        var value: String?
        var key: String?
        var form: Form?
    }

    enum Form: String, ConfigurationChoice { case text, json }

    private let key: Template?
    private let value: Template?
    private let isJSON: Bool

    init(configuration: Configuration, host: Host) throws {
        isJSON = configuration.form == .json
        key = try Self.template(configuration.key, form: .text, at: "key")
        value = try Self.template(configuration.value, form: isJSON ? .json : .text, at: "value")
        guard key != nil || value != nil else {
            throw ConfigurationError(path: [], problem: "found no template, expected value or key (or both)")
        }
    }

    private static func template(_ text: String?, form: Template.Form, at path: String) throws -> Template? {
        guard let text else { return nil }
        do {
            return try Template(text, form: form)
        } catch {
            throw ConfigurationError(path: [path], problem: "\(error)")
        }
    }

    func process(_ record: borrowing Record, into output: borrowing Output) throws {
        let newKey = try key?.fill(with: record)
        guard let newValue = try value?.fill(with: record) else {
            return try output.emit(key: newKey ?? record.keyBytes, value: record.bytes)
        }
        // A template that is not JSON by itself (a comma too many) is found at its first record.
        if isJSON {
            do { try JSON.validate(newValue) } catch { throw RecordFailure.permanent("the filled template is not JSON: \(error)") }
        }
        try output.emit(key: newKey ?? record.keyBytes, value: newValue)
    }
}
