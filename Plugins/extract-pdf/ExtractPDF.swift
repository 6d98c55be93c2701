public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(ExtractPDF.self) }

/// Takes the text out of PDF documents, with poppler.
struct ExtractPDF: Transform {
    static let id = "extract-pdf"
    static let version = "1.0.0"
    static let summary = "Takes the text and the metadata out of PDF documents, one record a document or a page."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "input": {
              "description": "What the value is: the bytes of the document, or the path of its file (relative to the pipeline file).",
              "enum": ["bytes", "path"], "default": "bytes"
            },
            "pages": {"description": "One record for each page, KEY#1 and so on, instead of one for the document.", "type": "boolean", "default": false},
            "format": {
              "description": "text: the value is the text. json: an object with text, pages and what the document says about itself.",
              "enum": ["text", "json"], "default": "text"
            },
            "max_file_bytes": {
              "description": "With input path: a larger file fails.",
              "type": "integer", "minimum": 1, "maximum": 2147483647, "default": 1073741824
            }
          }
        }
        """

    enum Input: String, ConfigurationChoice { case bytes, path }
    enum Format: String, ConfigurationChoice { case text, json }

    struct Configuration: Decodable {
        var input: Input?
        var pages: Bool?
        var format: Format?
        var max_file_bytes: Int?
    }

    private let poppler: Poppler
    private let input: Input
    private let isByPage: Bool
    private let format: Format
    private let maximumFileBytes: Int

    init(configuration: Configuration, host: Host) throws {
        input = configuration.input ?? .bytes
        isByPage = configuration.pages ?? false
        format = configuration.format ?? .text
        maximumFileBytes = configuration.max_file_bytes ?? 1 << 30
        try ConfigurationError.check("max_file_bytes", maximumFileBytes, in: 1...Int(Int32.max))
        poppler = try Poppler()
    }

    func process(_ record: borrowing Record, into output: borrowing Output) throws {
        let document = try PDFDocument(try bytes(of: record), poppler)
        let count = document.pageCount
        let facts = format == .json ? document.facts : []
        var texts: [String] = []
        for index in 0..<count {
            let text = try document.text(ofPage: index)
            // A long document is alive as long as its pages come.
            output.progress(done: index + 1, total: count)
            guard isByPage else {
                texts.append(text)
                continue
            }
            try output.emit(key: "\(record.key)#\(index + 1)", value: value(text, facts, page: index + 1, of: count))
        }
        guard !isByPage else { return }
        // Each page ends with a form feed, as with pdftotext.
        try output.emit(keyOf: record, value: value(texts.map { $0 + "\u{0C}" }.joined(), facts, page: nil, of: count))
    }

    private func bytes(of record: borrowing Record) throws -> [UInt8] {
        guard input == .path else { return record.bytes }
        do {
            return try File.contents(Array(try record.text().utf8), upTo: maximumFileBytes)
        } catch let error as FileTooLarge {
            throw RecordFailure.permanent("\(error), above max_file_bytes = \(maximumFileBytes)")
        } catch let error as SystemError {
            throw RecordFailure.permanent("\(error)")
        }
    }

    private func value(_ text: String, _ facts: [(name: String, text: String)], page: Int?, of count: Int) -> [UInt8] {
        guard format == .json else { return Array(text.utf8) }
        var object = Array(#"{"pages":\#(count)"#.utf8)
        if let page { object += Array(#","page":\#(page)"#.utf8) }
        for member in facts + [("text", text)] {
            object.append(UInt8(ascii: ","))
            JSON.appendQuoted(member.0, to: &object)
            object.append(UInt8(ascii: ":"))
            JSON.appendQuoted(member.1, to: &object)
        }
        object.append(UInt8(ascii: "}"))
        return object
    }
}
