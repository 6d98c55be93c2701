import Glibc
import StageKit

/// How a record becomes a line.
enum LineFormat {
    /// The value as it is. A value with a newline in it would be two lines: it fails.
    @unsafe static func appendRaw(_ value: UnsafeRawBufferPointer, to lines: inout [UInt8]) throws {
        if let start = value.baseAddress, let place = unsafe memchr(start, 0x0A, value.count) {
            let offset = unsafe UnsafeRawPointer(place) - start
            throw RecordFailure.permanent(
                "the value has a newline at byte \(offset), and a line cannot; use format: \"json\"")
        }
        unsafe lines.append(contentsOf: value)
        lines.append(UInt8(ascii: "\n"))
    }

    /// `{"id":…,"key":…,"value":…}`, the value embedded if it is JSON itself, else as a string.
    static func appendJSON(_ record: borrowing Record, to lines: inout [UInt8]) throws {
        let key = unsafe record.keyBuffer
        let value = unsafe record.valueBuffer
        if let offset = unsafe firstInvalidUTF8(in: key) {
            throw RecordFailure.permanent("the key is not UTF-8 at byte \(offset), and JSON must be")
        }
        let isJSON = unsafe JSON.isValid(value)
        if !isJSON, let offset = unsafe firstInvalidUTF8(in: value) {
            throw RecordFailure.permanent("the value is not UTF-8 at byte \(offset), and JSON must be")
        }
        lines.append(contentsOf: Array("{\"id\":".utf8))
        lines.append(contentsOf: Array("\(record.id)".utf8))
        lines.append(contentsOf: Array(",\"key\":".utf8))
        unsafe JSON.appendQuoted(key, to: &lines)
        lines.append(contentsOf: Array(",\"value\":".utf8))
        if isJSON {
            unsafe appendOnOneLine(value, to: &lines)
        } else {
            unsafe JSON.appendQuoted(value, to: &lines)
        }
        lines.append(UInt8(ascii: "}"))
        lines.append(UInt8(ascii: "\n"))
    }

    /// Embeds JSON. A newline in JSON stands only between values, where a space says the same.
    @unsafe private static func appendOnOneLine(_ value: UnsafeRawBufferPointer, to lines: inout [UInt8]) {
        let start = lines.count
        unsafe lines.append(contentsOf: value)
        guard let base = value.baseAddress else { return }
        let hasBreaks =
            unsafe memchr(base, 0x0A, value.count) != nil || memchr(base, 0x0D, value.count) != nil
        guard hasBreaks else { return }
        for index in start..<lines.count where lines[index] == 0x0A || lines[index] == 0x0D { lines[index] = 0x20 }
    }
}
