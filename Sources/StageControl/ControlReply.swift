package import StageConfig

/// One answer to a command: a JSON object in a line. Several may come; the last says that it is the last.
package struct ControlReply: Sendable {
    package var isOK: Bool
    /// One line for a person.
    package var message: String
    package var isLast: Bool
    /// What a program wants to know beyond that.
    package var more: [JSONValue.Member]

    package init(ok: Bool, _ message: String, last: Bool, more: [JSONValue.Member] = []) {
        isOK = ok
        self.message = message
        isLast = last
        self.more = more
    }

    /// What was asked for was not even tried, and may be asked for again.
    package static func denial(_ message: String) -> ControlReply {
        ControlReply(ok: false, message, last: true, more: [.init("denied", .boolean(true))])
    }

    package var isDenial: Bool { more.contains { $0.key == "denied" } }

    /// One line, without the newline.
    package var json: String {
        var members = [JSONValue.Member("ok", .boolean(isOK)), .init("message", .string(message))]
        members += more
        if isLast { members.append(.init("last", .boolean(true))) }
        return JSONValue.object(members).json()
    }

    /// Reads a line that came from a host; nil when it is no reply.
    package init?(_ line: String) {
        guard case .success(let root) = ConfigParser.parse(SourceText(name: "reply", text: line)),
            case .object(let members) = root.content,
            case .boolean(let ok) = root["ok"]?.content
        else { return nil }
        isOK = ok
        message = root["message"]?.string ?? ""
        if case .boolean(true) = root["last"]?.content { isLast = true } else { isLast = false }
        more = members.filter { !["ok", "message", "last"].contains($0.key) }.map { .init($0.key, $0.node.plain) }
    }
}
