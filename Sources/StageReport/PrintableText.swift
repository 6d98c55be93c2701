/// Text from outside, made fit for a line of a terminal: nothing in it can move the cursor or break the line.
package enum PrintableText {
    /// One line of at most `limit` characters; what is cut off leaves an ellipsis.
    package static func line(_ text: String, limit: Int = .max) -> String {
        var result = ""
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < limit else { return String(result.dropLast()) + "…" }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                result += scalar == "\t" || scalar == "\n" ? " " : "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
            count += 1
        }
        return result
    }

    /// A line of bytes that may be no text.
    package static func line(_ bytes: [UInt8], limit: Int = .max) -> String {
        // A scalar has at most four bytes: more than that need not be decoded.
        let (most, overflow) = limit.multipliedReportingOverflow(by: 4)
        return line(String(decoding: overflow ? bytes[...] : bytes.prefix(most + 4), as: UTF8.self), limit: limit)
    }
}
