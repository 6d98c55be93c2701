import Glibc
import LinuxIO
import StageConfig
import StageReport
import StageScheduler

/// Asks a plugin what it is, in a process of its own: one that crashes, hangs or floods while it is loaded does no harm.
enum PluginProbe {
    /// What a plugin says of itself.
    struct Described {
        var description: PluginDescription
        /// "read", "process", …
        var functions: [String]
    }

    private static let limitMilliseconds: UInt64 = 5_000
    private static let outputLimitBytes = 4 << 20
    private static let textLimitBytes = 64 << 10

    /// For `validate` and whoever else needs the description alone.
    static func describe(_ path: String) -> Result<PluginDescription, PluginRefusal> {
        read(path).map(\.description)
    }

    static func read(_ path: String) -> Result<Described, PluginRefusal> {
        // A name without a slash would be looked up in the library path.
        let absolute = PipelineFile.absolute(path) ?? (path.contains("/") ? path : "./" + path)
        do throws(SystemError) {
            return try Conversation(absolute).result()
        } catch {
            return .failure(PluginRefusal("\(path): cannot be asked what it is: \(error)"))
        }
    }

    /// One run of the worker program.
    private struct Conversation: ~Copyable {
        private let path: String
        private let child: ChildProcess
        private let output: Descriptor
        private let text: Descriptor

        init(_ path: String) throws(SystemError) {
            self.path = path
            let nothing = try Descriptor.open("/dev/null", flags: O_RDONLY)
            let up = try PipeEnds.make()
            let words = try PipeEnds.make()
            var environment = Surroundings.environment
            environment["SWIFT_BACKTRACE"] = "enable=no"
            environment["STAGEHOST_HOST_PID"] = "\(getpid())"
            child = try ChildProcess.spawn(
                RunSetup.workerProgram, arguments: ["--describe", path],
                environment: environment.map { "\($0.key)=\($0.value)" },
                descriptors: [nothing.number, up.write.number, words.write.number], directory: nil)
            output = up.takeRead()
            text = words.takeRead()
            output.makeNonblocking()
            text.makeNonblocking()
        }

        consuming func result() throws(SystemError) -> Result<Described, PluginRefusal> {
            let deadline = monotonicNanoseconds() + PluginProbe.limitMilliseconds * 1_000_000
            var answer: [UInt8] = []
            var words: [UInt8] = []
            var hasEnded = false
            var outputIsClosed = false
            var textIsClosed = false
            while !hasEnded {
                let now = monotonicNanoseconds()
                guard now < deadline else { break }
                var waits = [
                    pollfd(fd: child.pidfd.number, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: output.number, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: text.number, events: Int16(POLLIN), revents: 0),
                ]
                // A pipe whose other end is closed is always ready: from then on only the process is waited for.
                if outputIsClosed { waits[1].fd = -1 }
                if textIsClosed { waits[2].fd = -1 }
                _ = unsafe poll(&waits, nfds_t(waits.count), Int32(clamping: (deadline - now) / 1_000_000 + 1))
                hasEnded = waits[0].revents != 0
                outputIsClosed = Self.drain(output, into: &answer, limit: PluginProbe.outputLimitBytes)
                textIsClosed = Self.drain(text, into: &words, limit: PluginProbe.textLimitBytes)
            }
            child.killGroup()
            var wait = pollfd(fd: child.pidfd.number, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&wait, 1, 1_000)
            let status = child.reap()
            guard hasEnded, let status else {
                return .failure(
                    PluginRefusal(
                        "\(path): hangs while it is loaded: found no answer after \(PluginProbe.limitMilliseconds / 1_000) s; run it under a debugger"
                    ))
            }
            guard status == .exited(0) else { return .failure(Self.refusal(path, status, words)) }
            return Self.parse(path, answer)
        }

        /// Takes what is there; what is beyond the limit is read and forgotten.
        ///
        /// - Returns: Whether there will be no more.
        private static func drain(_ source: borrowing Descriptor, into bytes: inout [UInt8], limit: Int) -> Bool {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            var turnsLeft = 64
            while turnsLeft > 0 {
                turnsLeft -= 1
                switch unsafe chunk.withUnsafeMutableBytes({ unsafe source.read(into: $0) }) {
                case .bytes(let count): bytes += chunk[..<min(count, max(0, limit - bytes.count))]
                case .wouldBlock: return false
                case .closed, .failed: return true
                }
            }
            return false
        }

        private static func refusal(_ path: String, _ status: ExitStatus, _ words: [UInt8]) -> PluginRefusal {
            let lines = String(decoding: words, as: UTF8.self).split(separator: "\n").map(String.init)
            let prefix = "stagehost-worker: "
            // The worker's own words name the plugin already.
            if status == .exited(69), let said = lines.last(where: { $0.hasPrefix(prefix) }) ?? lines.last {
                return PluginRefusal(PrintableText.line(said.hasPrefix(prefix) ? String(said.dropFirst(prefix.count)) : said))
            }
            let end: String
            switch status {
            case .exited(let code): end = "exit \(code)"
            case .signaled(let number, _): end = signalName(number)
            }
            let last = lines.last.map { "; it said: \(PrintableText.line($0, limit: 200))" } ?? ""
            return PluginRefusal("\(path): ended while it was loaded: found \(end), expected a description\(last)")
        }

        private static func parse(_ path: String, _ answer: [UInt8]) -> Result<Described, PluginRefusal> {
            guard case .success(let root) = ConfigParser.parse(SourceText(name: path, bytes: answer)),
                let kind = root["kind"]?.string.flatMap(PluginDescription.Kind.init), let id = root["id"]?.string,
                let version = root["version"]?.string
            else { return .failure(PluginRefusal("\(path): its description cannot be read: check its config schema")) }
            var flags: PluginDescription.Flags = []
            let named: [(String, PluginDescription.Flags)] = [
                ("reentrant", .reentrant), ("record-by-record", .recordByRecord), ("stateful", .stateful),
            ]
            let words = strings(root["flags"])
            for (word, flag) in named where words.contains(word) { flags.insert(flag) }
            var mostWorkers = 0
            if case .integer(let count) = root["max_workers"]?.content { mostWorkers = Int(max(0, count)) }
            var schema: String?
            if let node = root["config_schema"], case .object = node.content { schema = node.plain.json() }
            return .success(
                Described(
                    description: PluginDescription(
                        kind: kind, id: id, version: version, description: root["description"]?.string ?? "",
                        flags: flags, maxWorkers: mostWorkers, configSchema: schema),
                    functions: strings(root["functions"])))
        }

        private static func strings(_ node: ConfigNode?) -> [String] {
            guard case .array(let elements) = node?.content else { return [] }
            return elements.compactMap(\.string)
        }
    }
}

extension PluginDescription.Flags {
    var names: [String] {
        [("reentrant", .reentrant), ("record-by-record", .recordByRecord), ("stateful", .stateful)]
            .filter { (pair: (String, PluginDescription.Flags)) in contains(pair.1) }.map(\.0)
    }
}
