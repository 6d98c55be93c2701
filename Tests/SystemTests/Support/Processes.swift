import Foundation
import Testing

/// What /proc says of processes that no job knows.
enum Processes {
    static var all: [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap(Int32.init)
    }

    /// Processes whose command line has this text in it; arguments end in zeros.
    static func with(_ words: String) -> [Int32] {
        all.filter { pid in
            pid != getpid()
                && FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")?.range(of: Data(words.utf8)) != nil
        }
    }

    /// Waits until there is none: the kernel needs a moment to bury those that were killed.
    static func expectNone(with words: String, _ place: SourceLocation = #_sourceLocation) {
        let patience = Patience(seconds: 5)
        while !with(words).isEmpty, patience.lasts { patience.rest() }
        #expect(with(words).isEmpty, "processes left behind", sourceLocation: place)
    }

    /// Children of a process that have ended and were not waited for.
    static func zombies(of parent: Int32) -> [Int32] {
        all.filter { pid in
            let text = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/stat") ?? Data(), as: UTF8.self)
            // The name in front may have anything in it.
            guard let end = text.lastIndex(of: ")") else { return false }
            let fields = text[text.index(after: end)...].split(separator: " ")
            return fields.count > 1 && fields[0] == "Z" && fields[1] == "\(parent)"
        }
    }

    /// Processes that have this entry in the environment that they were started with.
    static func started(with entry: String) -> [Int32] {
        all.filter { pid in
            pid != getpid()
                && FileManager.default.contents(atPath: "/proc/\(pid)/environ")?.range(of: Data(entry.utf8)) != nil
        }
    }
}
