import Glibc

/// Texts of the configuration in which `${NAME}` stands for a variable of the environment: what must not be in a pipeline file.
///
/// What came from the environment is known here, so that it can be taken out of every message again.
package struct Secrets: Sendable {
    private var values: [String] = []

    package init() {}

    /// Takes `value` out of messages, too. One of less than four characters stays: it stands everywhere.
    package mutating func hide(_ value: String) {
        if value.count >= 4, !values.contains(value) { values.append(value) }
    }

    /// `text` with its variables filled in. Throws a sentence about a variable that is not there.
    package mutating func expand(_ text: String) throws(MissingVariable) -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.range(of: "${") {
            result += rest[..<start.lowerBound]
            if rest[..<start.lowerBound].hasSuffix("$") {
                // $${ stands for ${.
                result.removeLast()
                result += "${"
                rest = rest[start.upperBound...]
                continue
            }
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else {
                throw MissingVariable(description: "found ${ without }, expected ${NAME} for a variable of the environment")
            }
            let name = String(rest[start.upperBound..<end])
            guard let value = unsafe getenv(name) else {
                throw MissingVariable(description: "the environment variable \(name) is not set; set it where the host is started")
            }
            let text = unsafe String(cString: value)
            hide(text)
            result += text
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    /// The beginning of `message`, without the values that came from the environment.
    package func redact(_ message: String) -> String {
        let clean = values.reduce(message) { $0.replacing($1, with: "***") }
        return clean.count > Self.messageCharacters ? clean.prefix(Self.messageCharacters) + "…" : clean
    }

    private static let messageCharacters = 400
}

/// What is wrong with the variables in a text.
package struct MissingVariable: Error, CustomStringConvertible {
    package let description: String
}

extension String {
    fileprivate func replacing(_ secret: String, with mask: String) -> String {
        guard !secret.isEmpty else { return self }
        var result = ""
        var rest = self[...]
        while let found = rest.range(of: secret) {
            result += rest[..<found.lowerBound] + mask
            rest = rest[found.upperBound...]
        }
        return result + rest
    }
}

extension StringProtocol {
    /// Where `text` stands first. (Foundation has this too, and takes megabytes.)
    fileprivate func range(of text: String) -> Range<Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(text) { return at..<index(at, offsetBy: text.count) }
            formIndex(after: &at)
        }
        return nil
    }
}
