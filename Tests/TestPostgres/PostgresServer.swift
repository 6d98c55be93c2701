import Foundation
import Glibc

/// A real PostgreSQL server for one suite, in a folder of its own, reached by a socket in it.
///
/// A shell stands between: it stops the server and removes the folder as soon as nobody holds the other end of its input, however the
/// tests ended.
package final class PostgresServer: Sendable {
    package struct Problem: Error, CustomStringConvertible {
        package let description: String
    }

    package let folder: String
    private let programs: String
    private let lifeline: Int32

    /// Where initdb, postgres and psql are; nil when they, or libpq, are not installed.
    private static let programs: String? = {
        guard let library = unsafe dlopen("libpq.so.5", RTLD_LAZY) else { return nil }
        unsafe dlclose(library)
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let folders = versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + path).first { folder in
            ["initdb", "postgres", "psql"].allSatisfy { FileManager.default.isExecutableFile(atPath: folder + "/" + $0) }
        }
    }()

    package static var isThere: Bool { programs != nil }

    /// The server refuses to run as root.
    private static var asNobody: [String] {
        getuid() == 0 ? ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"] : []
    }

    package init() throws {
        guard let programs = Self.programs else { throw Problem(description: "no PostgreSQL") }
        self.programs = programs
        // The path of a socket is short. mkdtemp puts a name of its own in the place of the six letters.
        let parent = FileManager.default.temporaryDirectory.path
        var template = Array(((parent.utf8.count < 60 ? parent : "/tmp") + "/stage-pg-XXXXXX").utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Problem(description: "mkdtemp: \(errno)") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if getuid() == 0, let nobody = unsafe getpwnam("nobody") {
            _ = unsafe chown(folder, nobody.pointee.pw_uid, nobody.pointee.pw_gid)
        }
        let script = """
            trap '' INT TERM HUP
            cd "$1" && bin=$2 && shift 2
            if "$@" "$bin/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync > log 2>&1; then
              echo 'local all locked scram-sha-256' > hba && echo 'local all all trust' >> hba
              "$@" "$bin/postgres" -D "$PWD/data" -k "$PWD" -c listen_addresses= -c hba_file="$PWD/hba" -c fsync=off \\
                -c shared_buffers=16MB -c max_connections=60 >> log 2>&1 < /dev/null &
              server=$!
              read -r end
              kill -QUIT $server
              wait $server
            fi
            rm -rf "$PWD"
            """
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw Problem(description: "pipe: \(errno)") }
        // No child of the tests may hold the server's life in its hands.
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        lifeline = ends[1]
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", script, "postgres", folder, programs] + Self.asNobody
        shell.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"]
        shell.standardInput = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = FileHandle.nullDevice
        try shell.run()
        try waitUntilReady()
    }

    deinit { close(lifeline) }

    /// A connection string without more than where the server is.
    package var connection: String { "host=\(folder) user=postgres dbname=postgres" }

    package var log: String { (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? "" }

    /// Waits until it takes connections: after its start, or after a crash of one of its processes.
    package func waitUntilReady() throws {
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            if FileManager.default.fileExists(atPath: folder + "/.s.PGSQL.5432"), (try? rows("SELECT 1")) == ["1"] { return }
            _ = poll(nil, 0, 20)
        }
        throw Problem(description: "the server does not start:\n" + log)
    }

    /// Runs `sql`; the columns of each row are joined with "|", NULL is "NULL". Not with the plugin's code.
    @discardableResult
    package func rows(_ sql: String) throws -> [String] {
        let psql = Process()
        psql.executableURL = URL(filePath: programs + "/psql")
        psql.arguments = ["-X", "-q", "-A", "-t", "-P", "null=NULL", "-v", "ON_ERROR_STOP=1", "-d", connection, "-c", sql]
        let output = Pipe()
        let complaints = Pipe()
        psql.standardInput = FileHandle.nullDevice
        psql.standardOutput = output
        psql.standardError = complaints
        try psql.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        let words = try complaints.fileHandleForReading.readToEnd() ?? Data()
        psql.waitUntilExit()
        guard psql.terminationStatus == 0 else { throw Problem(description: "\(sql): \(String(decoding: words, as: UTF8.self))") }
        return String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    /// An empty schema for one test, and the connection string that leads there.
    package func schema() throws -> (name: String, connection: String) {
        let name = "t" + UUID().uuidString.lowercased().filter { $0 != "-" }
        try rows("CREATE SCHEMA \(name)")
        return (name, connection + " options='-c search_path=\(name)'")
    }

    /// The server's processes that serve stages called `stage`.
    package func backends(of stage: String) throws -> [Int32] {
        try rows("SELECT pid FROM pg_stat_activity WHERE application_name = 'stagehost \(stage)'").compactMap { Int32($0) }
    }

    /// The server's processes that serve anybody, as the kernel sees them: also while it takes no connections.
    package func backends() -> [Int32] {
        func text(_ path: String) -> String { String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self) }
        guard let parent = text(folder + "/data/postmaster.pid").split(separator: "\n").first else { return [] }
        return text("/proc/\(parent)/task/\(parent)/children").split(separator: " ").compactMap { Int32($0) }.filter { child in
            text("/proc/\(child)/cmdline").contains("[local]")
        }
    }
}
