import Glibc
import StageKit

/// Where the server is and who one is there: from the configuration, and for the rest from libpq's own variables of the
/// environment.
///
/// A password stands in neither: in the configuration there is `${NAME}`, which is filled in after the text has been taken apart,
/// so that a password may have any character in it.
struct ConnectionOptions {
    private let options: [(name: String, value: String)]
    private let secrets: Secrets

    init(_ text: String?, _ library: LibPQ) throws {
        var secrets = Secrets()
        for name in ["PGPASSWORD", "PGSSLPASSWORD"] {
            if let value = unsafe getenv(name) { secrets.hide(unsafe String(cString: value)) }
        }
        var options: [(name: String, value: String)] = []
        do {
            var text = text ?? ""
            let isOneVariable = text.hasPrefix("${") && text.hasSuffix("}") && text.count(where: { $0 == "$" }) == 1
            if isOneVariable { text = try secrets.expand(text) }
            do {
                options = try library.options(of: text)
            } catch {
                // The words of libpq may have a part of the secret in them.
                guard isOneVariable else { throw error }
                throw ConfigurationError(
                    path: ["connection"], problem: "the environment variable does not hold a connection string or URI of PostgreSQL")
            }
            if !isOneVariable {
                for option in options where ["password", "sslpassword"].contains(option.name) && !option.value.contains("${") {
                    throw ConfigurationError(
                        "connection", found: "a password in it", expected: "${NAME} in its place, with the password in the environment")
                }
                for index in options.indices { options[index].value = try secrets.expand(options[index].value) }
            }
        } catch let error as MissingVariable {
            throw ConfigurationError(path: ["connection"], problem: "\(error)")
        } catch let error as InvalidConnectionString {
            throw ConfigurationError(path: ["connection"], problem: secrets.redact(error.description))
        }
        for option in options where ["password", "sslpassword"].contains(option.name) { secrets.hide(option.value) }
        self.options = options
        self.secrets = secrets
    }

    /// The names and values as libpq takes them.
    func texts(applicationName: String) -> (names: CTexts, values: CTexts) {
        var names = CTexts()
        var values = CTexts()
        for (name, value) in options + [("client_encoding", "UTF8"), ("fallback_application_name", applicationName)] {
            names.append(name.utf8)
            values.append(value.utf8)
        }
        return (names, values)
    }

    func redacted(_ message: String) -> String { secrets.redact(message) }
}
